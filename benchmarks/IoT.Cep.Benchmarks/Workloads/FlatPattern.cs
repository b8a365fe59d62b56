using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// A sequence in which any events may stand between two steps, over all events alike, whose last step never comes: partial matches multiply with the window,
/// and what an event costs must not. One event in ten is of each step.
/// </summary>
internal static class FlatPattern
{
    // The data have an event every 10 microseconds.
    private const long TicksPerEvent = 100;
    private const int MaxPartialMatches = 10_000_000;

    internal static Workload Make(string name, ReadingData data, int steps, int window) => new(
        name, data.Events.Length,
        new Contender("IoT.Cep", count => Cep(data, count, steps, window)),
        null,
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), steps, window))));

    private static QueryRun Cep(ReadingData data, int count, int steps, int window)
    {
        var pattern = Pattern.Begin<Reading>(out var first, r => r.Value < 10);
        for (int i = 1; i < steps - 1; i++)
        {
            double low = i * 10.0;
            pattern = pattern.FollowedByAny(out _, r => r.Value >= low && r.Value < low + 10);
        }

        var query = pattern.FollowedByAny(out var last, r => r.Value < 0).Within(TimeSpan.FromTicks(window * TicksPerEvent));
        return QueryRun.Of(data, count, readings => readings.Match(query, MaxPartialMatches), new TwoStepPattern.Sink(first, last));
    }

    /// <summary>Keeps each step's events of the window; the last step would go through them.</summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int steps, int window)
    {
        var kept = new Reading[steps - 1][];
        int[] firsts = new int[steps - 1], ends = new int[steps - 1];
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = new Reading[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)window)];
        }

        long span = window * TicksPerEvent / TimeSpan.TicksPerMicrosecond, results = 0;
        foreach (ref readonly var r in events)
        {
            if (r.Value < 0)
            {
                results++;
                continue;
            }

            int step = (int)(r.Value / 10);
            if (step >= kept.Length)
            {
                continue;
            }

            var ring = kept[step];
            int mask = ring.Length - 1;
            while (firsts[step] != ends[step] && ring[firsts[step] & mask].Ts <= r.Ts - span)
            {
                firsts[step]++;
            }

            ring[ends[step]++ & mask] = r;
        }

        return results == 0 ? new Outcome(0, 0) : throw new InvalidOperationException("No event is of the last step.");
    }
}
