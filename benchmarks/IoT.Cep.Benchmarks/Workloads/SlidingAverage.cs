using System.Reactive.Linq;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>W4: for each event the average of its device's last second; their sum is compared. Events of one time are in each other's windows.</summary>
internal static class SlidingAverage
{
    private const long Second = 1_000_000;

    internal static Workload Make(ReadingData data) => new(
        "W4", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new SlidingSink())),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    internal static IEventStream<Slid> Query(IEventStream<Reading> readings) => readings
        .KeyBy(r => r.DeviceId)
        .Window(Window.Sliding(TimeSpan.FromSeconds(1)))
        .Select(w => new Slid(w.Key, w.Average(r => r.Value)));

    /// <summary>A group for each device, whose events are scanned into a queue; equal results of one time come out once with their number.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;
        var ends = Enumerable.Range(0, data.Devices).Select(device => new Reading { DeviceId = device, Ts = long.MaxValue }).ToArray();
        new ArrayObservable<Reading>(data.Events, count).Concat(new ArrayObservable<Reading>(ends, ends.Length))
            .GroupBy(r => r.DeviceId, data.Devices)
            .SelectMany(device => device
                .Scan(new DeviceWindow(), static (window, r) => window.Add(in r))
                .Where(static window => window.Passed > 0)
                .Select(static window => (window.Passed, window.Average)))
            .Subscribe(s =>
            {
                results += s.Passed;
                sum += s.Average * s.Passed;
            }).Dispose();
        return new Outcome(results, sum);
    }

    /// <summary>
    /// The window of all devices is a ring of what is needed of its events, in order of time: an event is added to its device's sum when it comes, and
    /// subtracted when it leaves. Its result is given when time goes on, as peers of it may follow.
    /// </summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var cells = new Cell[devices];
        var ring = new Held[1024];
        double sum = 0;
        int first = 0, waiting = 0, end = 0;
        for (int i = 0; i < events.Length;)
        {
            long ts = events[i].Ts;
            for (; first != end && ring[first & (ring.Length - 1)].Ts <= ts - Second; first++)
            {
                ref var left = ref ring[first & (ring.Length - 1)];
                ref var cell = ref cells[left.Device];
                cell.Sum -= left.Value;
                cell.Count--;
            }

            for (; i < events.Length && events[i].Ts == ts; i++)
            {
                ref readonly var e = ref events[i];
                ref var cell = ref cells[e.DeviceId];
                cell.Sum += e.Value;
                cell.Count++;
                if (end - first == ring.Length)
                {
                    ring = Larger(ring, first, end);
                }

                ring[end++ & (ring.Length - 1)] = new Held { Ts = ts, Value = e.Value, Device = e.DeviceId };
            }

            for (; waiting != end; waiting++)
            {
                ref var cell = ref cells[ring[waiting & (ring.Length - 1)].Device];
                sum += cell.Sum / cell.Count;
            }
        }

        return new Outcome(events.Length, sum);
    }

    private static Held[] Larger(Held[] ring, int first, int end)
    {
        var larger = new Held[ring.Length * 2];
        for (int at = first; at != end; at++)
        {
            larger[at & (larger.Length - 1)] = ring[at & (ring.Length - 1)];
        }

        return larger;
    }

    private struct Held
    {
        internal long Ts;
        internal double Value;
        internal int Device;
    }

    private struct Cell
    {
        internal double Sum;
        internal long Count;
    }

    private sealed class DeviceWindow
    {
        private readonly Queue<(long Ts, double Value)> _events = new();
        private long _now;
        private int _waiting;
        private double _sum;

        internal int Passed { get; private set; }

        internal double Average { get; private set; }

        internal DeviceWindow Add(in Reading r)
        {
            Passed = 0;
            if (r.Ts > _now)
            {
                (Passed, Average) = (_waiting, _sum / _events.Count);
                (_waiting, _now) = (0, r.Ts);
                while (_events.TryPeek(out var oldest) && oldest.Ts <= r.Ts - Second)
                {
                    _sum -= _events.Dequeue().Value;
                }
            }

            _events.Enqueue((r.Ts, r.Value));
            _sum += r.Value;
            _waiting++;
            return this;
        }
    }
}

/// <summary>A window's aggregate at an event.</summary>
internal readonly record struct Slid(int DeviceId, double Value);

internal sealed class SlidingSink : SummingSink<Slid>
{
    public override void Write(in Batch<Slid> batch)
    {
        double sum = Sum;
        foreach (ref readonly var s in batch.Events)
        {
            sum += s.Value;
        }

        Count += batch.Length;
        Sum = sum;
    }
}
