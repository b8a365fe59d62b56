using System.Reactive.Linq;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>W7: a device's session closes at a gap of 100 ms; count and average of each, their sum over all sessions is compared.</summary>
internal static class Sessions
{
    private const long Gap = 100_000;

    internal static Workload Make(ReadingData data) => new(
        "W7", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new Sink())),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    internal static IEventStream<Summary> Query(IEventStream<Reading> readings) => readings
        .KeyBy(r => r.DeviceId)
        .Window(Window.Session(TimeSpan.FromMilliseconds(100)))
        .Select(w => new Summary(w.Key, w.Start, w.Count(), w.Average(r => r.Value)));

    /// <summary>A group for each device, cut into windows where an event comes a gap or more behind the one before it.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;
        new ArrayObservable<Reading>(data.Events, count)
            .GroupBy(static r => r.DeviceId, data.Devices)
            .SelectMany(static device => device.Publish(events => events
                .Buffer(events.Zip(events.Skip(1)).Where(static pair => pair.Second.Ts - pair.First.Ts >= Gap))))
            .Select(static session => (session.Count, Average: session.Sum(static r => r.Value) / session.Count))
            .Subscribe(s =>
            {
                results++;
                sum += s.Count + s.Average;
            }).Dispose();
        return new Outcome(results, sum);
    }

    /// <summary>No timers: a device's session is closed by its next event, or by the end.</summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var cells = new Cell[devices];
        long results = 0;
        double sum = 0;
        foreach (ref readonly var r in events)
        {
            ref var cell = ref cells[r.DeviceId];
            if (r.Ts - cell.Last >= Gap && cell.Count > 0)
            {
                results++;
                sum += cell.Count + (cell.Sum / cell.Count);
                cell.Count = 0;
                cell.Sum = 0;
            }

            cell.Last = r.Ts;
            cell.Count++;
            cell.Sum += r.Value;
        }

        foreach (ref var cell in cells.AsSpan())
        {
            if (cell.Count > 0)
            {
                results++;
                sum += cell.Count + (cell.Sum / cell.Count);
            }
        }

        return new Outcome(results, sum);
    }

    private struct Cell
    {
        internal long Last;
        internal long Count;
        internal double Sum;
    }

    internal readonly record struct Summary(int DeviceId, DateTimeOffset Start, long Count, double Average);

    internal sealed class Sink : SummingSink<Summary>
    {
        public override void Write(in Batch<Summary> batch)
        {
            double sum = Sum;
            foreach (ref readonly var s in batch.Events)
            {
                sum += s.Count + s.Average;
            }

            Count += batch.Length;
            Sum = sum;
        }
    }
}
