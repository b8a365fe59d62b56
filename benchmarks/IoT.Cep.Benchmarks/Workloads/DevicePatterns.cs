using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>Patterns over each device's events; the seconds between a match's first and last event are summed.</summary>
internal static class DevicePatterns
{
    private const long Second = 1_000_000;

    // An event of 24 bytes, its time and two numbers; the array's header and length.
    private const double BytesPerEvent = 40;
    private const double BytesPerMatch = 24;

    /// <summary>W6 with a callback: nothing is allocated for a match.</summary>
    internal static Workload MakeCallback(ReadingData data) => new(
        "callback", data.Events.Length,
        new Contender("IoT.Cep", count => Callback(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => Steps(data.Events.AsSpan(0, count), data.Devices, Second, static r => r.Value > 90 ? 0 : r.Value < 10 ? 1 : -1, 2, -1))));

    /// <summary>An A, then the next C less than a second later with no B in between.</summary>
    internal static Workload MakeNegation(ReadingData data) => new(
        "negation", data.Events.Length,
        new Contender("IoT.Cep", count => Negation(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => Steps(
            data.Events.AsSpan(0, count), data.Devices, Second, static r => r.Value > 90 ? 0 : r.Value < 10 ? 1 : r.Value >= 45 && r.Value < 55 ? 2 : -1, 2, 2))),
        outcome => outcome.Count * ((2 * BytesPerEvent) + BytesPerMatch));

    /// <summary>Eight steps within ten seconds: one of eight kinds of event after the other, whatever stands in between.</summary>
    internal static Workload MakeSteps(ReadingData data) => new(
        "steps8", data.Events.Length,
        new Contender("IoT.Cep", count => EightSteps(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => Steps(data.Events.AsSpan(0, count), data.Devices, 10 * Second, static r => (int)(r.Value / 12.5), 8, -1))),
        outcome => outcome.Count * ((8 * BytesPerEvent) + BytesPerMatch));

    /// <summary>A hundred patterns at once: an A of each one's own, and a B that all of them have.</summary>
    internal static Workload MakeVariants(ReadingData data) => new(
        "variants100", data.Events.Length,
        new Contender("IoT.Cep", count => Variants(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => Steps(
            data.Events.AsSpan(0, count), data.Devices, Second, static r => r.Kind == 1 ? 0 : r.Kind == 0 && r.Value < 40 ? 1 : -1, 2, -1))),
        outcome => outcome.Count * ((2 * BytesPerEvent) + BytesPerMatch));

    private static QueryRun Callback(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out var high, r => r.Value > 90)
            .FollowedBy(out var low, r => r.Value < 10)
            .Within(TimeSpan.FromSeconds(1));
        return QueryRun.Of(
            data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern, m => (m[low].Ts - m[high].Ts) * 1e-6), new SecondsSink());
    }

    private static QueryRun Negation(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out _, r => r.Value > 90)
            .NotFollowedBy(r => r.Value >= 45 && r.Value < 55)
            .FollowedBy(out _, r => r.Value < 10)
            .Within(TimeSpan.FromSeconds(1));
        return QueryRun.Of(data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern), new Sink());
    }

    private static QueryRun EightSteps(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out _, r => r.Value < 12.5)
            .FollowedBy(out _, r => r.Value >= 12.5 && r.Value < 25)
            .FollowedBy(out _, r => r.Value >= 25 && r.Value < 37.5)
            .FollowedBy(out _, r => r.Value >= 37.5 && r.Value < 50)
            .FollowedBy(out _, r => r.Value >= 50 && r.Value < 62.5)
            .FollowedBy(out _, r => r.Value >= 62.5 && r.Value < 75)
            .FollowedBy(out _, r => r.Value >= 75 && r.Value < 87.5)
            .FollowedBy(out _, r => r.Value >= 87.5)
            .Within(TimeSpan.FromSeconds(10));
        return QueryRun.Of(data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern), new Sink());
    }

    private static QueryRun Variants(ReadingData data, int count)
    {
        Func<Reading, bool> ends = r => r.Kind == 0 && r.Value < 40;
        var patterns = new Pattern<Reading>[100];
        for (int i = 0; i < patterns.Length; i++)
        {
            int own = i;
            patterns[i] = Pattern.Begin<Reading>(out _, r => r.Kind == 1 && (int)r.Value == own).FollowedBy(out _, ends).Within(TimeSpan.FromSeconds(1));
        }

        return QueryRun.Of(data, count, readings => readings.KeyBy(r => r.DeviceId).Match(patterns), new Sink());
    }

    /// <summary>
    /// Any number of steps, each of which takes the next event of its kind: all partial matches of a device that wait for one step move on together. So each
    /// device has, for each step, the times at which those began that have taken it.
    /// </summary>
    private static Outcome Steps(ReadOnlySpan<Reading> events, int devices, long span, Func<Reading, int> stepOf, int steps, int ending)
    {
        var waiting = new Starts[devices * (steps - 1)];
        long results = 0, between = 0;
        foreach (ref readonly var r in events)
        {
            int step = stepOf(r);
            if (step < 0)
            {
                continue;
            }

            var own = waiting.AsSpan(r.DeviceId * (steps - 1), steps - 1);
            if (step == 0)
            {
                own[0].Add(r.Ts, r.Ts - span);
            }
            else if (step == ending)
            {
                own[0].Count = 0;
            }
            else if (step == steps - 1)
            {
                foreach (long start in own[^1].Times.AsSpan(0, own[^1].Count))
                {
                    if (r.Ts - start < span)
                    {
                        results++;
                        between += r.Ts - start;
                    }
                }

                own[^1].Count = 0;
            }
            else
            {
                foreach (long start in own[step - 1].Times.AsSpan(0, own[step - 1].Count))
                {
                    if (r.Ts - start < span)
                    {
                        own[step].Add(start, r.Ts - span);
                    }
                }

                own[step - 1].Count = 0;
            }
        }

        return new Outcome(results, between * 1e-6);
    }

    private struct Starts
    {
        internal long[]? Times;
        internal int Count;

        internal void Add(long start, long limit)
        {
            Times ??= new long[8];
            if (Count == Times.Length)
            {
                int kept = 0;
                foreach (long time in Times)
                {
                    Times[kept] = time;
                    kept += time > limit ? 1 : 0;
                }

                Count = kept;
                if (kept > Times.Length / 2)
                {
                    Array.Resize(ref Times, Times.Length * 2);
                }
            }

            Times[Count++] = start;
        }
    }

    internal sealed class Sink : SummingSink<Match<Reading>>
    {
        public override void Write(in Batch<Match<Reading>> batch)
        {
            double sum = Sum;
            foreach (var match in batch.Events)
            {
                sum += (match.Last.Ts - match.First.Ts) * 1e-6;
            }

            Count += batch.Length;
            Sum = sum;
        }
    }

    internal sealed class SecondsSink : SummingSink<double>
    {
        public override void Write(in Batch<double> batch)
        {
            double sum = Sum;
            foreach (double seconds in batch.Events)
            {
                sum += seconds;
            }

            Count += batch.Length;
            Sum = sum;
        }
    }
}
