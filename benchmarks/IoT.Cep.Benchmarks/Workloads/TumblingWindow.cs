using System.Reactive.Linq;
using System.Runtime.CompilerServices;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>W2: windows of a second, for each device count, average and maximum; their sum over all results is compared.</summary>
internal static class TumblingWindow
{
    private const long Second = 1_000_000;

    internal static Workload Make(ReadingData data) => new(
        "W2", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new Sink())),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    /// <summary>The same where each device keeps a time of its own; measured against the ordinary query in the place of a peer.</summary>
    internal static Workload MakePerKey(ReadingData data) => new(
        "keys", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, PerKey, new Sink())),
        new Contender("W2", count => QueryRun.Of(data, count, Query, new Sink())),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    private static IEventStream<Summary> PerKey(IEventStream<Reading> readings) => Summaries(ByDevice(readings).TimelinePerKey());

    internal static IEventStream<Summary> Query(IEventStream<Reading> readings) => Summaries(ByDevice(readings));

    // One lambda for both queries: where two take turns in a process, the compiler guesses one of them for the other's loop as well, and which one is luck.
    private static IKeyedStream<int, Reading> ByDevice(IEventStream<Reading> readings) => readings.KeyBy(r => r.DeviceId);

    private static IEventStream<Summary> Summaries(IKeyedStream<int, Reading> devices) => devices
        .Window(Window.Tumbling(TimeSpan.FromSeconds(1)))
        .Select(w => new Summary(w.Key, w.Start, w.Count(), w.Average(r => r.Value), w.Max(r => r.Value)));

    /// <summary>A group for each device, which scans its events into one state that says when a window has closed.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;

        // Rx has no event time: that the events are over, each device is told by an event behind all others.
        var ends = Enumerable.Range(0, data.Devices).Select(device => new Reading { DeviceId = device, Ts = long.MaxValue }).ToArray();
        new ArrayObservable<Reading>(data.Events, count).Concat(new ArrayObservable<Reading>(ends, ends.Length))
            .GroupBy(r => r.DeviceId, data.Devices)
            .SelectMany(device => device
                .Scan(new DeviceWindow(device.Key), static (window, r) => window.Add(in r))
                .Where(static window => window.HasClosed)
                .Select(static window => window.Closed))
            .Subscribe(s =>
            {
                results++;
                sum += s.Count + s.Average + s.Max;
            }).Dispose();
        return new Outcome(results, sum);
    }

    internal static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var cells = new Cell[devices];
        var total = default(Outcome);
        long end = Second;
        foreach (ref readonly var r in events)
        {
            if (r.Ts >= end)
            {
                Flush(cells, ref total);
                end = ((r.Ts / Second) + 1) * Second;
            }

            cells[r.DeviceId].Add(r.Value);
        }

        Flush(cells, ref total);
        return total;
    }

    internal static void Flush(Span<Cell> cells, ref Outcome total)
    {
        (long count, double sum) = total;
        foreach (ref var cell in cells)
        {
            if (cell.Count > 0)
            {
                count++;
                sum += cell.Count + (cell.Sum / cell.Count) + cell.Max;
                cell = default;
            }
        }

        total = new Outcome(count, sum);
    }

    internal struct Cell
    {
        internal long Count;
        internal double Sum;
        internal double Max;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Add(double value)
        {
            if (Count++ == 0)
            {
                Sum = Max = value;
                return;
            }

            Sum += value;
            if (value > Max)
            {
                Max = value;
            }
        }
    }

    internal readonly record struct Summary(int DeviceId, DateTimeOffset Start, long Count, double Average, double Max);

    internal sealed class Sink : SummingSink<Summary>
    {
        public override void Write(in Batch<Summary> batch)
        {
            double sum = Sum;
            foreach (ref readonly var s in batch.Events)
            {
                sum += s.Count + s.Average + s.Max;
            }

            Count += batch.Length;
            Sum = sum;
        }
    }

    private sealed class DeviceWindow(int device)
    {
        private long _start;
        private Cell _cell;

        internal bool HasClosed { get; private set; }

        internal Summary Closed { get; private set; }

        internal DeviceWindow Add(in Reading r)
        {
            HasClosed = false;
            if (r.Ts >= _start + Second)
            {
                if (_cell.Count > 0)
                {
                    HasClosed = true;
                    Closed = new Summary(
                        device, DateTimeOffset.UnixEpoch.AddMicroseconds(_start), _cell.Count, _cell.Sum / _cell.Count, _cell.Max);
                }

                _start = r.Ts / Second * Second;
                _cell = default;
            }

            _cell.Sum += r.Value;
            _cell.Max = _cell.Count++ == 0 || r.Value > _cell.Max ? r.Value : _cell.Max;
            return this;
        }
    }
}
