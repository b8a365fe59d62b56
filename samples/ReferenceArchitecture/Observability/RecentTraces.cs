using System.Diagnostics;

using OpenTelemetry;

namespace IoT.Reference.Observability;

/// <summary>A finished span.</summary>
/// <param name="Parent">The id of the span it belongs to; null where it began the trace.</param>
public sealed record Span(
    string Trace, string Id, string? Parent, string Name, DateTimeOffset Start, TimeSpan Duration, bool Failed, IReadOnlyDictionary<string, string> Tags);

/// <summary>The latest spans of a process in memory, at most <see cref="Capacity"/>; the oldest give way.</summary>
public sealed class RecentTraces
{
    /// <summary>How many spans are kept: some MB, and minutes of a small installation.</summary>
    public const int Capacity = 8_192;

    private readonly Lock _gate = new();
    private readonly Queue<Span> _spans = new();

    internal RecentTraces() => Exporter = new Ring(this);

    internal BaseExporter<Activity> Exporter { get; }

    /// <summary>The spans of one trace, by their beginning; empty where none is kept any more.</summary>
    /// <param name="trace">The trace's id: 32 hexadecimal digits, or a whole <c>traceparent</c>.</param>
    public IReadOnlyList<Span> Of(string trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        string id = trace.Split('-') is [_, { Length: 32 } middle, ..] ? middle : trace;
        lock (_gate)
        {
            return [.. _spans.Where(s => s.Trace == id).OrderBy(s => s.Start)];
        }
    }

    private void Keep(Activity activity)
    {
        var span = new Span(
            activity.TraceId.ToHexString(), activity.SpanId.ToHexString(), activity.ParentSpanId == default ? null : activity.ParentSpanId.ToHexString(),
            activity.DisplayName, activity.StartTimeUtc, activity.Duration, activity.Status == ActivityStatusCode.Error,
            activity.TagObjects.Where(t => t.Value is not null).ToDictionary(t => t.Key, t => t.Value!.ToString() ?? ""));
        lock (_gate)
        {
            if (_spans.Count == Capacity)
            {
                _spans.Dequeue();
            }

            _spans.Enqueue(span);
        }
    }

    private sealed class Ring(RecentTraces owner) : BaseExporter<Activity>
    {
        public override ExportResult Export(in Batch<Activity> batch)
        {
            foreach (Activity activity in batch)
            {
                owner.Keep(activity);
            }

            return ExportResult.Success;
        }
    }
}
