using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What random patterns have shown.</summary>
public class FuzzedPatternTests
{
    [Fact]
    public void Pattern_whose_only_required_group_is_all_optional_is_refused()
    {
        var pattern = Pattern.Begin(out _, Times.OneOrMore, Optional(1).FollowedBy(out _, Times.ZeroOrMore, x => x == 2)).Within(Seconds(10));
        Assert.Contains("without any event", Refused(pattern), StringComparison.Ordinal);
    }

    [Fact]
    public void Pattern_with_a_group_of_which_one_alternative_is_all_optional_is_refused() =>
        Assert.Contains("without any event", Refused(Pattern.AnyOf(Pattern.Begin<double>(out _, x => x == 1), Optional(2)).Within(Seconds(10))), StringComparison.Ordinal);

    [Fact]
    public void Group_that_is_all_optional_may_stand_beside_a_step_that_is_not() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 3).Watermark(20)
            .Through(s => s.Match(Pattern.Begin<double>(out _, x => x == 1).FollowedBy(Optional(2)).FollowedBy(out _, x => x == 3).Within(Seconds(10))).Select(m => m.Count))
            .Expect((3, 3), (3, 2));

    [Fact]
    public void Greedy_group_is_refused()
    {
        var group = Pattern.Begin(out _, Times.OneOrMore, Pattern.Begin<double>(out _, x => x == 1).FollowedBy(out _, x => x == 2));
        Assert.Contains("can't be greedy", Assert.Throws<InvalidOperationException>(() => group.Greedy()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Timeout_of_each_way_to_go_on_is_given_where_they_have_different_gaps() =>
        Timeouts(Timeline.Of<double>().At(1, 1).At(2, 0).At(30, 0).End()).Expect((3, 1), (6, 1));

    [Fact]
    public void Timeout_is_that_of_the_longest_gap_where_no_way_is_taken_yet() =>
        Timeouts(Timeline.Of<double>().At(1, 1).At(30, 0).End()).Expect((6, 1));

    [Fact]
    public void Timeout_of_one_way_is_no_end_of_the_other()
    {
        var rows = Timeline.Of<double>().At(1, 1).At(2, 0).At(5, 3).At(30, 0).End();
        Timeouts(rows).Expect((3, 1));
        rows.Through(s => s.Match(WithGaps()).Select(m => m.Count)).Expect((5, 2));
    }

    [Fact]
    public void Value_of_a_step_reaches_an_earlier_event_that_came_to_stand_behind_a_later_one()
    {
        var pattern = Pattern.Begin<Reading>(out var taken, Times.Exactly(2), r => r.Value > 0).Consecutive()
            .Next(out _, (r, m) => m[taken].Sum(other => other.Value) == -r.Value).Within(Seconds(60));
        const int Others = 500;
        var rows = Timeline.Keyed();
        for (int i = 0; i < Others; i++)
        {
            rows.At(1, $"other{i}", 1);
        }

        // The others' events are let go while 'a' is open, the first one last: what 'a' takes then stands in its place, far in front of what it took before.
        rows.At(2, "a", 60);
        for (int i = Others - 1; i >= 0; i--)
        {
            rows.At(3, $"other{i}", 0);
        }

        // What was restored would stand in order again.
        rows.At(4, "a", 50).At(5, "a", -110).End()
            .Through(s => s.KeyBy(r => r.Key).Match(pattern).Select(m => m.Count)).WithoutSaving().Expect((5, 3));
    }

    [Fact]
    public void Selector_that_throws_leaves_nothing_for_the_next_sum()
    {
        var sums = Pattern.Begin<double>(out var taken, Times.Exactly(2), x => x > 0).Consecutive()
            .Next(out _, (x, m) => x < 0 && m[taken].Sum(other => other == 7 ? throw new InvalidOperationException("bad") : other + x - x) == -x).Within(Seconds(60));

        // A selector that is another one each time is asked of all events each time, once there have been some.
        var rows = Timeline.Of<double>();
        for (int i = 0; i < 10; i++)
        {
            rows.At(i, 1).At(i, 2).At(i, -3);
        }

        var outcome = rows.At(10, 7).At(10, 2).At(10, -9).At(11, 1).At(11, 2).At(11, -3).End().Through(s => s.Match(sums).Select(m => m.Start.Second)).Skipping().Run();
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11], outcome.Results.Select(one => one.Value));
        Assert.Single(outcome.DeadLetters);
    }

    private static Pattern<double> Optional(double value) => Pattern.Begin<double>(out _, Times.Optional, x => x == value);

    private static string Refused(Pattern<double> pattern) => Assert.Throws<ArgumentException>(() => new Input<double>().ToStream().Match(pattern)).Message;

    private static Pattern<double> WithGaps() => Pattern.Begin<double>(out _, x => x == 1)
        .FollowedBy(out _, Times.Optional, x => x == 2).MaxGap(Seconds(2))
        .FollowedBy(out _, x => x == 3).MaxGap(Seconds(5)).Within(Seconds(60));

    private static Scenario<double, int> Timeouts(Timeline<double> rows) => rows.Through(s =>
    {
        s.Match(WithGaps(), out var timeouts);
        return timeouts.Select(one => one.Partial.Count);
    });
}
