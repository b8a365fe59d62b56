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

    /// <summary>A group for each device, which scans its events into one state that says when a session has closed.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;

        // Rx has no event time: that the events are over, each device is told by an event behind all others.
        var ends = Enumerable.Range(0, data.Devices).Select(device => new Reading { DeviceId = device, Ts = long.MaxValue }).ToArray();
        new ArrayObservable<Reading>(data.Events, count).Concat(new ArrayObservable<Reading>(ends, ends.Length))
            .GroupBy(static r => r.DeviceId, data.Devices)
            .SelectMany(static device => device
                .Scan(new DeviceSession(), static (session, r) => session.Add(in r))
                .Where(static session => session.ClosedCount > 0)
                .Select(static session => (Count: session.ClosedCount, session.Average)))
            .Subscribe(s =>
            {
                results++;
                sum += s.Count + s.Average;
            }).Dispose();
        return new Outcome(results, sum);
    }

    /// <summary>
    /// A session is closed as soon as its gap is over, as by the query, and not when its device sends again. The queue of what may be over is a ring of
    /// times and devices, one for each event, read a gap behind: what has moved since is passed over.
    /// </summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var cells = new Cell[devices];
        var ring = new Entry[1024];
        int first = 0, next = 0;
        long results = 0;
        double sum = 0;
        foreach (ref readonly var r in events)
        {
            for (long over = r.Ts - Gap; first < next && ring[first & (ring.Length - 1)].Ts <= over; first++)
            {
                ref readonly var entry = ref ring[first & (ring.Length - 1)];
                ref var last = ref cells[entry.DeviceId];
                if (last.Last == entry.Ts && last.Count > 0)
                {
                    results++;
                    sum += last.Count + (last.Sum / last.Count);
                    last.Count = 0;
                    last.Sum = 0;
                }
            }

            if (next - first == ring.Length)
            {
                Grow(ref ring, ref first, ref next);
            }

            ring[next++ & (ring.Length - 1)] = new Entry(r.Ts, r.DeviceId);
            ref var cell = ref cells[r.DeviceId];
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

    private static void Grow(ref Entry[] ring, ref int first, ref int next)
    {
        var grown = new Entry[ring.Length * 2];
        for (int i = 0; i < ring.Length; i++)
        {
            grown[i] = ring[(first + i) & (ring.Length - 1)];
        }

        (ring, first, next) = (grown, 0, ring.Length);
    }

    private readonly record struct Entry(long Ts, int DeviceId);

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

    private sealed class DeviceSession
    {
        private Cell _cell;

        internal long ClosedCount { get; private set; }

        internal double Average { get; private set; }

        internal DeviceSession Add(in Reading r)
        {
            ClosedCount = 0;
            if (r.Ts - _cell.Last >= Gap && _cell.Count > 0)
            {
                (ClosedCount, Average) = (_cell.Count, _cell.Sum / _cell.Count);
                _cell = default;
            }

            _cell.Last = r.Ts;
            _cell.Count++;
            _cell.Sum += r.Value;
            return this;
        }
    }
}
