using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What may stand between two steps, and how often a step takes an event.</summary>
public class PatternVerbTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out _, A);

    [Fact]
    public void Next_takes_the_very_next_event() => Expect("a1 b2 a3 c4 b5", _a.Next(out _, B).Within(Seconds(60)), "a1 b2");

    [Fact]
    public void Next_is_the_next_of_its_own_key() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 9).At(3, "a", 2).End()
            .Through(s => s.KeyBy(r => r.Key).Match(Pattern.Begin<Reading>(out _, r => r.Value == 1).Next(out var two, r => r.Value == 2)).Select(m => m[two].Value))
            .Expect((3, 2));

    [Fact]
    public void Followed_by_takes_the_first_and_no_later_one() => Expect("a1 c2 b3 b4", _a.FollowedBy(out _, B).Within(Seconds(60)), "a1 b3");

    [Fact]
    public void Followed_by_any_takes_each_in_turn() => Expect("a1 b2 c3 b4", _a.FollowedByAny(out _, B).Within(Seconds(60)), "a1 b2", "a1 b4");

    [Fact]
    public void Verbs_can_be_mixed() => Expect(
        "a1 b2 c3 b4 c5 d6", _a.FollowedByAny(out _, B).Next(out _, C).FollowedBy(out _, D).Within(Seconds(60)), "a1 b2 c3 d6", "a1 b4 c5 d6");

    [Fact]
    public void Verb_leaves_the_pattern_that_it_is_called_on_as_it_was()
    {
        _ = _a.FollowedBy(out _, B);
        Expect("a1 b2", _a, "a1");
    }

    [Fact]
    public void Optional_step_is_passed_over_or_taken() => Expect(
        "a1 b2 c3 a4 c5", _a.FollowedBy(out var maybe, Times.Optional, B).FollowedBy(out _, C).Within(Seconds(60)),
        m => m[maybe] is [var b] ? $"{Text(m)}, {b}" : $"{Text(m)}, none", "a1 b2 c3, b2", "a1 c3, none", "a4 c5, none");

    [Fact]
    public void Optional_step_behind_next_is_passed_over_at_once() =>
        Expect("a1 c2 a3 b4 c5", _a.Next(out _, Times.Optional, B).Next(out _, C).Within(Seconds(60)), "a1 c2", "a3 b4 c5");

    [Fact]
    public void Optional_step_at_the_beginning_may_be_missing() => Expect(
        "a1 b2", Pattern.Begin<Sign>(out _, Times.Optional, A).FollowedBy(out _, B).Within(Seconds(60)), "a1 b2", "b2");

    [Fact]
    public void Optional_step_at_the_end_gives_both_matches() =>
        Expect("a1 b2 c3", _a.FollowedBy(out _, B).FollowedBy(out _, Times.Optional, C).Within(Seconds(60)), "a1 b2", "a1 b2 c3");

    [Fact]
    public void One_or_more_gives_a_match_for_each_number() =>
        Expect("a1 b2 b3 b4", _a.FollowedBy(out _, Times.OneOrMore, B).Within(Seconds(60)), "a1 b2", "a1 b2 b3", "a1 b2 b3 b4");

    [Fact]
    public void Zero_or_more_matches_without_any() =>
        Expect("a1 b2 b3", _a.FollowedBy(out _, Times.ZeroOrMore, B).Within(Seconds(60)), "a1", "a1 b2", "a1 b2 b3");

    [Fact]
    public void Exactly_takes_so_many() => Expect("a1 b2 b3 b4", _a.FollowedBy(out _, Times.Exactly(2), B).Within(Seconds(60)), "a1 b2 b3");

    [Fact]
    public void At_least_takes_so_many_or_more() =>
        Expect("a1 b2 b3 b4", _a.FollowedBy(out _, Times.AtLeast(2), B).Within(Seconds(60)), "a1 b2 b3", "a1 b2 b3 b4");

    [Fact]
    public void At_most_takes_none_to_so_many() =>
        Expect("a1 b2 b3 b4", _a.FollowedBy(out _, Times.AtMost(2), B).Within(Seconds(60)), "a1", "a1 b2", "a1 b2 b3");

    [Fact]
    public void Between_takes_from_one_number_to_the_other() =>
        Expect("a1 b2 b3 b4 b5", _a.FollowedBy(out _, Times.Between(2, 3), B).Within(Seconds(60)), "a1 b2 b3", "a1 b2 b3 b4");

    [Fact]
    public void Or_none_takes_so_many_or_none() => Expect(
        "a1 b2 c3 a4 b5 b6 c7", _a.Next(out _, Times.Exactly(2).OrNone, B).FollowedBy(out _, C).Within(Seconds(60)), "a1 c3", "a1 b2 b5 c7", "a4 c7", "a4 b5 b6 c7");

    [Fact]
    public void First_step_may_be_repeated() =>
        Expect("a1 a2 b3", Pattern.Begin<Sign>(out _, Times.OneOrMore, A).FollowedBy(out _, B).Within(Seconds(60)), "a1 b3", "a1 a2 b3", "a2 b3");

    [Fact]
    public void Explain_spells_the_pattern_and_says_which_machine_runs_it_and_why()
    {
        var keyed = new Input<Sign>().ToStream().KeyBy(s => s.Key);
        Assert.Equal("Match _ (A) -> _ (B) within 00:01:00 by s => s.Key, as sets", keyed.Match(_a.FollowedBy(out _, B).Within(Seconds(60))).Node.Text);
        Assert.Equal(
            "Match _ (A) ~> many (B){2,} greedy consecutive until (C) within 00:01:00, then PastLastEvent by s => s.Key, as runs: matches drop others",
            keyed.Match(_a.FollowedByAny(out var many, Times.AtLeast(2), B).Greedy().Consecutive().Until(C).Within(Seconds(60)).AfterMatch(After.PastLastEvent)).Node.Text);
        Assert.EndsWith("as runs: a condition asks for what the match has so far", keyed.Match(_a.FollowedBy(out _, (s, m) => m.Count == 1).Within(Seconds(9))).Node.Text, StringComparison.Ordinal);
        Assert.EndsWith("as runs: time between neighbours is limited", keyed.Match(_a.FollowedBy(out _, B).MaxGap(Seconds(1)).Within(Seconds(9))).Node.Text, StringComparison.Ordinal);
        Assert.EndsWith("as runs: the pattern ends in a negation", keyed.Match(_a.NotFollowedBy(B).Within(Seconds(9))).Node.Text, StringComparison.Ordinal);
        Assert.EndsWith("as runs: there is no Within", keyed.Match(_a.Next(out _, B)).Node.Text, StringComparison.Ordinal);
        Assert.EndsWith("as runs: it is remembered why there is no match", keyed.Match(_a.Next(out _, B).Within(Seconds(9)), remember: 5).Node.Text, StringComparison.Ordinal);
        Assert.Equal("Match 2 patterns by s => s.Key, 1 as sets and 1 as runs", keyed.Match([_a, _a.Within(Seconds(9))]).Node.Text);
    }
}
