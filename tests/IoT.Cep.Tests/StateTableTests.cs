using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>The forms of a window's table: each gives what a dictionary gives, and none can be told from another.</summary>
public class StateTableTests
{
    private enum Colour : short
    {
        Red = -1,
        Green = 1,
        Blue = short.MaxValue,
    }

    [Property]
    public void Table_is_a_dictionary_in_every_form(int[] numbers, byte spread)
    {
        var table = new StateTable<int, long>(int.MaxValue);
        var expected = new List<KeyValuePair<int, long>>();
        for (int round = 0; round < 3; round++)
        {
            foreach (int number in numbers)
            {
                for (int i = 0; i < 40; i++)
                {
                    // Neighbours, keys far apart, negative ones, and extremes.
                    int key = (i % 4) switch { 0 => i * spread, 1 => number, 2 => -i, _ => int.MaxValue - (number & 7) };
                    table.GetOrAdd(key) += i + round;
                    Count(expected, key, i + round);
                }
            }

            Same(expected, table);
            if (round == 1)
            {
                table.Clear();
                expected.Clear();
            }
        }
    }

    [Fact]
    public void Dense_keys_are_their_own_places()
    {
        var table = Filled(Enumerable.Range(0, 20_000));
        Assert.NotNull(table.Direct);
        Assert.InRange(table.Direct.Length, 20_000, 40_000);
    }

    [Fact]
    public void Dense_keys_in_any_order_turn_out_dense() => Assert.NotNull(Filled(Shuffled(100_000)).Direct);

    [Fact]
    public void Few_keys_far_apart_are_hashed()
    {
        Assert.True(Filled([1_000_000]).IsSmall);
        Assert.True(Filled(Enumerable.Range(0, 20_000).Select(i => i * 1_000)).IsLarge);
        Assert.True(new StateTable<string, long>(10).IsSmall);
    }

    [Fact]
    public void Key_far_off_moves_all_states_and_doubling_moves_them_back()
    {
        int[] keys = [.. Enumerable.Range(0, 5_000), int.MinValue, .. Enumerable.Range(5_000, 3_000), 9_000_000, 12_345_678];
        Assert.Null(Filled(keys).Direct);
        int[] dense = [.. Enumerable.Range(0, 10).Select(i => 3_000 - i), .. Enumerable.Range(0, 3_000)];
        Assert.NotNull(Filled(dense).Direct);
    }

    [Fact]
    public void Table_that_was_emptied_keeps_its_form_for_a_key_that_is_next()
    {
        var table = Filled(Shuffled(100_000));
        table.Clear();
        table.GetOrAdd(100_000)++;
        Assert.NotNull(table.Direct);
        Assert.Equal(1, table.Count);
        Assert.Equal(0, table.GetOrAdd(99_999));
    }

    [Fact]
    public void Whole_numbers_of_every_type_come_back_as_they_were()
    {
        ComeBack<byte>(0, 1, byte.MaxValue);
        ComeBack<sbyte>(0, -1, sbyte.MinValue, sbyte.MaxValue);
        ComeBack<short>(0, -1, short.MinValue, short.MaxValue);
        ComeBack<ushort>(0, ushort.MaxValue);
        ComeBack('\0', 'x', char.MaxValue);
        ComeBack(0, -1, int.MinValue, int.MaxValue);
        ComeBack<uint>(0, uint.MaxValue, 500);
        ComeBack<long>(0, -1, 1L << 32, (1L << 32) + 5, long.MinValue, long.MaxValue);
        ComeBack<ulong>(0, 1UL << 32, ulong.MaxValue);
        ComeBack<nint>(0, -1, nint.MaxValue);
        ComeBack<nuint>(0, 7, nuint.MaxValue);
        ComeBack(Colour.Green, Colour.Red, Colour.Blue);
        ComeBack("", "a", "b");
        ComeBack(0.0, -0.5, double.MaxValue);
    }

    [Fact]
    public void Every_form_refuses_one_key_more_than_allowed()
    {
        foreach (int step in new[] { 1, 100_000 })
        {
            foreach (int limit in new[] { 2, 10_000 })
            {
                var table = new StateTable<int, long>(limit);
                for (int i = 0; i < limit; i++)
                {
                    table.GetOrAdd(i * step) = i;
                }

                Assert.Throws<KeyLimitException>(() => table.GetOrAdd(limit * step));
                Assert.Equal(limit, table.Count);
                Assert.Equal(limit - 1, table.GetOrAdd((limit - 1) * step));
            }
        }
    }

