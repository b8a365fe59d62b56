using System.Diagnostics;

using IoT.Cep.Extensibility;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Observability;

namespace IoT.Reference.Analytics.Alerts;

/// <summary>Where rules end: their signals become alerts, and the commands that they wish for go to the interlock.</summary>
internal sealed class AlertSink(string rule, AlertBook book, Action<CommandWish> command, LatencyOfActions latency, TimeProvider clock) : IAsyncSink<Signal>
{
    public string Name => rule;

    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

    public ValueTask WriteAsync(SinkBatch<Signal> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        book.Apply(batch.Events.Span, Trace);
        foreach (var signal in batch.Events.Span)
        {
            if (signal.Wish is not null)
            {
                command(signal.Wish);
            }

            if (signal.Arrived != default)
            {
                latency.Record(clock.GetUtcNow() - signal.Arrived);
            }
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // The span goes on where the message's did, so that a trace leads from the device to the alert.
    private static string? Trace(Signal signal)
    {
        using Activity? span = ReferenceTelemetry.Continue("alert " + signal.Rule, ActivityKind.Internal, signal.Trace);
        span?.SetTag("device", signal.Device);
        return span?.Id;
    }
}
