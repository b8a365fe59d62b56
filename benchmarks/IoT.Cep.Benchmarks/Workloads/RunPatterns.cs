using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>Patterns whose conditions look at the match so far, so each partial match has to be asked about each event of its device.</summary>
internal static class RunPatterns
{
    private const long Second = 1_000_000;

    // An event of 24 bytes, its time and two numbers; the array's header and length.
    private const double BytesPerEvent = 40;
    private const double BytesPerMatch = 24;

    /// <summary>An A, then the next event of its device that is less by 85.</summary>
    internal static Workload MakeCorrelated(ReadingData data) => new(
        "correlated", data.Events.Length,
        new Contender("IoT.Cep", count => Correlated(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => CorrelatedByHand(data.Events.AsSpan(0, count), data.Devices))),
        outcome => outcome.Count * ((2 * BytesPerEvent) + BytesPerMatch));

    /// <summary>An A, then low events as long as those before them add up to less than 60, each of which may be the last before a high one.</summary>
    internal static Workload MakeKleene(ReadingData data) => new(
        "kleene", data.Events.Length,
        new Contender("IoT.Cep", count => Kleene(data, count)),
        null,
        new Contender("hand", count => Prepared.Of(() => KleeneByHand(data.Events.AsSpan(0, count), data.Devices))));

    private static QueryRun Correlated(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out var high, r => r.Value > 90)
            .FollowedBy(out _, (r, m) => r.Value < m[high].Value - 85)
            .Within(TimeSpan.FromSeconds(1));
        return QueryRun.Of(data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern), new DevicePatterns.Sink());
    }

    private static QueryRun Kleene(ReadingData data, int count)
    {
        var pattern = Pattern.Begin<Reading>(out var first, r => r.Value > 90)
            .FollowedBy(out _, Times.OneOrMore, (r, m) => r.Value < 40 && m.Taken.Sum(taken => taken.Value) < 60)
            .FollowedBy(out var last, r => r.Value >= 70 && r.Value <= 90)
            .Within(TimeSpan.FromSeconds(1));
        return QueryRun.Of(
            data, count, readings => readings.KeyBy(r => r.DeviceId).Match(pattern, m => (m[last].Ts - m[first].Ts) * 1e-6), new DevicePatterns.SecondsSink());
    }

    private static Outcome CorrelatedByHand(ReadOnlySpan<Reading> events, int devices)
    {
        var all = new Open[devices];
        long results = 0, between = 0;
        foreach (ref readonly var r in events)
        {
            ref var open = ref all[r.DeviceId];
            if (r.Value > 90)
            {
                open.Add(new Run { Start = r.Ts, Value = r.Value });
            }
            else if (r.Value < 15 && open.Count > 0)
            {
                int kept = 0;
                foreach (ref var run in open.Runs.AsSpan(0, open.Count))
                {
                    if (run.Start <= r.Ts - Second)
                    {
                        continue;
                    }

                    if (r.Value < run.Value - 85)
                    {
                        results++;
                        between += r.Ts - run.Start;
                    }
                    else
                    {
                        open.Runs![kept++] = run;
                    }
                }

                open.Count = kept;
            }
        }

        return new Outcome(results, between * 1e-6);
    }

    /// <summary>Of each A: what the low events behind it add up to, and after how many of them a high one is still waited for.</summary>
    private static Outcome KleeneByHand(ReadOnlySpan<Reading> events, int devices)
    {
        var all = new Open[devices];
        long results = 0, between = 0;
        foreach (ref readonly var r in events)
        {
            ref var open = ref all[r.DeviceId];
            if (r.Value > 90)
            {
                open.Add(new Run { Start = r.Ts });
            }
            else if (r.Value is < 40 or >= 70 && open.Count > 0)
            {
                int kept = 0;
                foreach (var each in open.Runs.AsSpan(0, open.Count))
                {
                    var run = each;
                    if (run.Start <= r.Ts - Second)
                    {
                        continue;
                    }

                    if (r.Value >= 70)
                    {
                        results += run.Waiting;
                        between += run.Waiting * (r.Ts - run.Start);
                        run.Waiting = 0;
                    }
                    else if (run.Value < 60)
                    {
                        run.Value += r.Value;
                        run.Waiting++;
                    }

                    open.Runs![kept++] = run;
                }

                open.Count = kept;
            }
        }

        return new Outcome(results, between * 1e-6);
    }

    private struct Run
    {
        internal long Start;
        internal double Value;
        internal int Waiting;
    }

    private struct Open
    {
        internal Run[]? Runs;
        internal int Count;

        internal void Add(in Run run)
        {
            Runs ??= new Run[8];
            if (Count == Runs.Length)
            {
                int kept = 0;
                foreach (var each in Runs)
                {
                    Runs[kept] = each;
                    kept += each.Start > run.Start - Second ? 1 : 0;
                }

                Count = kept;
                if (kept > Runs.Length / 2)
                {
                    Array.Resize(ref Runs, Runs.Length * 2);
                }
            }

            Runs[Count++] = run;
        }
    }
}
