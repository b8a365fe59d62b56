using System.Reactive.Linq;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// W6: every A (Value above 90), then that device's next B (Value below 10) less than a second later. The seconds between them are summed.
/// </summary>
internal static class TwoStepPattern
{
    private const long Second = 1_000_000;

    // A match holds two events of 24 bytes, two times, two references and the object's header; more is not the match's own.
    private const double BytesPerMatch = 104;

    internal static Workload Make(ReadingData data) => new(
        "W6", data.Events.Length,
        new Contender("IoT.Cep", count => Cep(data, count)),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))),
        outcome => outcome.Count * BytesPerMatch);

    internal static QueryRun Cep(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out var high, r => r.Value > 90)
            .FollowedBy(out var low, r => r.Value < 10)
            .Within(TimeSpan.FromSeconds(1));
        return QueryRun.Of(data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern), new Sink(high, low));
    }

    /// <summary>Rx has no pattern operator; the usual answer is a scan over each device's group.</summary>
    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;
        new ArrayObservable<Reading>(data.Events, count)
            .GroupBy(r => r.DeviceId, data.Devices)
            .SelectMany(static device => device
                .Scan(new DeviceRuns(), static (runs, r) => runs.Add(in r))
                .Where(static runs => runs.Found.Count > 0)
                .SelectMany(static runs => runs.Found))
            .Subscribe(pair =>
            {
                results++;
                sum += (pair.B.Ts - pair.A.Ts) * 1e-6;
            }).Dispose();
        return new Outcome(results, sum);
    }

    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        // Each device has a ring of the times at which an A came: those of more than a second ago are overwritten or passed over.
        const int Ring = 32;
        long[] times = new long[devices * Ring];
        int[] counts = new int[devices];
        long results = 0, between = 0;
        foreach (ref readonly var r in events)
        {
            if (r.Value > 90)
            {
                ref int count = ref counts[r.DeviceId];
                if (count == Ring)
                {
                    count = DropExpired(times.AsSpan(r.DeviceId * Ring, Ring), r.Ts);
                }

                times[(r.DeviceId * Ring) + count++] = r.Ts;
            }
            else if (r.Value < 10)
            {
                ref int count = ref counts[r.DeviceId];
                foreach (long start in times.AsSpan(r.DeviceId * Ring, count))
                {
                    long time = r.Ts - start;
                    if (time < Second)
                    {
                        results++;
                        between += time;
                    }
                }

                count = 0;
            }
        }

        return new Outcome(results, between * 1e-6);
    }

    private static int DropExpired(Span<long> times, long now)
    {
        int kept = 0;
        foreach (long start in times)
        {
            if (now - start < Second)
            {
                times[kept++] = start;
            }
        }

        return kept < times.Length ? kept : throw new InvalidOperationException("More open runs of a device than the ring holds.");
    }

    internal sealed class Sink(Step<Reading> high, Step<Reading> low) : SummingSink<Match<Reading>>
    {
        public override void Write(in Batch<Match<Reading>> batch)
        {
            double sum = Sum;
            foreach (var match in batch.Events)
            {
                sum += (match[low].Ts - match[high].Ts) * 1e-6;
            }

            Count += batch.Length;
            Sum = sum;
        }
    }

    private sealed class DeviceRuns
    {
        private readonly List<Reading> _open = [];

        internal List<(Reading A, Reading B)> Found { get; } = [];

        internal DeviceRuns Add(in Reading r)
        {
            Found.Clear();
            if (r.Value > 90)
            {
                _open.Add(r);
            }
            else if (r.Value < 10)
            {
                foreach (var open in _open)
                {
                    if (r.Ts - open.Ts < Second)
                    {
                        Found.Add((open, r));
                    }
                }

                _open.Clear();
            }

            return this;
        }
    }
}
