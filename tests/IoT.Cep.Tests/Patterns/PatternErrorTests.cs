using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What is refused when a pattern is built or matched, with the remedy.</summary>
public class PatternErrorTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out _, A);
    private static readonly Pattern<Sign> _bc = Pattern.Begin<Sign>(out _, B).Next(out _, C);

    public static TheoryData<string> Unbounded => [.. UnboundedPatterns.Keys];

    public static TheoryData<string> Bounded => [.. BoundedPatterns.Keys];

    private static Dictionary<string, Pattern<Sign>> UnboundedPatterns => new()
    {
        ["followed by"] = _a.FollowedBy(out _, B),
        ["followed by any"] = _a.FollowedByAny(out _, B),
        ["one or more at the end"] = _a.Next(out _, Times.OneOrMore, B).Consecutive(),
        ["one or more at the beginning"] = Pattern.Begin<Sign>(out _, Times.OneOrMore, A).Consecutive(),
        ["one or more with a gap"] = Pattern.Begin<Sign>(out _, Times.OneOrMore, A).MaxGap(Seconds(1)),
        ["two at the beginning"] = Pattern.Begin<Sign>(out _, Times.Exactly(2), A),
        ["not followed by in the middle"] = _a.NotFollowedBy(N).FollowedBy(out _, B),
        ["a group"] = _a.FollowedBy(_bc),
        ["inside a group"] = _a.Next(Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C)),
        ["repeated groups"] = Pattern.Begin(out _, Times.Exactly(2), _bc),
        ["parts in any order"] = Pattern.Begin<Sign>(out _, A).And(out _, B),
        ["patterns in any order"] = Pattern.Begin(Pattern.AllOf(_a, _bc)),
        ["patterns in any order by themselves"] = Pattern.AllOf(_a, _bc),
        ["one of several"] = _a.FollowedBy(Pattern.AnyOf(_a, _bc)),
    };

    private static Dictionary<string, Pattern<Sign>> BoundedPatterns => new()
    {
        ["one step"] = _a,
        ["next"] = _a.Next(out _, B).Next(out _, C),
        ["gap"] = _a.FollowedBy(out _, B).MaxGap(Seconds(1)),
        ["so many directly"] = _a.Next(out _, Times.Between(1, 3), B).Consecutive(),
        ["so many with a gap"] = _a.FollowedBy(out _, Times.Between(1, 3), B).MaxGap(Seconds(1)),
        ["optional next"] = _a.Next(out _, Times.Optional, B).Next(out _, C),
        ["group directly"] = _a.Next(_bc),
        ["groups directly"] = Pattern.Begin(out _, Times.Exactly(2), _bc).Consecutive(),
        ["not next"] = _a.NotNext(N).Next(out _, B),
        ["not followed by, with a gap"] = _a.NotFollowedBy(N).MaxGap(Seconds(1)),
        ["parts in any order directly"] = _a.Next(out _, B).And(out _, C),
        ["parts in any order with a gap"] = Pattern.Begin<Sign>(out _, A).And(out _, B).MaxGap(Seconds(1)),
        ["one of several directly"] = Pattern.AnyOf(_a, _bc),
    };

    [Theory]
    [MemberData(nameof(Unbounded))]
    public void Pattern_that_could_wait_or_grow_for_ever_is_refused(string name)
    {
        var pattern = UnboundedPatterns[name];
        var error = Assert.Throws<ArgumentException>(() => new Input<Sign>().ToStream().Match(pattern));
        Assert.Contains("say how long with .Within(...).", error.Message, StringComparison.Ordinal);
        Assert.NotNull(new Input<Sign>().ToStream().Match(pattern.Within(Seconds(1))));
    }

    [Theory]
    [MemberData(nameof(Bounded))]
    public void Pattern_that_waits_for_what_is_bounded_needs_no_within(string name) => Assert.NotNull(new Input<Sign>().ToStream().Match(BoundedPatterns[name]));

    [Fact]
    public void Pattern_without_an_event_that_must_come_is_refused()
    {
        var optional = Pattern.Begin<Sign>(out _, Times.Optional, A).FollowedBy(out _, Times.ZeroOrMore, B).Within(Seconds(1));
        Assert.Contains("one of its steps must not be optional", Assert.Throws<ArgumentException>(() => new Input<Sign>().ToStream().Match(optional)).Message, StringComparison.Ordinal);
        var inside = Pattern.Begin(Pattern.Begin<Sign>(out _, Times.Optional, A).FollowedBy(out _, Times.ZeroOrMore, B)).Within(Seconds(1));
        Assert.Contains("one of its steps must not be optional", Assert.Throws<ArgumentException>(() => new Input<Sign>().ToStream().Match(inside)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Group_has_no_within_and_no_after_match_of_its_own()
    {
        foreach (var wrong in new Action[]
        {
            () => _a.FollowedBy(_bc.Within(Seconds(1))),
            () => _a.Next(out _, Times.Exactly(2), _bc.AfterMatch(After.ToNext)),
            () => Pattern.AnyOf(_a, _bc.Within(Seconds(1))),
            () => Pattern.AllOf(_a.Within(Seconds(1)), _bc),
        })
        {
            Assert.Contains("has a Within or AfterMatch of its own: say them of the whole pattern.", Assert.Throws<ArgumentException>(wrong).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Group_may_not_end_in_a_negation() =>
        Assert.Contains("ends in a negation", Assert.Throws<ArgumentException>(() => _a.FollowedBy(_bc.NotFollowedBy(N).MaxGap(Seconds(1)))).Message, StringComparison.Ordinal);

    [Fact]
    public void Or_and_and_go_with_single_steps_only()
    {
        var repeated = _a.FollowedBy(out _, Times.OneOrMore, B);
        var group = _a.FollowedBy(_bc);
        Assert.Contains("Use Pattern.AnyOf(...) for groups.", Assert.Throws<InvalidOperationException>(() => repeated.Or(out _, C)).Message, StringComparison.Ordinal);
        Assert.Contains("Use Pattern.AnyOf(...) for groups.", Assert.Throws<InvalidOperationException>(() => group.Or(out _, C)).Message, StringComparison.Ordinal);
        Assert.Contains("Use Pattern.AllOf(...) for groups.", Assert.Throws<InvalidOperationException>(() => repeated.And(out _, C)).Message, StringComparison.Ordinal);
        Assert.Contains("Use Pattern.AllOf(...) for groups.", Assert.Throws<InvalidOperationException>(() => group.And(out _, C)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Alternatives_are_two_at_least_and_parts_sixteen_at_most()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Pattern.AnyOf(_a));
        Assert.Throws<ArgumentOutOfRangeException>(() => Pattern.AllOf(_a));
        Assert.Throws<ArgumentOutOfRangeException>(() => Pattern.AllOf([.. Enumerable.Repeat(_a, 17)]));
        var all = Enumerable.Range(0, 15).Aggregate(_a, (pattern, _) => pattern.And(out var _, B));
        Assert.Contains("At most sixteen", Assert.Throws<InvalidOperationException>(() => all.And(out _, B)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Spans_are_positive_and_conditions_are_there()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _a.Within(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => _a.MaxGap(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => _a.NotFollowedBy(N).MaxGap(Seconds(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => _a.Within(TimeSpan.MaxValue));
        Assert.Throws<ArgumentNullException>(() => _a.FollowedBy(out _, (Func<Sign, bool>)null!));
        Assert.Throws<ArgumentNullException>(() => _a.FollowedBy((Pattern<Sign>)null!));
        Assert.Throws<ArgumentNullException>(() => Pattern.AnyOf(_a, null!));
        Assert.Throws<ArgumentNullException>(() => _a.AfterMatch(null!));
    }
}
