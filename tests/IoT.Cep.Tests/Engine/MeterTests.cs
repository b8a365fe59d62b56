using System.Diagnostics.Metrics;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What a query counts is read as a meter of its own, and as no other.</summary>
public sealed class MeterTests
{
    private static readonly Pattern<Reading> _twice = Pattern.Begin<Reading>(out _, r => r.Value >= 0).FollowedBy(out _, r => r.Value > 100).Within(Seconds(60));

    /// <summary>The value is the time. The last one is behind all others.</summary>
    private static readonly Reading[] _events = [new("a", 1), new("b", 2), new("a", 3), new("b", 4), new("c", 25), new("a", 5)];

    private static readonly Dictionary<string, Func<IEventStream<Reading>, IEventStream<string>>> _queries = new()
    {
        ["late 1"] = s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Key),
        ["moved 1"] = s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).LateIntoOpen()).Select(w => w.Key),
        ["refused 3"] = s => s.Where(r => r.Value != 5).KeyBy(r => r.Key, maxKeys: 1, WhenKeysFull.Refuse).Silent(Seconds(60)).Select(x => x.Key),
        ["evicted 3"] = s => s.Where(r => r.Value < 5).KeyBy(r => r.Key, maxKeys: 1, WhenKeysFull.EvictIdle).Window(Window.Tumbling(Seconds(10))).Select(w => w.Key),
        ["skipped 2"] = s => s.Select(r => r.Key == "b" ? throw new FormatException("b") : r.Key),
        ["dropped_from_window 3"] = s => s.Where(r => r.Value < 5)
            .Window(Window.Sliding(Seconds(60), maxEventsPerKey: 1, whenFull: WindowOverflow.DropOldest)).Select(w => $"{w.Count()}"),
        ["discarded_matches 3"] = s => s.Where(r => r.Value < 5).Match(_twice, maxPartialMatches: 1).Select(m => "match"),
        ["forgotten 3"] = s => s.Where(r => r.Value < 5).Deduplicate(r => r.Key, Seconds(60), maxIds: 1).Select(r => r.Key),
        ["overflowed 3"] = s => s.Where(r => r.Value < 5).Reorder(maxEvents: 1).Select(r => r.Key),
    };

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task Each_count_of_a_query_is_a_meter(string meterAndCount)
    {
        await using var engine = new CepEngine();
        var readings = engine.From(Source.FromMemory<Reading>(_events, new long[_events.Length])).WithEventTime(r => Time(r.Value), meterAndCount[0] is 'l' or 'm' ? default : Seconds(2));
        _queries[meterAndCount](readings).To(new Collecting<string>(), name: "the query", onError: ErrorPolicy.Skip);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([meterAndCount], Read());
    }

    private static List<string> Read()
    {
        var read = new List<string>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => l.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (value != 0 && instrument.Name.StartsWith("iot_cep.query.", StringComparison.Ordinal) && tags[0].Value is "the query")
            {
                read.Add($"{instrument.Name["iot_cep.query.".Length..]} {value}");
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return read;
    }
}
