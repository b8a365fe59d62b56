namespace IoT.Cep.Tests;

public sealed class RowReferenceTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 10)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Matches_are_those_that_backtracking_finds(int part)
    {
        int matches = 0;
        for (int seed = part * 30; seed < (part + 1) * 30; seed++)
        {
            var model = new RowModel(seed);
            var random = new Random(seed);
            var rows = new List<(int Time, Reading Row)>();
            int now = 0;
            for (int i = random.Next(3, 10); i > 0; i--)
            {
                now += random.Next(1, 3);
                rows.Add((now, new Reading(random.Next(4) == 0 ? "x" : "y", random.Next(10))));
            }

            var timeline = Timeline.Of<Reading>();
            foreach (var (time, row) in rows)
            {
                timeline.At(time, row);
                _ = random.Next(3) == 0 ? timeline.Watermark(time) : timeline;
            }

            var origin = IoT.Cep.Extensibility.Ticks.ToTime(Span.TicksAt(0));
            var outcome = timeline.Watermark(5000).End().Through(s => s.KeyBy(r => r.Key).MatchRows(model.Pattern).Select(m => (m.First.Key, Text: model.TextOf(m, origin)))).Run();
            Assert.True(outcome.Error is null, $"Seed {seed}: {outcome.Error}");
            var expected = rows.GroupBy(row => row.Row.Key).SelectMany(key => model.MatchesOf([.. key]).Select(one => Line(key.Key, one.At, one.Match))).ToList();
            var actual = outcome.Results.Select(one => Line(one.Value.Key, model.Mode == 1 ? null : (int)one.Seconds, one.Value.Text)).ToList();
            Assert.True(
                expected.Order(StringComparer.Ordinal).SequenceEqual(actual.Order(StringComparer.Ordinal)),
                $"Seed {seed}: {model.Pattern}\nrows {string.Join(' ', rows)}\nexpected\n  {string.Join("\n  ", expected)}\nbut\n  {string.Join("\n  ", actual)}");
            matches += expected.Count;
        }

        Assert.True(matches > 20, $"Only {matches} matches: the patterns are too hard for the rows.");
    }

    private static string Line(string key, int? at, string match) => $"{key} {at} {match}";
}
