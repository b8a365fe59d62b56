using System.Reactive.Linq;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>W5: each event with its device's row gives (Value * Factor, Site); both are summed.</summary>
internal static class Enrichment
{
    internal static Workload Make(ReadingData data)
    {
        var rows = Enumerable.Range(0, data.Devices).Select(device => new Device(1 + (device % 100 * 0.01), device % 17)).ToArray();
        var byId = Enumerable.Range(0, data.Devices).ToDictionary(device => device, device => rows[device]);
        var table = new ValueTable<int, Device>(byId);
        return new Workload(
            "W5", data.Events.Length,
            new Contender("IoT.Cep", count => QueryRun.Of(data, count, readings => Query(readings, table), new Sink())),
            new Contender("Rx", count => Prepared.Of(() => Rx(data, count, byId))),
            new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), rows))));
    }

    internal static IEventStream<Located> Query(IEventStream<Reading> readings, ValueTable<int, Device> table) =>
        readings.Enrich(table, r => r.DeviceId, (r, row) => row is { } device ? new Located(r.Value * device.Factor, device.Site) : default);

    private static Outcome Rx(ReadingData data, int count, Dictionary<int, Device> table)
    {
        long results = 0;
        double sum = 0;
        new ArrayObservable<Reading>(data.Events, count)
            .Select(r => table.TryGetValue(r.DeviceId, out var row) ? new Located(r.Value * row.Factor, row.Site) : default)
            .Subscribe(l =>
            {
                results++;
                sum += l.Value + l.Site;
            }).Dispose();
        return new Outcome(results, sum);
    }

    private static Outcome Hand(ReadOnlySpan<Reading> events, ReadOnlySpan<Device> rows)
    {
        var byDevice = new (double Factor, int Site)[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            byDevice[i] = (rows[i].Factor, rows[i].Site);
        }

        double sum = 0;
        long sites = 0;
        foreach (ref readonly var r in events)
        {
            ref readonly var row = ref byDevice[r.DeviceId];
            sum += r.Value * row.Factor;
            sites += row.Site;
        }

        return new Outcome(events.Length, sum + sites);
    }

    internal readonly record struct Device(double Factor, int Site);

    internal readonly record struct Located(double Value, int Site);

    internal sealed class Sink : SummingSink<Located>
    {
        public override void Write(in Batch<Located> batch)
        {
            double sum = 0;
            long sites = 0;
            foreach (ref readonly var l in batch.Events)
            {
                sum += l.Value;
                sites += l.Site;
            }

            Count += batch.Length;
            Sum += sum + sites;
        }
    }
}
