using FsCheck.Xunit;

namespace IoT.Cep.Tests;

/// <summary>The forms of the index of keys: each finds what a dictionary finds, and none can be told from another.</summary>
public class KeyIndexTests
{
    private enum Colour : short
    {
        Red = -1,
        Green = 1,
        Blue = short.MaxValue,
    }

    [Property]
    public void Index_is_a_dictionary_in_every_form(int[] seeds, byte spread, bool[] sorts)
    {
        var index = new KeyIndex<int>(int.MaxValue);
        var expected = new Dictionary<int, int>();
        for (int round = 0; round < seeds.Length; round++)
        {
            for (int i = 0; i < 60; i++)
            {
                // Neighbours, keys far apart, negative ones, and extremes.
                int key = (i % 4) switch { 0 => i * spread, 1 => seeds[round], 2 => -i, _ => int.MaxValue - (seeds[round] & 7) };
                Step(index, expected, key, forgets: (i + seeds[round]) % 3 == 0);
            }

            if (round < sorts.Length && sorts[round])
            {
                Sort(index, expected);
            }

            Same(index, expected);
        }
    }

    [Property]
    public void Keys_of_64_bits_are_found(long[] keys)
    {
        var index = new KeyIndex<long>(int.MaxValue);
        var expected = new Dictionary<long, int>();
        foreach (long key in keys)
        {
            foreach (long near in new[] { key, -key, key << 32, key ^ long.MinValue, key & 0xFF, (key & 0xFF) + (1L << 32) })
            {
                Step(index, expected, near, forgets: false);
            }
        }

        Same(index, expected);
    }

    [Fact]
    public void Keys_of_any_size_and_sign_are_found()
    {
        Finds<sbyte>([-128, -1, 0, 1, 127]);
        Finds<char>(['a', '\0', '\uffff']);
        Finds<ulong>([0, 1, uint.MaxValue, 1UL << 32, ulong.MaxValue]);
        Finds([Colour.Red, Colour.Green, Colour.Blue]);
        Finds(["a", "", "b"]);
        Finds([Guid.Empty, new Guid(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]);
    }

    [Fact]
    public void Dense_keys_are_their_own_places() => Assert.InRange(Filled(Enumerable.Range(0, 20_000)).Places!.Length, 20_000, 80_000);

    [Fact]
    public void Dense_keys_in_any_order_turn_out_dense_when_they_are_sorted()
    {
        var index = Filled(Enumerable.Range(0, 100_000).Select(i => (int)(i * 7_919L % 100_000)));
        index.Sort();
        Assert.InRange(index.Places!.Length, 100_000, 4 * 100_000);
    }

    [Fact]
    public void Few_keys_far_apart_are_hashed()
    {
        Assert.Null(Filled([1_000_000]).Places);
        Assert.Null(Filled(Enumerable.Range(0, 20_000).Select(i => i * 1_000)).Places);
        Assert.Null(Filled([-1]).Places);
        Assert.Null(new KeyIndex<string>(10).Places);
    }

    [Fact]
    public void Keys_in_order_of_their_groups_do_not_tell_their_form()
    {
        int[] dense = [.. Enumerable.Range(0, 3_000)];
        int[] hashed = [.. dense, int.MinValue];
        var (one, other) = (Filled(dense), Filled(hashed));
        other.Forget(other.Find(int.MinValue));
        Assert.NotNull(one.Places);
        Assert.Null(other.Places);
        Assert.Equal(InOrder(one), InOrder(other));
    }

    [Fact]
    public void Places_of_a_burst_are_let_go()
    {
        var index = Filled(Enumerable.Range(0, 300_000));
        for (int key = 10; key < 300_000; key++)
        {
            index.Forget(index.Find(key));
        }

        index.Sort();
        Assert.InRange(index.Places!.Length, 10, 4_096);
        Assert.Equal(Enumerable.Range(0, 10), InOrder(index).Order());
    }

    private static void Step<TKey>(KeyIndex<TKey> index, Dictionary<TKey, int> expected, TKey key, bool forgets)
        where TKey : notnull
    {
        int number = index.Find(key);
        Assert.Equal(expected.GetValueOrDefault(key, -1), number);
        if (number < 0)
        {
            expected[key] = index.Add(key, (uint)key.GetHashCode());
        }
        else if (forgets)
        {
            index.Forget(number);
            expected.Remove(key);
        }
    }

    private static void Sort(KeyIndex<int> index, Dictionary<int, int> expected)
    {
        var old = expected.ToDictionary(pair => pair.Value, pair => pair.Key);
        var order = index.Sort();
        for (int number = 0; number < order.Length; number++)
        {
            expected[old[order[number]]] = number;
        }
    }

    private static void Same<TKey>(KeyIndex<TKey> index, Dictionary<TKey, int> expected)
        where TKey : notnull
    {
        Assert.Equal(expected.Count, index.Live);
        Assert.Equal(expected.Keys.ToHashSet(), InOrder(index).ToHashSet());
        int[] order = index.InOrder().ToArray();
        Assert.Equal(order.OrderBy(number => index.At(number).Group).ThenBy(number => number), order);
        foreach (var (key, number) in expected)
        {
            Assert.Equal(number, index.Find(key));
            Assert.Equal(key, index.At(number).Key);
        }
    }

    private static void Finds<TKey>(TKey[] keys)
        where TKey : notnull
    {
        var index = new KeyIndex<TKey>(keys.Length);
        var expected = new Dictionary<TKey, int>();
        foreach (var key in keys)
        {
            Step(index, expected, key, forgets: false);
        }

        Assert.True(index.IsFull);
        Same(index, expected);
    }

    private static KeyIndex<int> Filled(IEnumerable<int> keys)
    {
        var index = new KeyIndex<int>(int.MaxValue);
        foreach (int key in keys)
        {
            index.Add(key, (uint)key.GetHashCode());
        }

        return index;
    }

    private static List<TKey> InOrder<TKey>(KeyIndex<TKey> index)
        where TKey : notnull
    {
        var keys = new List<TKey>();
        foreach (int number in index.InOrder())
        {
            keys.Add(index.At(number).Key);
        }

        index.Release();
        return keys;
    }
}
