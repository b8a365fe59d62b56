using System.Reactive.Linq;
using System.Runtime.InteropServices;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// W3: windows of ten seconds that begin every second, for each device the average. Windows that reach beyond the data on either side don't count:
/// each contender leaves them out of its sum.
/// </summary>
internal static class HoppingWindow
{
    private const long Second = 1_000_000;
    private const int Hops = 10;

    internal static Workload Make(ReadingData data) => new(
        "W3", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new Sink(data.Events[count - 1].Ts))),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    internal static IEventStream<Average> Query(IEventStream<Reading> readings) => readings
        .KeyBy(r => r.DeviceId)
        .Window(Window.Hopping(TimeSpan.FromSeconds(Hops), TimeSpan.FromSeconds(1)))
        .Select(w => new Average(w.Key, w.Start, w.Average(r => r.Value)));

    /// <summary>A group for each device, which scans its events into the last ten seconds and gives the windows that an event closes.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;
        long end = data.Events[count - 1].Ts;

        // Rx has no event time: that the last window is over, each device is told by an event behind it.
        var ends = Enumerable.Range(0, data.Devices).Select(device => new Reading { DeviceId = device, Ts = end }).ToArray();
        new ArrayObservable<Reading>(data.Events, count).Concat(new ArrayObservable<Reading>(ends, ends.Length))
            .Select(r => (Pane: r.Ts / Second, Reading: r))
            .GroupBy(r => r.Reading.DeviceId, data.Devices)
            .SelectMany(device => device
                .Scan(new DevicePanes(), static (panes, r) => panes.Add(r.Pane, r.Reading.Value))
                .SelectMany(static panes => panes.Closed))
            .Where(window => window.Start >= 0 && (window.Start + Hops) * Second <= end)
            .Subscribe(window =>
            {
                results++;
                sum += window.Average;
            }).Dispose();
        return new Outcome(results, sum);
    }

    /// <summary>An average can be taken back: a device's running sum gains the last second and loses the one that leaves the window.</summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var current = new Cell[devices];
        var running = new Cell[devices];
        var panes = new Cell[Hops][];
        for (int i = 0; i < Hops; i++)
        {
            panes[i] = new Cell[devices];
        }

        var total = default(Outcome);
        long end = Second;
        foreach (ref readonly var r in events)
        {
            while (r.Ts >= end)
            {
                Slide(current, running, panes[end / Second % Hops], isComplete: end >= Hops * Second, ref total);
                end += Second;
            }

            ref var cell = ref current[r.DeviceId];
            cell.Sum += r.Value;
            cell.Count++;
        }

        return total;
    }

    private static void Slide(Span<Cell> current, Span<Cell> running, Span<Cell> oldest, bool isComplete, ref Outcome total)
    {
        (long count, double sum) = total;
        running = running[..current.Length];
        oldest = oldest[..current.Length];
        for (int i = 0; i < current.Length; i++)
        {
            ref var window = ref running[i];
            window.Sum += current[i].Sum - oldest[i].Sum;
            window.Count += current[i].Count - oldest[i].Count;
            oldest[i] = current[i];
            current[i] = default;
            if (isComplete && window.Count > 0)
            {
                count++;
                sum += window.Sum / window.Count;
            }
        }

        total = new Outcome(count, sum);
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Cell
    {
        internal double Sum;
        internal long Count;
    }

    internal readonly record struct Average(int DeviceId, DateTimeOffset Start, double Value);

    /// <summary>Sums the windows that lie within the data.</summary>
    internal sealed class Sink(long lastMicros) : SummingSink<Average>
    {
        private readonly DateTimeOffset _last = DateTimeOffset.UnixEpoch.AddMicroseconds(lastMicros).AddSeconds(-Hops);

        public override void Write(in Batch<Average> batch)
        {
            (double sum, long count) = (Sum, Count);
            foreach (ref readonly var window in batch.Events)
            {
                if (window.Start >= DateTimeOffset.UnixEpoch && window.Start <= _last)
                {
                    sum += window.Value;
                    count++;
                }
            }

            (Sum, Count) = (sum, count);
        }
    }

    /// <summary>A device's last ten seconds; the windows that an event closes are given with it.</summary>
    private sealed class DevicePanes
    {
        private readonly Cell[] _panes = new Cell[Hops];
        private readonly List<(long Start, double Average)> _closed = [];
        private long _pane;

        internal IEnumerable<(long Start, double Average)> Closed => _closed;

        internal DevicePanes Add(long pane, double value)
        {
            _closed.Clear();
            for (; _pane < pane; _pane++)
            {
                var window = default(Cell);
                foreach (ref readonly var cell in _panes.AsSpan())
                {
                    window.Sum += cell.Sum;
                    window.Count += cell.Count;
                }

                if (window.Count > 0)
                {
                    _closed.Add((_pane - Hops + 1, window.Sum / window.Count));
                }

                _panes[(_pane + 1) % Hops] = default;
            }

            _panes[pane % Hops].Sum += value;
            _panes[pane % Hops].Count++;
            return this;
        }
    }
}
