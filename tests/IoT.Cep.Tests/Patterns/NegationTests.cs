using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What must not come.</summary>
public class PatternNegationTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out _, A);

    [Fact]
    public void Not_followed_by_ends_a_match_until_the_next_step_has_its_event() => Expect(
        "a1 n2 b3 a4 b5 n6", _a.NotFollowedBy(N).FollowedBy(out _, B).Within(Seconds(60)), "a4 b5");

    [Fact]
    public void Not_followed_by_is_over_when_the_next_step_has_its_event() => Expect(
        "a1 b2 n3 c4", _a.NotFollowedBy(N).FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(60)), "a1 b2 c4");

    [Fact]
    public void Not_next_looks_at_the_next_event_only() => Expect(
        "a1 n2 b3 a4 c5 n6 b7", _a.NotNext(N).FollowedBy(out _, B).Within(Seconds(60)), "a4 b7");

    [Fact]
    public void Event_that_must_not_come_ends_the_match_even_where_the_next_step_would_take_it() => Expect(
        "a1 b9 b2 c3", _a.NotFollowedBy(s => s.Number == 9).FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(60)));

    [Fact]
    public void Not_followed_by_behind_a_repetition_ends_it_as_well() => Expect(
        "a1 b2 n3 b4 c5", _a.FollowedBy(out _, Times.OneOrMore, B).NotFollowedBy(N).FollowedBy(out _, C).Within(Seconds(60)));

    [Fact]
    public void Absence_is_a_match_when_the_time_has_passed() =>
        Assert.Equal([(11, "a1")], Play("a1 b2 a3@12 n4@13", _a.NotFollowedBy(N).Within(Seconds(10))));

    [Fact]
    public void Event_exactly_when_the_time_has_passed_is_too_late_to_prevent_an_absence() =>
        Assert.Equal([(11, "a1")], Play("a1 n9@11", _a.NotFollowedBy(N).Within(Seconds(10))));

    [Fact]
    public void Absence_by_gap_counts_from_the_last_event() =>
        Assert.Equal([(6, "a1 b3")], Play("a1 c2 b3 - - - n9", _a.FollowedBy(out _, B).NotFollowedBy(N).MaxGap(Seconds(3))
            .Within(Seconds(60))));

    [Fact]
    public void Absence_by_gap_needs_no_within() => Expect("a1 - - n4 a5 n6", _a.NotFollowedBy(N).MaxGap(Seconds(2)), "a1");

    [Fact]
    public void Absence_behind_several_steps() => Expect("a1 b2 - - - a6 b7 n8", _a.Next(out _, B).NotFollowedBy(N).Within(Seconds(4)), "a1 b2");

    [Fact]
    public void Not_next_at_the_end_matches_at_another_event()
    {
        Expect("a1 b2 a3 n4 a5", _a.NotNext(N).Within(Seconds(60)), "a1");
        Assert.Equal([(2, "a1")], Play("a1 b2 a3 n4 a5", _a.NotNext(N).Within(Seconds(60))));
    }

    [Fact]
    public void Negation_may_ask_for_what_the_match_has()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).NotFollowedBy((s, m) => s.Number < m[a].Number).FollowedBy(out _, B).Within(Seconds(60));
        Expect("a5 n6 b7 a8 n3 b9", pattern, "a5 b7");
    }

    [Fact]
    public void Negations_can_follow_one_another() => Expect(
        "a1 b2 a3 n4 b5 a6 c7 b8", _a.NotFollowedBy(N).NotFollowedBy(C).FollowedBy(out _, B).Within(Seconds(60)), "a1 b2");

    [Fact]
    public void Absence_behind_a_repetition_is_found_for_each_number() => Expect(
        "a1 b2 b3", _a.FollowedBy(out _, Times.OneOrMore, B).NotFollowedBy(N).Within(Seconds(5)), "a1 b2", "a1 b2 b3");
}