    [Property(MaxTest = 10)]
    public void Windows_by_whole_number_are_those_of_a_dictionary(int[] numbers)
    {
        var timeline = Timeline.Of<(int Key, double Value)>();
        var expected = new Dictionary<int, (long Count, double Max)>();
        foreach (int number in numbers.SelectMany(n => new[] { n, Math.Abs(n % 10), -(n & 3), int.MaxValue - (n & 1) }))
        {
            timeline = timeline.At(1, (number, number % 7));
            var (count, max) = expected.GetValueOrDefault(number, (0, double.MinValue));
            expected[number] = (count + 1, Math.Max(max, number % 7));
        }

        var outcome = timeline.Watermark(10).End().Through(s => s.KeyBy(e => e.Key).Window(Window.Tumbling(Seconds(10)))
            .Select(w => (w.Key, w.Count(), w.Max(e => e.Value)))).Run();
        Assert.Equal(expected.Select(e => (e.Key, e.Value.Count, e.Value.Max)).Order(), outcome.Rows.Select(row => row.Value).Order());
    }

    [Fact]
    public void Table_may_change_its_form_in_the_middle_of_a_batch()
    {
        // Hashed and small, large, dense after all, then far apart for good; a selector throws in between.
        int[] keys = [.. Shuffled(60_000), .. Enumerable.Range(0, 1_000), 2_000_000_000, .. Enumerable.Range(0, 60_000)];
        var input = new Input<int>();
        using var run = new PlanRun<int, (int, long, double)>(
            input,
            input.ToStream().KeyBy(k => k).Window(Window.Tumbling(Seconds(10)))
                .Select(w => (w.Key, w.Count(), w.Sum(k => k == 59_999 ? throw new FormatException("bad") : k))).Node,
            shards: 1, ErrorPolicy.Skip);
        run.Push(keys, new long[keys.Length]);
        run.Complete();
        var expected = keys.Where(k => k != 59_999).GroupBy(k => k).Select(g => (g.Key, (long)g.Count(), (double)g.Key * g.Count()));
        Assert.Equal(expected.Order(), run.Sink.Results.Select(r => r.Value).Order());
        Assert.Equal(keys.Count(k => k == 59_999), run.DeadLetters.Count);
    }

    private static int[] Shuffled(int count)
    {
        int[] keys = [.. Enumerable.Range(0, count)];
        new Random(17).Shuffle(keys);
        return keys;
    }

    private static StateTable<int, long> Filled(IEnumerable<int> keys)
    {
        var table = new StateTable<int, long>(int.MaxValue);
        var expected = new Dictionary<int, long>();
        var order = new List<int>();
        foreach (int key in keys)
        {
            table.GetOrAdd(key) += key + 1L;
            if (!expected.TryAdd(key, key + 1L))
            {
                expected[key] += key + 1L;
                continue;
            }

            order.Add(key);
        }

        Same([.. order.Select(key => KeyValuePair.Create(key, expected[key]))], table);
        return table;
    }

    private static void ComeBack<TKey>(params TKey[] keys)
        where TKey : notnull
    {
        var table = new StateTable<TKey, long>(int.MaxValue);
        for (int i = 0; i < 2; i++)
        {
            foreach (var key in keys)
            {
                table.GetOrAdd(key)++;
            }
        }

        Same([.. keys.Select(key => KeyValuePair.Create(key, 2L))], table);
    }

    private static void Count(List<KeyValuePair<int, long>> expected, int key, long value)
    {
        int index = expected.FindIndex(e => e.Key == key);
        if (index < 0)
        {
            expected.Add(KeyValuePair.Create(key, value));
        }
        else
        {
            expected[index] = KeyValuePair.Create(key, expected[index].Value + value);
        }
    }

    /// <summary>By first appearance, and by key group and first appearance.</summary>
    private static void Same<TKey>(List<KeyValuePair<TKey, long>> expected, StateTable<TKey, long> table)
        where TKey : notnull
    {
        var byAppearance = new List<KeyValuePair<TKey, long>>();
        for (int i = 0; i < table.Count; i++)
        {
            var slot = table.At(i);
            byAppearance.Add(KeyValuePair.Create(slot.Key, slot.State));
        }

        int[] places = new int[table.Count];
        table.Order(places);
        var byGroup = new List<KeyValuePair<TKey, long>>();
        foreach (int place in places)
        {
            var slot = table.InPlace(place);
            byGroup.Add(KeyValuePair.Create(slot.Key, slot.State));
        }

        Assert.Equal(expected, byAppearance);
        Assert.Equal(expected.OrderBy(e => StableHash.GroupOf(e.Key)), byGroup);
    }
}
