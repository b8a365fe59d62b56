using System.Diagnostics.Metrics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The engine's meters, named <c>IoT.Cep</c>: read when somebody listens, so they cost nothing on the hot path.</summary>
internal sealed class CepMeters : IDisposable
{
    private readonly Meter _meter = new("IoT.Cep");

    internal CepMeters(CepEngine engine)
    {
        Source(engine, "iot_cep.source.received", "{message}", "Messages delivered, redeliveries included", s => s.Received);
        Source(engine, "iot_cep.source.events", "{event}", "Events decoded", s => s.Events);
        Source(engine, "iot_cep.source.duplicates", "{message}", "Messages delivered again", s => s.Duplicates);
        Source(engine, "iot_cep.source.dropped", "{event}", "Events dropped by the backpressure mode", s => s.Dropped);
        Source(engine, "iot_cep.source.late", "{event}", "Events behind the watermark", s => s.Late);
        Source(engine, "iot_cep.source.pauses", "{pause}", "How often a partition waited for others that it ran ahead of", s => s.Pauses);
        _meter.CreateObservableGauge(
            "iot_cep.source.watermark_lag", () => Lags(engine), "s", "How far a partition's watermark is behind the clock; none before its first event");
        Query(engine, "late", "{event}", "Events that windows, patterns and absence could not use any more", q => q.LateEvents);
        Query(engine, "moved", "{event}", "Late events that were moved into a window that still took them", q => q.MovedEvents);
        Query(engine, "refused", "{event}", "Events of keys for which there was no room", q => q.RefusedEvents);
        Query(engine, "evicted", "{key}", "Keys that gave way to others", q => q.EvictedKeys);
        Query(engine, "skipped", "{event}", "Events that became dead letters because the user's code threw", q => q.SkippedEvents);
        Query(engine, "dropped_from_window", "{event}", "Events that left windows per event before their time, because a key had as many as allowed", q => q.DroppedWindowEvents);
        Query(engine, "discarded_matches", "{match}", "Partial matches that gave way because a key had as many as allowed", q => q.DiscardedPartialMatches);
        Query(engine, "forgotten", "{id}", "Ids that were forgotten before their time: duplicates of them would have passed", q => q.ForgottenIds);
        Query(engine, "overflowed", "{event}", "Events that a reordering released early or dropped, because it held as many as allowed", q => q.OverflowedEvents);
        _meter.CreateObservableCounter(
            "iot_cep.dead_letters",
            () => Enum.GetValues<DeadLetterReason>().Select(r => new Measurement<long>(engine.DeadLetters.CountOf(r), new KeyValuePair<string, object?>("reason", r.ToString()))),
            "{letter}", "Dead letters by reason");
        _meter.CreateObservableCounter(
            "iot_cep.sink.written", () => Sinks(engine, s => s.Written), "{result}", "Results written");
        _meter.CreateObservableGauge(
            "iot_cep.sink.waiting", () => Sinks(engine, s => s.Waiting), "{result}", "Results that wait to be written");
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<long>> Sinks(CepEngine engine, Func<SinkStatistics, long> value) =>
        from query in engine.Queries
        where query.Sink is not null
        select new Measurement<long>(value(query.Sink!), new KeyValuePair<string, object?>("query", query.Name));

    private static IEnumerable<Measurement<double>> Lags(CepEngine engine) =>
        from source in engine.Sources
        from partition in source.Partitions
        where partition.Watermark is not null
        select new Measurement<double>(
            (engine.Clock.GetUtcNow() - partition.Watermark!.Value).TotalSeconds, new KeyValuePair<string, object?>("source", source.Name),
            new KeyValuePair<string, object?>("partition", partition.Name));

    private void Source(CepEngine engine, string name, string unit, string description, Func<SourceStatistics, long> value) =>
        _meter.CreateObservableCounter(
            name, () => engine.Sources.Select(s => new Measurement<long>(value(s), new KeyValuePair<string, object?>("source", s.Name))), unit, description);

    private void Query(CepEngine engine, string name, string unit, string description, Func<Query, long> value) =>
        _meter.CreateObservableCounter(
            $"iot_cep.query.{name}", () => engine.Queries.Select(q => new Measurement<long>(value(q), new KeyValuePair<string, object?>("query", q.Name))), unit, description);
}
