using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Several patterns in one pass, callbacks, and a match as the input of the next pattern.</summary>
public class SeveralPatternsTests
{
    private static readonly Pattern<Sign> _ab = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, B).Within(Seconds(60));
    private static readonly Pattern<Sign> _ac = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => C(s)).Within(Seconds(60));
    private static readonly Pattern<Sign> _absent = Pattern.Begin<Sign>(out _, A).NotFollowedBy(B).Within(Seconds(10));

    [Fact]
    public void Variant_tells_which_pattern_matched() => Rows("a1 b2 c3 a4").Through(s => s.KeyBy(x => x.Key).Match([_ab, _ac, _absent]).Where(m => m.First.Key == 'x').Select(m => $"{m.Variant}: {Text(m)}"))
        .Expect((2, "0: a1 b2"), (3, "1: a1 c3"), (14, "2: a4"));

    [Fact]
    public void Condition_of_several_patterns_is_asked_once_an_event()
    {
        int asked = 0;
        bool IsA(Sign sign)
        {
            asked++;
            return A(sign);
        }

        Func<Sign, bool> a = IsA;
        var input = new Input<Sign>();
        var patterns = new[] { B, C, D, N, (Func<Sign, bool>)A }.Select(next => Pattern.Begin(out _, a).FollowedBy(out _, next).FollowedBy(out _, a).Within(Seconds(60))).ToArray();
        using var run = new PlanRun<Sign, Match<Sign>>(input, input.ToStream().KeyBy(s => s.Key).Match(patterns).Node, shards: 1);
        run.Push([.. Enumerable.Range(0, 100).Select(i => new Sign("xyz"[i % 3], "abcdn"[i % 5], i))], [.. Enumerable.Range(0, 100).Select(i => TicksAt(i))]);
        run.Advance(TicksAt(100));
        Assert.Equal(100, asked);
        Assert.NotEmpty(run.Sink.Results);
    }

    [Fact]
    public void Conditions_that_capture_different_values_are_different() => Rows("a1 a2 a3", "x").Through(s => s.KeyBy(x => x.Key)
        .Match([.. Enumerable.Range(1, 3).Select(n => Pattern.Begin<Sign>(out _, x => x.Number == (2 * n) - 1))]).Select(m => $"{m.Variant} {Text(m)}")).Expect((1, "0 a1"), (3, "1 a3"));

    [Fact]
    public void More_patterns_than_a_word_has_bits_match_as_each_would_alone()
    {
        var patterns = Enumerable.Range(0, 130).Select(n => Pattern.Begin<Sign>(out _, x => x.Number == n).FollowedBy(out _, x => x.Number == n + 1).Within(Seconds(60))).ToArray();
        var outcome = Rows(string.Join(' ', Enumerable.Range(0, 20).Select(i => $"a{i * 7 % 131} a{(i * 7 % 131) + 1}")), "x")
            .Through(s => s.KeyBy(x => x.Key).Match(patterns).Select(m => (m.Variant, m.First.Number))).WithoutSaving().Run();
        Assert.Null(outcome.Error);
        Assert.True(outcome.Rows.Count >= 19);
        Assert.All(outcome.Rows, row => Assert.Equal(row.Value.Variant, row.Value.Number));
    }

    [Fact]
    public void Callback_makes_of_a_match_what_is_needed()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).FollowedBy(out var many, Times.Exactly(2), B).Within(Seconds(60));
        foreach (bool isRuns in new[] { false, true })
        {
            var what = isRuns ? pattern.AfterMatch(After.ToNext) : pattern;
            Rows("a1 b2 b3", "x").Through(s => s.KeyBy(x => x.Key).Match(what, m => $"{m[a]} {m[many].First} {m[many].Last} {m[many].Sum(b => b.Number)} {m.Count} {m.Elapsed.Seconds}"))
                .Expect((3, "a1 b2 b3 5 3 2"));
        }
    }

    [Fact]
    public void Callback_that_throws_loses_that_result_alone()
    {
        foreach (var pattern in new[] { _ab, _ac.FollowedBy(out _, B), _ab.AfterMatch(After.ToNext) })
        {
            var outcome = Rows("a1 a2 a3 c4 b5 a6 c7 b8", "x").Through(s => s.KeyBy(x => x.Key)
                .Match(pattern, m => m.First.Number == 2 ? throw new FormatException("bad") : m.First.Number)).Skipping().Run();
            Assert.Equal([1, 3, 6], outcome.Rows.Select(row => row.Value));
            Assert.Single(outcome.DeadLetters);
        }
    }

    [Fact]
    public void Callback_that_throws_stops_the_query_where_that_is_its_policy() => Assert.IsType<FormatException>(
        Rows("a1 b2", "x").Through(s => s.KeyBy(x => x.Key).Match(_ab, m => m.Count == 2 ? throw new FormatException("bad") : 0)).ExpectError().InnerException);

    [Fact]
    [Trait("Requirement", "R119")]
    public void Match_is_the_input_of_the_next_pattern()
    {
        var pair = Pattern.Begin<Sign>(out var a, A).Next(out var b, B).Within(Seconds(60));
        var rising = Pattern.Begin<Match<Sign>>(out var first, m => m[a].Number > 0).FollowedBy(out var second, (m, p) => m[b].Number > p[first][b].Number).Within(Seconds(60));
        Rows("a1 b2 a3 b1 n5 a6 b7").Through(s => s.KeyBy(x => x.Key).Match(pair).KeyBy(m => m.First.Key).Match(rising)
            .Where(m => m[first][a].Key == 'y').Select(m => $"{m[first][a]}{m[first][b]} {m[second][a]}{m[second][b]}"))
            .ExpectSet((7, "a1b2 a6b7"), (7, "a3b1 a6b7"));
    }

    [Fact]
    public void Match_of_one_of_several_patterns_is_the_input_of_the_next_pattern()
    {
        var both = Pattern.Begin<Match<Sign>>(out _, m => m.Variant == 0).FollowedBy(out _, m => m.Variant == 1).Within(Seconds(60));
        Rows("a1 b2 c3", "x").Through(s => s.KeyBy(x => x.Key).Match([_ab, _ac]).Match(both).Select(m => $"{Text(m.First)}, {Text(m.Last)}")).Expect((3, "a1 b2, a1 c3"));
    }

    [Fact]
    public void Patterns_that_read_alike_keep_their_own_handles_in_saved_state()
    {
        Pattern<Sign> Make(out Step<Sign> step, out Step<Sign> next) => Pattern.Begin(out step, A).Next(out next, B).Within(Seconds(60));
        var one = Make(out var a1, out var b1);
        var other = Make(out var a2, out var b2);
        var pairs = Pattern.Begin<Match<Sign>>(out _, m => m.Has(a1) || m.Has(a2)).FollowedBy(out _, m => m.Has(b1) || m.Has(b2)).Within(Seconds(60));
        Rows("a1 b2 a3 b4", "x").Through(s => s.KeyBy(x => x.Key).Match([one, other]).Match(pairs)
            .Select(m => $"{m.First.Variant}{m.First.Has(a1)}{m.First.Has(b2)} {m.Last.Variant}{m.Last.Has(a1)}{m.Last.Has(b2)}"))
            .ExpectSet((2, "0TrueFalse 1FalseTrue"), (4, "0TrueFalse 1FalseTrue"), (4, "1FalseTrue 0TrueFalse"));
    }
}
