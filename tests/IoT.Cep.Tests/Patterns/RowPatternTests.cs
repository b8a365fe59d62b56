using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class RowPatternTests
{
    private static readonly RowPattern<Reading> _dip = Dip(out _, out _, out _);

    private static readonly RowPattern<double> _highs = RowPattern.Define<double>(out var high, x => x > 5).Pattern(high.OneOrMore()).Within(Seconds(60));

    [Fact]
    public void Match_ends_with_the_first_row_with_which_it_can() =>
        Dips().Through(s => s.KeyBy(r => r.Key).MatchRows(Dip(out var start, out var down, out var up), m => (m[start].First.Value, m[down].Last.Value, m[up].Last.Value)))
            .Expect((4, (9, 2, 3)), (6, (4, 1, 7)));

    [Fact]
    public void When_decided_it_is_the_longest_given_behind_its_last_row() =>
        Dips().Through(s => s.KeyBy(r => r.Key).MatchRows(
            Dip(out var start, out var down, out var up).WhenDecided(), m => (m[start].First.Value, m[down].Last.Value, m[up].Last.Value)))
            .Expect((6, (9, 2, 4)));

    [Fact]
    public void What_is_preferred_at_the_end_is_given_then() =>
        Timeline.Of<double>().At(1, 6).At(2, 7).Watermark(3).End().Through(s => s.MatchRows(_highs.WhenDecided(), m => m.Count)).Expect((3, 2));

    [Fact]
    public void What_is_preferred_when_the_time_is_over_is_given_then() =>
        Timeline.Of<double>().At(1, 6).At(2, 7).At(70, 8).End().Through(s => s.MatchRows(_highs.WhenDecided(), m => m.Count)).Expect((61, 2), (70, 1));

    [Fact]
    public void After_an_interval_it_is_the_preferred_one_until_then() =>
        Timeline.Of<double>().At(1, 6).At(2, 7).At(11, 8).At(12, 1).Watermark(20).End()
            .Through(s => s.MatchRows(_highs.AfterInterval(Seconds(10)), m => m.Count)).Expect((11, 2));

    [Fact]
    public void Keys_match_apart() =>
        Timeline.Keyed().At(1, "a", 3).At(2, "b", 9).At(3, "a", 2).At(4, "b", 8).At(5, "a", 4).At(6, "b", 9).End()
            .Through(s => s.KeyBy(r => r.Key).MatchRows(_dip).Select(m => m.Last.Key)).Expect((5, "a"), (6, "b"));

    [Fact]
    public void Rows_are_in_order_of_time() =>
        Timeline.Of<double>().At(4, 3).At(1, 1).At(2, 2).Watermark(2).At(3, 9).Watermark(9)
            .Through(s => s.MatchRows(Ascending(3), m => m.Rows.Sum(x => x))).Expect((3, 12));

    [Fact]
    public void Row_that_is_no_part_of_a_match_stands_in_between() =>
        Timeline.Of<double>().At(1, 6).At(2, 1).At(3, 7).End().Through(s => s.MatchRows(RowPattern.Define<double>(out var a, x => x > 5).Pattern(a.Times(2)))).ExpectNothing();

    [Fact]
    public void Rows_before_the_match_are_seen() =>
        Timeline.Of<double>().At(1, 1).At(2, 4).At(3, 2).At(4, 6).End().Through(s => s.MatchRows(
            RowPattern.Define<double>(out var rise, (x, m) => x > m.Previous(other => other)).Pattern(rise).Lookback(1), m => m.Last)).Expect((2, 4), (4, 6));

    [Fact]
    public void Rows_that_are_not_kept_are_an_error_with_the_remedy()
    {
        var pattern = RowPattern.Define<double>(out var a, (x, m) => x > m.Previous(other => other)).Pattern(a);
        Assert.Contains(".Lookback(1)", Timeline.Of<double>().At(1, 1).End().Through(s => s.MatchRows(pattern, m => m.Last)).ExpectError().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_rows_are_given_with_their_variables() =>
        Timeline.Keyed().At(1, "a", 3).At(2, "a", 2).At(3, "a", 4).End()
            .Through(s => s.KeyBy(r => r.Key).MatchRows(_dip).SelectMany(m => m.AllRows()).Select(row => $"{row.Variable} {row.Row.Value} {row.Time.Second}"))
            .Expect((3, "start 3 1"), (3, "down 2 2"), (3, "up 4 3"));

    [Fact]
    public void Next_match_begins_where_it_is_said() =>
        Timeline.Of<double>().At(1, 6).At(2, 7).At(3, 8).End().Through(s => s.MatchRows(
            RowPattern.Define<double>(out var a, x => x > 5).Define(out var b, x => x > 5).Pattern(a, b).AfterMatch(After.ToFirst(b)), m => (m[a].First, m[b].First))).Expect((2, (6, 7)), (3, (7, 8)));

    [Fact]
    public void Skipping_back_to_where_the_match_began_is_an_error_where_it_is_strict()
    {
        var pattern = RowPattern.Define<double>(out var a, x => x > 5).Pattern(a).AfterMatch(After.ToFirst(a).Strict());
        Assert.Contains("where the match began", Timeline.Of<double>().At(1, 6).End().Through(s => s.MatchRows(pattern, m => m.Count)).ExpectError().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Skipping_to_a_variable_without_rows_is_an_error_where_it_is_strict()
    {
        var pattern = RowPattern.Define<double>(out var a, x => x > 5).Define(out var b, x => x > 8).Pattern(a, b.Optional()).AfterMatch(After.ToLast(b).Strict());
        var outcome = Timeline.Of<double>().At(1, 6).At(2, 1).At(3, 7).At(4, 9).End().Through(s => s.MatchRows(pattern.WhenDecided(), m => m.Count)).Skipping().Expect((4, 2));
        Assert.Equal(2, outcome.DeadLetters.Count);
    }

    [Fact]
    public void Definition_that_throws_leaves_out_its_row_alone()
    {
        var pattern = RowPattern.Define<double>(out var a, (x, m) => x == 3 ? throw new FormatException() : x > m.Rows.Count - 1).Pattern(a.Times(2));
        Timeline.Of<double>().At(1, 1).At(2, 3).At(3, 4).At(4, 5).End().Through(s => s.MatchRows(pattern, m => m.Rows.Sum(x => x))).Skipping().Expect((3, 5));
    }

    [Fact]
    public void Measure_that_throws_leaves_out_its_match_alone() =>
        Timeline.Of<double>().At(1, 6).At(2, 7).At(3, 8).End().Through(s => s.MatchRows(_highs, m => m.Last == 7 ? throw new FormatException() : m.Last)).Skipping().Expect((1, 6), (3, 8));

    [Fact]
    public void Oldest_start_gives_way_at_the_limit()
    {
        var pattern = RowPattern.Define<double>(out var a, x => x > 5).Define(out var b, x => x < 0).Pattern(a.OneOrMore(), b).Within(Seconds(60));
        var outcome = Timeline.Of<double>().At(1, 6).At(2, 7).At(3, 8).At(4, -1).End().Through(s => s.MatchRows(pattern, m => m.Count, maxRows: 3)).Expect((4, 3));
        Assert.Equal(1, outcome.DiscardedPartialMatches);
        outcome = Timeline.Of<double>().At(1, 6).At(2, 7).At(3, 8).At(4, -1).End().Through(s => s.MatchRows(pattern, m => m.Count, maxRows: 3, WhenMatchesFull.DropNewest)).Expect((4, 4));
        Assert.Equal(2, outcome.DiscardedPartialMatches);
    }

    [Fact]
    public void Key_is_forgotten_when_no_match_can_begin_any_more()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Match<Reading>>(input, input.ToStream().KeyBy(r => r.Key).MatchRows(_dip).Node, shards: 1);
        for (int i = 0; i < 1000; i++)
        {
            run.Push([new Reading($"k{i}", 25)], [TicksAt(i * 0.001)]);
        }

        var match = run.Plan.Operators.OfType<IHoldsMatches>().Single();
        run.Advance(TicksAt(60.998));
        Assert.Equal((1, 1), (match.Held.Keys, match.Held.Events));
        run.Advance(TicksAt(60.999));
        Assert.Equal((0, 0), (match.Held.Keys, match.Held.Events));
    }

    [Fact]
    public void Dead_start_keeps_nothing()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Match<Reading>>(
            input, input.ToStream().KeyBy(r => r.Key).MatchRows(RowPattern.Define<Reading>(out var a, r => r.Value > 5).Pattern(a.Times(2, 3)).WhenDecided()).Node, shards: 1);
        run.Push([new("a", 6), new("b", 7), new("a", 1)], [1, 2, 3]);
        run.Advance(3);
        var held = run.Plan.Operators.OfType<IHoldsMatches>().Single().Held;
        Assert.Equal((1, 1, 1.0), (held.Keys, held.Events, held.Open));
    }

    [Fact]
    public void Row_past_the_key_limit_is_not_held()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Match<Reading>>(input, input.ToStream().KeyBy(r => r.Key, maxKeys: 2).MatchRows(_dip).Node, shards: 1, ErrorPolicy.Skip);
        run.Push([new("a", 25), new("b", 25), new("c", 25), new("d", 25)], [1, 2, 3, 4]);
        run.Advance(5);
        var held = run.Plan.Operators.OfType<IHoldsMatches>().Single().Held;
        Assert.Equal((2, 2), (held.Keys, held.Events));
        Assert.Equal(2, run.DeadLetters.Count);
    }

    [Fact]
    public void Pattern_that_could_go_on_for_ever_is_refused_with_the_remedy()
    {
        var pattern = RowPattern.Define<double>(out var a, x => x > 5).Pattern(a.Times(2), a.ZeroOrMore());
        Assert.Contains(".Within(", Assert.Throws<ArgumentException>(() => new Input<double>().ToStream().MatchRows(pattern)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Variable_of_another_pattern_is_refused()
    {
        RowPattern.Define<double>(out var other, x => x > 0);
        Assert.Contains("'other'", Assert.Throws<ArgumentException>(() => RowPattern.Define<double>(out var a, x => x > 0).Pattern(a, other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pattern_prints_as_sql_writes_it()
    {
        var pattern = RowPattern.Define<double>(out var a).Define(out var b).Define(out var c)
            .Pattern(a, b.ZeroOrMore().Reluctant(), c.Or(RowPattern.Group(a, b)).Optional(), c.Times(2, 3), a.AtLeast(2), b.AtMost(2), RowPattern.Group(a, c).Times(2), RowPattern.Permute(a, b));
        Assert.Equal("a b*? (c | a b)? c{2,3} a{2,} b{,2} (a c){2} PERMUTE(a, b)", pattern.ToString());
    }

    [Fact]
    public void Match_has_an_identity_of_key_and_times()
    {
        var outcome = Timeline.Keyed().At(1, "a", 3).At(2, "a", 2).At(3, "a", 4).End()
            .Through(s => s.KeyBy(r => r.Key).MatchRows(_dip).Select(m => m.Count)).WithIdentity().Expect((3, 3));
        Assert.Equal([new("a", TicksAt(1), TicksAt(3), 0)], outcome.Rows.Select(row => row.Id!.Value));
    }

    private static RowPattern<Reading> Dip(out RowVariable<Reading> start, out RowVariable<Reading> down, out RowVariable<Reading> up) => RowPattern
        .Define(out start)
        .Define(out down, (r, m) => r.Value < m.Rows[^2].Value)
        .Define(out up, (r, m) => r.Value > m.Rows[^2].Value)
        .Pattern(start, down.OneOrMore(), up.OneOrMore())
        .Within(Seconds(60));

    private static Timeline<Reading> Dips() =>
        Timeline.Keyed().At(1, "a", 9).At(2, "a", 5).At(3, "a", 2).At(4, "a", 3).At(5, "a", 4).At(6, "a", 1).At(6, "a", 7).At(7, "a", 7).End();

    private static RowPattern<double> Ascending(int count) => RowPattern.Define<double>(out var a, (x, m) => m.Rows.Count < 2 || x > m.Rows[^2]).Pattern(a.Times(count));
}
