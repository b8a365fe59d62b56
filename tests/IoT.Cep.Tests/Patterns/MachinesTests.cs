using System.Globalization;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Random patterns over random events: sets and runs give the same matches, and hold nothing when time has passed.</summary>
public class MachinesTests
{
    private static readonly Func<Sign, bool>[] _conditions =
        [s => s.Kind == 'a', s => s.Kind == 'b', s => s.Kind == 'c', s => s.Kind is 'a' or 'b', s => s.Kind is 'b' or 'c', s => s.Number % 2 == 0];

    [Fact]
    public void Sets_and_runs_find_the_same_matches()
    {
        int sets = 0, matches = 0;
        for (int seed = 0; seed < 1200; seed++)
        {
            var random = new Random(seed);
            var pattern = Make(random, 3, 0).Within(Seconds(1 + random.Next(8)));
            if (!IsBySets(pattern))
            {
                continue;
            }

            sets++;
            var found = new List<string[]>();
            foreach (bool isRuns in new[] { false, true })
            {
                found.Add(Play(new Random(seed + 1), pattern, isRuns, isSaved: seed % 4 == 0));
            }

            matches += found[0].Length;
            Assert.True(found[0].SequenceEqual(found[1]), string.Create(
                CultureInfo.InvariantCulture, $"Seed {seed}, '{pattern}':\nsets {string.Join(", ", found[0])}\nruns {string.Join(", ", found[1])}"));
        }

        Assert.True(sets > 800 && matches > 5_000, $"{sets} patterns with {matches} matches were looked at.");
    }

