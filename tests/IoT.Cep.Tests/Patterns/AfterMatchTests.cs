using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What remains after a match.</summary>
public class AfterMatchTests
{
    private const string Some = "a1 a2 b3 a4 b5";
    private static Steps<Sign> _a = null!;
    private static Step<Sign> _b = null!;
    private static readonly Pattern<Sign> _pairs = Pattern.Begin<Sign>(out _a, Times.OneOrMore, A).FollowedBy(out _b, B).Within(Seconds(60));

    [Fact]
    public void No_skip_finds_every_match() => Expect(
        Some, _pairs, "a1 b3", "a1 a2 b3", "a2 b3", "a1 a2 a4 b5", "a2 a4 b5", "a4 b5");

    [Fact]
    public void To_next_gives_one_match_for_each_first_event() => Expect(Some, _pairs.AfterMatch(After.ToNext), "a1 a2 b3", "a2 b3", "a4 b5");

    [Fact]
    public void Past_last_event_gives_matches_that_do_not_overlap() => Expect(Some, _pairs.AfterMatch(After.PastLastEvent), "a1 a2 b3", "a4 b5");

    [Fact]
    public void To_first_drops_what_began_before_the_steps_first_event() =>
        Expect("a1 a2 b3 b4", Pattern.Begin<Sign>(out _, A).FollowedBy(out var b, Times.Exactly(2), B).Within(Seconds(60)).AfterMatch(After.ToFirst(b)), "a1 b3 b4");

    [Fact]
    public void To_last_drops_what_began_before_the_steps_last_event() => Expect(Some, _pairs.AfterMatch(After.ToLast(_a)), "a1 a2 b3", "a2 b3", "a2 a4 b5", "a4 b5");

    [Fact]
    public void Skipping_to_a_step_that_took_nothing_drops_nothing()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var maybe, Times.Optional, C).FollowedBy(out _, B).Within(Seconds(60)).AfterMatch(After.ToFirst(maybe));
        Expect("a1 a2 b3", pattern, "a1 b3", "a2 b3");
    }

    [Fact]
    public void Strict_form_is_an_error_where_the_step_took_nothing()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var maybe, Times.Optional, C).FollowedBy(out _, B).Within(Seconds(60)).AfterMatch(After.ToFirst(maybe).Strict());
        var error = Rows("a1 b2 a3 c4 b5").Through(s => s.KeyBy(x => x.Key).Match(pattern).Select(Text)).ExpectError();
        Assert.IsType<AfterMatchException>(error.InnerException);
        Assert.Contains("can't be skipped from: the step 'maybe' has taken no event.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Strict_form_is_an_error_where_the_match_begins_with_the_step()
    {
        var pattern = Pattern.Begin<Sign>(out var first, A).FollowedBy(out _, B).Within(Seconds(60)).AfterMatch(After.ToLast(first).Strict());
        var error = Rows("a1 b2").Through(s => s.KeyBy(x => x.Key).Match(pattern).Select(Text)).ExpectError();
        Assert.Contains("the step 'first' took its first event, where the match began.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Strict_error_loses_that_match_alone_where_errors_are_skipped()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var maybe, Times.Optional, C).FollowedBy(out _, B).Within(Seconds(60)).AfterMatch(After.ToFirst(maybe).Strict());
        var outcome = Rows("a1 b2 a3 c4 b5", "x").Through(s => s.KeyBy(x => x.Key).Match(pattern).Select(Text)).Skipping().Run();
        Assert.Null(outcome.Error);
        Assert.Equal(["a1 c4 b5"], outcome.Rows.Select(row => row.Value));
        Assert.Single(outcome.DeadLetters);
    }

    [Fact]
    public void Match_waits_until_none_that_began_earlier_is_open()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => s.Number == m.First.Number * 10).Within(Seconds(10)).AfterMatch(After.ToNext);
        Assert.Equal([(4, "a1 b10"), (4, "a2 b20")], Play("a1 a2 b20 b10", pattern));
        Assert.Equal([(11, "a2 b20")], Play("a1 a2 b20", pattern));
    }

    [Fact]
    public void Step_of_another_pattern_is_refused()
    {
        Pattern.Begin<Sign>(out var other, A);
        Assert.Equal("after", Assert.Throws<ArgumentException>(() => _pairs.AfterMatch(After.ToFirst(other))).ParamName);
        Assert.Throws<InvalidOperationException>(After.PastLastEvent.Strict);
        Assert.Equal(("NoSkip", "ToNext", "PastLastEvent"), (After.NoSkip.ToString(), After.ToNext.ToString(), After.PastLastEvent.ToString()));
        Assert.Equal(("ToFirst(_a)", "ToLast(_b) strict"), (After.ToFirst(_a).ToString(), After.ToLast(_b).Strict().ToString()));
    }

    [Fact]
    public void Group_can_be_skipped_to()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var pairs, Times.Exactly(2), Pattern.Begin<Sign>(out _, B).Next(out _, C)).Within(Seconds(60));
        Expect("a1 b2 c3 a4 b5 c6 b7 c8", pattern.AfterMatch(After.ToFirst(pairs)), "a1 b2 c3 b5 c6", "a4 b5 c6 b7 c8");
        Expect("a1 b2 c3 a4 b5 c6 b7 c8", pattern.AfterMatch(After.ToLast(pairs)), "a1 b2 c3 b5 c6");
    }
}
