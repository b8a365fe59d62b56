using FsCheck.Xunit;

namespace IoT.Cep.Tests;

/// <summary>Tables of rows: what a dictionary gives, whatever the keys, and whole rows to whoever reads while they change.</summary>
public class TableTests
{
    [Property]
    public void Tables_are_dictionaries_whatever_the_keys(int[] numbers, bool replace)
    {
        var start = numbers.Take(3).Select(n => n & 15).Distinct().ToDictionary(key => key, key => $"{key}");
        var table = replace ? new Table<int, string>(start) : new Table<int, string>();
        var values = replace ? new ValueTable<int, long>(Values(start)) : new ValueTable<int, long>();
        var expected = replace ? new Dictionary<int, string>(start) : [];
        foreach (int number in numbers.SelectMany(n => new[] { n & 31, n, -n, (n & 3) * 100_000 }))
        {
            expected[number] = $"{number * 3L}";
            table.Set(number, expected[number]);
            values.Set(number, number * 3L);
        }

        Assert.Equal((expected.Count, expected.Count), (table.Count, values.Count));
        foreach (int key in expected.Keys.Concat(numbers.Select(n => n + 1)).Append(int.MinValue).Append(-1))
        {
            Assert.Equal(expected.GetValueOrDefault(key), table.Find(key));
            Assert.Equal(expected.TryGetValue(key, out string? row) ? long.Parse(row, null) : null, values.Find(key));
        }
    }

    [Fact]
    public void Replace_forgets_all_other_rows()
    {
        var table = new ValueTable<long, int>([new(1, 10), new(2, 20), new(2, 21)]);
        Assert.Equal((10, 21, 2), (table.Find(1), table.Find(2), table.Count));
        table.Replace([new(long.MaxValue, 5)]);
        Assert.Equal((null, 5, 1), (table.Find(1), table.Find(long.MaxValue), table.Count));
    }

    [Fact]
    public void Rows_are_set_together()
    {
        var table = new ValueTable<int, int>([new(1, 10), new(2, 20)]);
        table.Set([new(2, 22), new(3, 30), new(-5, 50)]);
        Assert.Equal((10, 22, 30, 50, null), (table.Find(1), table.Find(2), table.Find(3), table.Find(-5), table.Find(0)));
        Assert.Equal(4, table.Count);
    }

    [Fact]
    public void Keys_of_text_find_their_structs()
    {
        var table = new ValueTable<string, int>([new("a", 1)]);
        table.Set("b", 2);
        table.Set("a", 3);
        Assert.Equal((3, 2, null, 2), (table.Find("a"), table.Find("b"), table.Find("c"), table.Count));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000_003)]
    public void Row_is_never_seen_half_written(int step)
    {
        var table = new ValueTable<int, Row>(Enumerable.Range(0, 64).Select(i => KeyValuePair.Create(i * step, Row.Of(0))));
        using var started = new ManualResetEventSlim();
        long done = 0;
        var writer = new Thread(() =>
        {
            started.Wait();
            for (int i = 1; i <= 20_000; i++)
            {
                table.Set(i % 64 * step, Row.Of(i));
            }

            Volatile.Write(ref done, 1);
        });
        writer.Start();
        started.Set();
        while (Volatile.Read(ref done) == 0)
        {
            for (int key = 0; key < 64; key++)
            {
                Assert.True(table.Find(key * step)!.Value.IsWhole);
            }
        }

        writer.Join();
        Assert.Equal(Row.Of(20_000), table.Find(20_000 % 64 * step));
    }

    [Fact]
    public void Enrich_joins_a_struct_or_null()
    {
        var table = new ValueTable<string, int>([new("a", 1), new("b", 2)]);
        Timeline.Keyed().At(1, "a", 5).At(2, "c", 6).At(3, "b", 7)
            .Through(s => s.Enrich(table, r => r.Key, (r, row) => $"{r.Value} {row?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "nowhere"}"))
            .Expect((1, "5 1"), (2, "6 nowhere"), (3, "7 2"));
    }

    [Fact]
    public void Enrich_by_whole_number_gives_null_outside_the_rows()
    {
        var table = new Table<int, string>([new(0, "zero"), new(2, "two")]);
        var values = new ValueTable<int, int>([new(0, 10), new(2, 12)]);
        Timeline.Of<int>().At(1, 0).At(2, 1).At(3, 2).At(4, 3).At(5, -1).At(6, int.MinValue).At(7, int.MaxValue)
            .Through(s => s.Enrich(table, k => k, (k, row) => (k, row)).Enrich(values, e => e.k, (e, row) => (e.row, row)))
            .Expect((1, ("zero", 10)), (2, (null, null)), (3, ("two", 12)), (4, (null, null)), (5, (null, null)), (6, (null, null)), (7, (null, null)));
    }

    private static IEnumerable<KeyValuePair<int, long>> Values(Dictionary<int, string> rows) =>
        rows.Select(row => KeyValuePair.Create(row.Key, long.Parse(row.Value, null)));

    /// <summary>Wider than the processor writes at once.</summary>
    private readonly record struct Row(long A, long B, long C, long D)
    {
        internal bool IsWhole => B == ~A && C == A && D == ~A;

        internal static Row Of(long number) => new(number, ~number, number, ~number);
    }
}