    [Fact]
    public void Unions_keep_the_later_start_on_their_left_and_spell_what_is_alive()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var sets = new SharedSets<int>();
            var shape = new PatternShape<int>(Pattern.Begin<int>(out _, x => true).Within(Seconds(1)), new ConditionTable<int>(), new PatternShape<int>[1], 0);
            var spelling = new Spelling<int>(sets, shape);
            var known = new List<(long Set, List<int[]> Matches)>();
            const int Span = 25;
            for (int now = 1; now < 120; now++)
            {
                int limit = now - Span;
                known.RemoveAll(one => !one.Matches.Exists(match => match[0] > limit));
                var before = random.Next(3) > 0 && known.Count > 0 ? known[random.Next(known.Count)] : (SharedSets<int>.None, [[]]);
                var live = before.Matches.Where(match => match is [] || match[0] > limit).ToList();
                long latest = before.Set == SharedSets<int>.None ? now : LatestStart(sets, before.Set);
                known.Add((sets.Take(now, now, 0, before.Set, latest, limit), [.. live.Select(match => (int[])[.. match, now])]));
                if (known.Count > 1 && random.Next(2) == 0)
                {
                    var (one, other) = (known[random.Next(known.Count)], known[random.Next(known.Count)]);
                    if (one.Set != other.Set)
                    {
                        long union = sets.Unite(one.Set, LatestStart(sets, one.Set), other.Set, LatestStart(sets, other.Set), now, limit);
                        var joined = sets.PartsOf(union);
                        Assert.Equal(LatestStart(sets, joined.Left), joined.LatestStart);
                        Assert.True(joined.LatestStart >= joined.RightLatest && LatestStart(sets, joined.Right) == joined.RightLatest);
                        known.Add((union, [.. one.Matches, .. other.Matches]));
                    }
                }

                known.RemoveAll(one => one.Matches.Count > 500);
                sets.Expire(limit);
                foreach (var (set, all) in known)
                {
                    var alive = all.Where(match => match[0] > limit).Select(match => string.Join(' ', match)).Order(StringComparer.Ordinal).ToList();
                    if (alive.Count > 0 && random.Next(8) == 0)
                    {
                        Assert.Equal(alive, Spell(spelling, set, limit).Order(StringComparer.Ordinal));
                    }
                }
            }
        }
    }

    private static long LatestStart(SharedSets<int> sets, long set) =>
        SharedSets<int>.IsTaking(set) ? sets.TakingAt(set).LatestStart : sets.PartsOf(set).LatestStart;

    private static List<string> Spell(Spelling<int> spelling, long set, long limit)
    {
        var found = new List<string>();
        spelling.Begin(new Completed<int> { Set = set, Limit = limit, Label = -1 });
        while (spelling.MoveNext())
        {
            found.Add(string.Join(' ', spelling.ToMatch().Events.ToArray().Select(one => one.Event)));
        }

        return found;
    }

    private static bool IsBySets(Pattern<Sign> pattern)
    {
        try
        {
            return Signs.Match(new Input<Sign>().ToStream().KeyBy(s => s.Key), pattern, isRuns: false).Node.Text.EndsWith("as sets", StringComparison.Ordinal);
        }
        catch (ArgumentException error) when (error.Message.Contains("must not be optional", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private static string[] Play(Random random, Pattern<Sign> pattern, bool isRuns, bool isSaved)
    {
        var input = new Input<Sign>();
        var query = Signs.Match(input.ToStream().KeyBy(s => s.Key), pattern, isRuns).Select(m => $"{m.First.Key}{m}").Node;
        var found = new List<string>();
        var run = new PlanRun<Sign, string>(input, query, shards: 1);
        try
        {
            double time = 0;
            for (int i = 0; i < 40; i++)
            {
                time += random.Next(4) * 0.5;
                run.Push([new Sign("xy"[random.Next(2)], "abcd"[random.Next(4)], i)], [TicksAt(time)]);
                if (random.Next(3) == 0)
                {
                    run.Advance(TicksAt(time - random.Next(2)));
                }

                if (isSaved && random.Next(6) == 0)
                {
                    var state = run.Save();
                    found.AddRange(run.Sink.Results.Select(row => row.Value));
                    run.Dispose();
                    run = new PlanRun<Sign, string>(input, query, shards: 1 + random.Next(3));
                    run.Plan.Load(new Extensibility.StateReader(state));
                }
            }

            run.Advance(TicksAt(time + 100));
            Assert.Null(run.Sink.Error);
            Assert.Equal(0, run.Sink.Query.DiscardedPartialMatches);
            foreach (var holds in run.Plan.Operators.OfType<IHoldsMatches>())
            {
                Assert.Equal((0, 0, 0.0), (holds.Held.Keys, holds.Held.Events, holds.Held.Open));
            }

            found.AddRange(run.Sink.Results.Select(row => row.Value));
        }
        finally
        {
            run.Dispose();
        }

        return [.. found.Order(StringComparer.Ordinal)];
    }

    /// <summary>A pattern of a few steps, whose last one is not a negation.</summary>
    private static Pattern<Sign> Make(Random random, int most, int depth)
    {
        var pattern = First(random, depth);
        for (int i = random.Next(most); i > 0; i--)
        {
            PatternChain<Sign> chain = random.Next(5) switch
            {
                0 => pattern.NotFollowedBy(Condition(random)),
                1 when random.Next(2) == 0 => pattern.NotNext(Condition(random)),
                _ => pattern,
            };
            pattern = Then(random, chain, depth);
        }

        return pattern;
    }

    private static Pattern<Sign> First(Random random, int depth) => random.Next(depth == 0 ? 6 : 3) switch
    {
        0 => Repeat(random, Pattern.Begin(out _, SomeTimes(random), Condition(random))),
        3 => Repeat(random, Pattern.Begin(out _, SomeTimes(random), Make(random, 3, depth + 1)), isGroup: true),
        4 => Pattern.Begin(Pattern.AnyOf(Make(random, 2, depth + 1), Make(random, 2, depth + 1))),
        _ => Pattern.Begin(out Step<Sign> _, Condition(random)),
    };

    private static Pattern<Sign> Then(Random random, PatternChain<Sign> chain, int depth)
    {
        int how = random.Next(3);
        switch (random.Next(depth < 2 ? 8 : 5))
        {
            case 0 or 1:
                var (times, condition) = (SomeTimes(random), Condition(random));
                return Repeat(random, how switch { 0 => chain.Next(out _, times, condition), 1 => chain.FollowedBy(out _, times, condition), _ => chain.FollowedByAny(out _, times, condition) });
            case 2:
                return One(random, chain, how).Or(out _, Condition(random));
            case 3 when depth == 0:
                return One(random, chain, how).And(out _, Condition(random));
            case 5:
                var group = Make(random, 3, depth + 1);
                var groupTimes = SomeTimes(random);
                return Repeat(random, how switch { 0 => chain.Next(out _, groupTimes, group), 1 => chain.FollowedBy(out _, groupTimes, group), _ => chain.FollowedByAny(out _, groupTimes, group) }, isGroup: true);
            case 6:
                var parts = random.Next(2) == 0 ? Pattern.AnyOf(Make(random, 2, depth + 1), Make(random, 2, depth + 1)) : Pattern.AllOf(Make(random, 2, depth + 1), Make(random, 2, depth + 1));
                return how switch { 0 => chain.Next(parts), 1 => chain.FollowedBy(parts), _ => chain.FollowedByAny(parts) };
            default:
                return One(random, chain, how);
        }
    }

    private static Pattern<Sign> One(Random random, PatternChain<Sign> chain, int how) => how switch
    {
        0 => chain.Next(out _, Condition(random)),
        1 => chain.FollowedBy(out _, Condition(random)),
        _ => chain.FollowedByAny(out _, Condition(random)),
    };

    private static RepeatedPattern<Sign> Repeat(Random random, RepeatedPattern<Sign> pattern, bool isGroup = false)
    {
        pattern = random.Next(4) switch { 0 => pattern.Consecutive(), 1 => pattern.AllCombinations(), _ => pattern };
        pattern = random.Next(4) == 0 && !isGroup ? pattern.Greedy() : pattern;
        return random.Next(4) == 0 ? pattern.Until(Condition(random)) : pattern;
    }

    private static Times SomeTimes(Random random) => random.Next(6) switch
    {
        0 => Times.Optional,
        1 => Times.OneOrMore,
        2 => Times.ZeroOrMore,
        3 => Times.Exactly(2),
        4 => Times.Between(2, 3),
        _ => Times.Between(0, 2),
    };

    private static Func<Sign, bool> Condition(Random random) => _conditions[random.Next(_conditions.Length)];
}
