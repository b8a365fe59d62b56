using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class PermutationTests
{
    [Fact]
    public void Order_as_written_is_preferred_in_all_its_ways()
    {
        var permuted = RowPattern.Define<double>(out var any).Define(out var last).Define(out var even, x => x % 2 == 0)
            .Pattern(RowPattern.Permute(any.ZeroOrMore(), last, even)).Within(Seconds(60)).WhenDecided();

        // The order as written fits without a row of the repetition; in another order it would have one.
        Timeline.Of<double>().At(1, 1).At(2, 4).At(3, 1).End()
            .Through(s => s.MatchRows(permuted).Select(m => string.Join(' ', m.AllRows().Select(row => $"{row.Variable}{row.Row}"))))
            .Expect((3, "last1 even4"));
    }

    [Fact]
    public void Part_with_alternatives_is_tried_with_all_of_them_before_the_next_order() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).At(3, 6).End().Through(s => s.MatchRows(RowPattern
                .Define<double>(out var a).Define(out var b)
                .Define(out var c, (x, m) => x == 5 && m[b].Count > 0 || x == 6).Define(out var d, x => x > 4)
                .Pattern(RowPattern.Permute(a.Or(b), c, d)))
            .Select(m => string.Join(' ', m.AllRows().Select(row => row.Variable))))
            .Expect((3, "b c d"));

    [Fact]
    public void Many_parts_that_fit_in_one_way_each_can_stand_in_any_order()
    {
        var definitions = RowPattern.Define<double>(out var first, x => x == 0);
        var parts = new List<IRowExpression<double>> { first };
        for (int i = 1; i < 12; i++)
        {
            int own = i;
            definitions = definitions.Define(out var next, x => x == own, $"v{i}");
            parts.Add(next);
        }

        var timeline = Timeline.Of<double>();
        for (int i = 0; i < 12; i++)
        {
            timeline.At(i, 11 - i);
        }

        timeline.End().Through(s => s.MatchRows(definitions.Pattern(RowPattern.Permute(parts.ToArray())), m => m.Count)).Expect((11, 12));
    }

    [Fact]
    public void Too_many_orders_are_refused()
    {
        var definitions = RowPattern.Define<double>(out var a, x => x > 0);
        var eight = Enumerable.Repeat<IRowExpression<double>>(a.Optional(), 8).ToArray();
        Assert.Contains("permutations", Assert.Throws<ArgumentException>(() => definitions.Pattern(RowPattern.Permute(eight))).Message, StringComparison.Ordinal);
        Assert.Equal("PERMUTE(a?, a?, a?, a?, a?, a?, a?)", $"{definitions.Pattern(RowPattern.Permute<double>(eight.AsSpan(0, 7)))}");
    }
}
