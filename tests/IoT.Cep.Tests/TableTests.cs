using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Tables beside a dictionary, whatever their keys are: dense and sparse numbers say or do not say their own place.</summary>
public class TableTests
{
    private enum Site : byte
    {
        None,
        North,
        South,
    }

    [Property(MaxTest = 100)]
    public void Find_gives_what_a_dictionary_gives(int seed)
    {
        var random = new Random(seed);
        int spread = random.Next(3) switch { 0 => 50, 1 => 5_000, _ => int.MaxValue };
        var rows = new Dictionary<int, long>();
        for (int i = random.Next(2_000); i > 0; i--)
        {
            rows[random.Next(4) == 0 ? -random.Next(spread) : random.Next(spread)] = i;
        }

        Compare(rows, [.. rows.Keys, .. Enumerable.Range(0, 200).Select(_ => random.Next()), -1, int.MaxValue, int.MinValue]);
        Compare(rows.ToDictionary(r => (long)r.Key << 31, r => r.Value), [.. rows.Keys.Select(k => (long)k << 31), 0, 1, long.MinValue]);
        Compare(rows.ToDictionary(r => $"k{r.Key}", r => r.Value), [.. rows.Keys.Select(k => $"k{k}"), "", "k"]);
    }

    [Fact]
    public void Small_numbers_characters_and_enumerations_are_keys()
    {
        Compare<byte>(new Dictionary<byte, long> { [0] = 1, [255] = 2 }, [0, 1, 254, 255]);
        Compare<sbyte>(new Dictionary<sbyte, long> { [-1] = 1, [1] = 2 }, [-1, 0, 1, -128]);
        Compare<ushort>(new Dictionary<ushort, long> { [65_535] = 1, [3] = 2 }, [0, 3, 65_535]);
        Compare<char>(new Dictionary<char, long> { ['a'] = 1 }, ['a', 'b', '\0']);
        Compare<ulong>(new Dictionary<ulong, long> { [ulong.MaxValue] = 1, [0] = 2 }, [0, 1, ulong.MaxValue]);
        Compare<Site>(new Dictionary<Site, long> { [Site.North] = 1 }, [Site.None, Site.North, Site.South]);
    }

    [Fact]
    public void The_last_of_several_rows_of_a_key_counts_and_a_set_row_replaces_it()
    {
        var values = new ValueTable<int, long>([new(3, 1), new(3, 2)]);
        var objects = new Table<int, string>([new(3, "1"), new(3, "2")]);
        Assert.Equal((1, 2L, 1, "2"), (values.Count, values.Find(3)!.Value, objects.Count, objects.Find(3)));
        values.Set(3, 4);
        objects.Set(3, "4");
        values.Set(1_000_000, 5);
        objects.Set(1_000_000, "5");
        Assert.Equal((2, 4L, 5L), (values.Count, values.Find(3)!.Value, values.Find(1_000_000)!.Value));
        Assert.Equal((2, "4", "5"), (objects.Count, objects.Find(3), objects.Find(1_000_000)));
        Assert.Null(values.Find(4));
        Assert.Null(objects.Find(4));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10_000)]
    public void An_event_without_a_row_is_joined_with_null(int rows)
    {
        var values = new ValueTable<int, double>(Enumerable.Range(0, rows).Select(i => KeyValuePair.Create(2 * i, i / 2.0)));
        var objects = new Table<string, string>(Enumerable.Range(0, rows).Select(i => KeyValuePair.Create($"{2 * i}", $"{i / 2.0}")));
        var timeline = Timeline.Of<double>().At(1, 0).At(2, 1).At(3, (2 * rows) - 2).At(4, -2).End();
        timeline.Through(s => s.Enrich(values, x => (int)x, (x, row) => (x, row))).Expect((1, (0, 0)), (2, (1, null)), (3, ((2 * rows) - 2, (rows - 1) / 2.0)), (4, (-2, null)));
        timeline.Through(s => s.Enrich(objects, x => $"{x}", (x, row) => row ?? "none")).Expect((1, "0"), (2, "none"), (3, $"{(rows - 1) / 2.0}"), (4, "none"));
    }

    [Fact]
    public async Task A_reader_never_sees_half_of_a_row()
    {
        var table = new ValueTable<int, (long, long, long)>([new(1, (0, 0, 0)), new(2, (0, 0, 0))]);
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() =>
        {
            for (long i = 1; !stop.IsCancellationRequested; i++)
            {
                table.Set(1, (i, i, i));
            }
        });
        for (int i = 0; i < 100_000; i++)
        {
            var (a, b, c) = table.Find(1)!.Value;
            Assert.True(a == b && b == c, $"A row was read as {(a, b, c)}.");
        }

        await stop.CancelAsync();
        await writer;
    }

    private static void Compare<TKey>(Dictionary<TKey, long> expected, TKey[] asked)
        where TKey : notnull
    {
        var values = new ValueTable<TKey, long>(expected);
        var objects = new Table<TKey, string>(expected.Select(e => KeyValuePair.Create(e.Key, $"{e.Value}")));
        Assert.Equal((expected.Count, expected.Count), (values.Count, objects.Count));
        foreach (var key in asked)
        {
            bool isThere = expected.TryGetValue(key, out long row);
            Assert.Equal(isThere ? row : null, values.Find(key));
            Assert.Equal(isThere ? $"{row}" : null, objects.Find(key));
        }
    }
}
