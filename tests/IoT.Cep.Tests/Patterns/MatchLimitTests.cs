using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>How many partial matches a key may have: of both machines.</summary>
public class MatchLimitTests
{
    private static readonly Pattern<Sign> _sets = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, B).Within(Seconds(60));
    private static readonly Pattern<Sign> _runs = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => B(s)).Within(Seconds(60));

    [Fact]
    public void Oldest_gives_way() => Both("a1 a2 a3 b4", 2, WhenMatchesFull.DropOldest, 1, "a2 b4", "a3 b4");

    [Fact]
    public void Newest_is_not_begun() => Both("a1 a2 a3 b4", 2, WhenMatchesFull.DropNewest, 1, "a1 b4", "a2 b4");

    [Fact]
    public void Limit_is_each_keys_own()
    {
        var outcome = Rows("a1 a2 b3").Through(s => s.KeyBy(x => x.Key).Match(_sets, maxPartialMatchesPerKey: 2).Select(Text)).Run();
        Assert.Equal((6, 0), (outcome.Rows.Count, outcome.DiscardedPartialMatches));
    }

    [Fact]
    public void Event_that_completes_a_match_at_the_limit_is_not_counted_where_none_is_begun() =>
        Both("a1 a2 b3 b4 a5 b6", 2, WhenMatchesFull.DropNewest, null, "a1 b3", "a2 b3", "a5 b6");

    [Fact]
    public void What_is_under_way_is_kept_where_new_ones_give_way()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => B(s)).FollowedBy(out _, C).Within(Seconds(60));
        var outcome = Rows("a1 a2 b3 a4 c5", "x").Through(s => s.Match(pattern, 2, WhenMatchesFull.DropNewest).Select(Text)).Run();
        Assert.Equal(["a1 b3 c5", "a2 b3 c5"], outcome.Rows.Select(row => row.Value));
    }

    [Fact]
    public void Match_that_waits_for_a_slow_one_is_not_kept_waiting_by_more_than_the_limit()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => s.Number == m.First.Number * 10).Within(Seconds(60)).AfterMatch(After.ToNext);
        var outcome = Rows("a1 a2 b20 a3 b30 a4 b40", "x").Through(s => s.Match(pattern, maxPartialMatches: 2).Select(Text)).Run();
        Assert.Equal(["a2 b20", "a3 b30", "a4 b40"], outcome.Rows.Select(row => row.Value));
        Assert.Equal(1, outcome.DiscardedPartialMatches);
    }

    [Fact]
    public void Wrong_limits_are_refused()
    {
        var s = new Input<Sign>().ToStream();
        Assert.Throws<ArgumentOutOfRangeException>(() => s.Match(_sets, maxPartialMatches: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => s.Match(_sets, remember: -1));
        Assert.Throws<ArgumentException>(() => s.KeyBy(x => x.Key).Match(Array.Empty<Pattern<Sign>>()));
        Assert.Throws<ArgumentNullException>(() => s.Match((Pattern<Sign>)null!));
        Assert.Throws<ArgumentNullException>(() => s.KeyBy(x => x.Key).Match(_sets, (Func<PartialMatch<Sign>, int>)null!));
    }

    private static void Both(string signs, int limit, WhenMatchesFull whenFull, int? discarded, params string[] expected)
    {
        foreach (var pattern in new[] { _sets, _runs })
        {
            var outcome = Rows(signs, "x").Through(s => s.Match(pattern, limit, whenFull).Select(Text)).Run();
            Assert.Equal(expected, outcome.Rows.Select(row => row.Value));
            Assert.Equal(discarded ?? outcome.DiscardedPartialMatches, outcome.DiscardedPartialMatches);
        }
    }
}
