using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Within, the gap between neighbours, and what becomes of partial matches whose time is over.</summary>
public class PatternTimeBoundTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out _, A);

    [Fact]
    public void Within_is_counted_from_the_first_event_and_exactly_then_is_too_late()
    {
        Expect("a0 b1@10.5", _a.FollowedBy(out _, B).Within(Seconds(9.5)));
        Expect("a0 b1@10.5", _a.FollowedBy(out _, B).Within(Seconds(9.501)), "a0 b1");
        Expect("a0@5 b1@6 c2@15 a3@15 b4@20 c5@24.9", _a.FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(10)), "a3 b4 c5");
    }

    [Fact]
    public void Gap_is_counted_from_the_event_before_and_exactly_then_is_too_late()
    {
        Expect("a1 - b2 a3 b4", _a.FollowedBy(out _, B).MaxGap(Seconds(2)).Within(Seconds(60)), "a3 b4");
        Expect("a1 - b2", _a.FollowedBy(out _, B).MaxGap(Seconds(2.1)), "a1 b2");
    }

    [Fact]
    public void Gap_of_a_repeated_step_lies_between_each_two() => Expect(
        "a1 - b2 b3 - - b4", _a.FollowedBy(out _, Times.Between(1, 5), B).MaxGap(Seconds(2.5)).Within(Seconds(60)), "a1 b2", "a1 b2 b3");

    [Fact]
    public void Gap_of_a_group_lies_in_front_of_each_round() => Expect(
        "a1 b2 - - - c3 b4 c5 - - - - b6 c7", _a.FollowedBy(out _, Times.Between(1, 3), Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C)).MaxGap(Seconds(3)).Within(Seconds(60)),
        "a1 b2 c3", "a1 b2 c3 b4 c5");

    [Fact]
    public void Gap_of_a_step_behind_an_optional_one_counts_from_the_last_event_that_was_taken() => Expect(
        "a1 n2 c3 a4 b5 c6", _a.FollowedBy(out _, Times.Optional, B).FollowedBy(out _, C).MaxGap(Seconds(1.5)).Within(Seconds(60)), "a1 b5 c6", "a4 b5 c6");

    [Fact]
    public void Timeouts_have_what_the_partial_match_had_and_the_time_at_which_it_was_over()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).FollowedBy(out var b, B).FollowedBy(out var c, C).Within(Seconds(10));
        Timeouts("a1 b2 a3 c4", pattern, (13, "a3 at 13 1 False"));
        Timeouts("a1 b2 a3 - - - - - - - - - c9", pattern, (11, "a1 b2 at 11 2 False"), (13, "a3 at 13 1 False"));

        void Timeouts(string signs, Pattern<Sign> pattern, params (double, string)[] expected) => Rows(signs, "x").Through(s =>
        {
            s.KeyBy(x => x.Key).Match(pattern, out var timeouts);
            return timeouts.Select(t => $"{Text(t.Partial)} at {t.At.ToUnixTimeSeconds()} {t.Partial.Count} {t.Partial.Has(c)}");
        }).Expect(expected);
    }

    [Fact]
    public void Timeout_of_a_gap_is_when_the_gap_was_over() => Rows("a1 b2 n9@30", "x").Through(s =>
    {
        s.Match(_a.FollowedBy(out _, B).FollowedBy(out _, C).MaxGap(Seconds(5)).Within(Seconds(60)), out var timeouts);
        return timeouts.Select(t => $"{Text(t.Partial)} {t.At.ToUnixTimeSeconds()}");
    }).Expect((7, "a1 b2 7"));

    [Fact]
    public void Match_gives_the_same_beside_its_timeouts() => Rows("a1 b2 a3").Through(s => s.KeyBy(x => x.Key).Match(_a.FollowedBy(out _, B).Within(Seconds(10)), out _).Select(m => m.First.Key))
        .ExpectSet((2, 'x'), (2, 'y'), (2, 'z'));

    [Fact]
    public void Partial_match_that_goes_two_ways_times_out_once() => Rows("a1 b2", "x").Through(s =>
    {
        s.Match(_a.FollowedByAny(out _, Times.Between(1, 3), B).AllCombinations().FollowedBy(out _, C).Within(Seconds(10)), out var timeouts);
        return timeouts.Select(t => Text(t.Partial));
    }).ExpectSet((11, "a1"), (11, "a1 b2"));

    [Fact]
    public void Nothing_is_held_when_the_time_is_over()
    {
        foreach (var pattern in new[]
        {
            _a.FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(10)),
            _a.FollowedByAny(out _, Times.OneOrMore, B).AllCombinations().FollowedBy(out _, C).Within(Seconds(10)),
            _a.FollowedBy(out _, B).NotFollowedBy(C).Within(Seconds(10)),
            _a.FollowedBy(out _, (s, m) => B(s)).FollowedBy(out _, D).Within(Seconds(10)),
            _a.FollowedBy(out _, Times.OneOrMore, B).FollowedBy(out _, C).Within(Seconds(10)).AfterMatch(After.ToNext),
            _a.FollowedBy(out _, B).MaxGap(Seconds(5)).FollowedBy(out _, C).MaxGap(Seconds(5)),
        })
        {
            var input = new Input<Sign>();
            using var run = new PlanRun<Sign, Match<Sign>>(input, input.ToStream().KeyBy(s => s.Number).Match(pattern).Node, shards: 1);
            run.Push([.. Enumerable.Range(0, 90).Select(i => new Sign('x', "ab"[i / 45], i % 45))], [.. Enumerable.Range(0, 90).Select(i => TicksAt(i * 0.01))]);
            run.Advance(TicksAt(0.9));
            var holds = run.Plan.Operators.OfType<IHoldsMatches>().Single();
            Assert.Equal(45, holds.Held.Keys);
            Assert.InRange(holds.Held.Events, 45, 90);
            Assert.True(holds.Held is { Open: >= 1, Bytes: > 0 });
            run.Advance(TicksAt(10.89));
            Assert.Equal((0, 0, 0.0), (holds.Held.Keys, holds.Held.Events, holds.Held.Open));
        }
    }
}
