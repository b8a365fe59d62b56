using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class StatelessTests
{
    [Fact]
    public void Where_keeps_the_events_for_which_it_is_true() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).At(3, 2).At(4, 7).Watermark(5).At(6, 9).End()
            .Through(s => s.Where(x => x > 2))
            .Expect((2, 5), (4, 7), (6, 9));

    [Fact]
    public void Where_on_results_keeps_their_identities()
    {
        var outcome = Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).At(3, "c", 2).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => new Reading(w.Key, w.Sum(r => r.Value))).Where(r => r.Value > 1))
            .WithIdentity().Run();
        Assert.All(outcome.Rows, row => Assert.Equal(row.Value.Key, row.Id!.Value.Key));
        Assert.Equal(2, outcome.Rows.Count);
    }

    [Fact]
    public void Select_projects_and_keeps_the_time() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).Watermark(3).At(2.5, 7).End()
            .Through(s => s.Select(x => $"<{x}>"))
            .Expect((1, "<1>"), (2, "<5>"), (2.5, "<7>"));

    [Fact]
    public void SelectMany_gives_any_number_of_results_at_the_time_of_the_event() =>
        Timeline.Of<double>().At(1, 0).At(2, 3).At(3, 1).End()
            .Through(s => s.SelectMany(x => Enumerable.Range(0, (int)x)))
            .Expect((2, 0), (2, 1), (2, 2), (3, 0));

    [Fact]
    public void SelectMany_outgrows_its_batch() =>
        Assert.Equal(5000, Timeline.Of<double>().At(1, 5000).End().Through(s => s.SelectMany(x => Enumerable.Range(0, (int)x))).Run().Rows.Count);

    [Fact]
    public void Enrich_joins_a_row_or_null()
    {
        var table = new Table<string, string>([new("a", "Hall"), new("b", "Roof")]);
        Timeline.Keyed().At(1, "a", 1).At(2, "x", 2).At(3, "b", 3).End()
            .Through(s => s.Enrich(table, r => r.Key, (r, row) => $"{r.Value} {row ?? "nowhere"}"))
            .Expect((1, "1 Hall"), (2, "2 nowhere"), (3, "3 Roof"));
    }

    [Fact]
    public void Table_changes_while_it_is_read()
    {
        var table = new Table<string, string>();
        Assert.Null(table.Find("a"));
        table.Set("a", "Hall");
        table.Set("b", "Roof");
        table.Set("a", "Cellar");
        Assert.Equal(("Cellar", "Roof", 2), (table.Find("a"), table.Find("b"), table.Count));
        table.Replace([new("c", "Yard")]);
        Assert.Equal((null, "Yard", 1), (table.Find("a"), table.Find("c"), table.Count));
    }

    [Fact]
    public void KeyBy_alone_changes_nothing() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).End()
            .Through(s => s.KeyBy(r => r.Key).Where(r => r.Value > 1))
            .Expect((2, new Reading("b", 5)));
}
