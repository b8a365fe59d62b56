using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Consecutive, all combinations, greedy, until.</summary>
public class RepetitionTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out _, A);

    [Fact]
    public void Repetitions_pass_over_what_the_step_does_not_take() =>
        Expect("a1 b2 n3 b4 c5", _a.FollowedBy(out _, Times.Exactly(2), B).FollowedBy(out _, C).Within(Seconds(60)), "a1 b2 b4 c5");

    [Fact]
    public void Consecutive_repetitions_have_nothing_between_them() => Expect(
        "a1 b2 n3 b4 c5 a6 n7 b8 b9 n10 c11", _a.FollowedBy(out _, Times.Exactly(2), B).Consecutive().FollowedBy(out _, C).Within(Seconds(60)),
        "a6 b8 b9 c11");

    [Fact]
    public void All_combinations_leave_out_what_the_step_could_take() => Expect(
        "a1 b2 b3 b4", _a.FollowedBy(out _, Times.Exactly(2), B).AllCombinations().Within(Seconds(60)), "a1 b2 b3", "a1 b2 b4");

    [Fact]
    public void Followed_by_any_with_all_combinations_is_every_choice() => Expect(
        "a1 b2 b3 b4", _a.FollowedByAny(out _, Times.Exactly(2), B).AllCombinations().Within(Seconds(60)), "a1 b2 b3", "a1 b2 b4", "a1 b3 b4");

    [Fact]
    public void Reluctant_repetition_goes_on_at_each_number() => Expect(
        "a1 b2 b3 c4", _a.FollowedBy(out _, Times.OneOrMore, B).FollowedBy(out _, C).Within(Seconds(60)), "a1 b2 c4", "a1 b2 b3 c4");

    [Fact]
    public void Greedy_repetition_takes_all_that_it_can() => Expect(
        "a1 b2 b3 n4 c5", _a.FollowedBy(out _, Times.OneOrMore, B).Greedy().FollowedBy(out _, C).Within(Seconds(60)), "a1 b2 b3 c5");

    [Fact]
    public void Greedy_optional_step_takes_what_it_can() => Expect(
        "a1 b2 c3 a4 c5", _a.FollowedBy(out _, Times.ZeroOrMore, B).Greedy().FollowedBy(out _, C).Within(Seconds(60)), "a1 b2 c3", "a4 c5");

    [Fact]
    public void Greedy_repetition_gives_no_event_to_the_next_step_that_it_could_take_itself() => Expect(
        "a1 b2 b9 c4", _a.FollowedBy(out _, Times.Between(1, 3), B).Greedy().FollowedBy(out _, s => s.Number == 9 || C(s)).Within(Seconds(60)), "a1 b2 b9 c4");

    [Fact]
    public void Until_ends_the_repetition_and_is_not_taken() => Expect(
        "a1 b2 b3 c4 b5 d6", _a.FollowedBy(out _, Times.OneOrMore, B).Until(C).FollowedBy(out _, D).Within(Seconds(60)), "a1 b2 d6", "a1 b2 b3 d6");

    [Fact]
    public void Until_ends_with_an_event_that_the_step_would_take() => Expect(
        "a1 b2 b9 b3", _a.FollowedBy(out _, Times.OneOrMore, B).Until(s => s.Number == 9).Within(Seconds(60)), "a1 b2");

    [Fact]
    public void Until_before_the_first_repetition_lets_it_begin_later() => Expect(
        "a1 c2 b3 b4 c5 b6", _a.FollowedBy(out _, Times.OneOrMore, B).Until(C).Within(Seconds(60)), "a1 b3", "a1 b3 b4");

    [Fact]
    public void Until_may_ask_for_what_the_match_has()
    {
        var pattern = Pattern.Begin<Sign>(out var first, A).FollowedBy(out _, Times.OneOrMore, B).Until((s, m) => s.Number > m[first].Number).Within(Seconds(60));
        Expect("a5 b1 b2 b6 b3", pattern, "a5 b1", "a5 b1 b2");
    }

    [Fact]
    public void Until_of_a_group_ends_it_within_a_round() => Expect(
        "a1 b2 c3 b4 d5 c6",
        _a.FollowedBy(out _, Times.OneOrMore, Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C)).Until(D).Within(Seconds(60)), "a1 b2 c3");

    [Fact]
    public void Group_cannot_be_greedy()
    {
        var pairs = _a.FollowedBy(out _, Times.OneOrMore, Pattern.Begin<Sign>(out _, B).Next(out _, C));
        Assert.Contains("Say Greedy of a step.", Assert.Throws<InvalidOperationException>(pairs.Greedy).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Consecutive_rising_run_is_found_once_past_its_last_event()
    {
        var rising = Pattern.Begin<Sign>(out var run, Times.AtLeast(3), (s, m) => m.Taken.IsEmpty || s.Number > m.Taken.Last.Number)
            .Consecutive().Within(Seconds(60)).AfterMatch(After.PastLastEvent);
        Expect("a1 a2 a3 a4 a2 a3 a1", rising, m => m[run] is [var low, .., var high] ? $"{low}..{high}" : "?", "a1..a3");
    }

    [Fact]
    public void Thousand_repetitions_are_one_match()
    {
        var pattern = _a.FollowedBy(out var many, Times.Exactly(1000), B).Within(Seconds(5000));
        var rows = Timeline.Of<Sign>().At(0, new Sign('x', 'a', 0));
        for (int i = 1; i <= 1000; i++)
        {
            rows.At(i, new Sign('x', 'b', i));
        }

        rows.End().Through(s => s.Match(pattern, maxPartialMatches: 2000).Select(m => (m[many].Count, m[many].Sum(b => b.Number)))).WithoutSaving().Expect((1000, (1000, 500_500)));
    }
}
