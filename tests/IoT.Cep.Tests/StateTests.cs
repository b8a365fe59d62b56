using System.Globalization;
using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

public class StateTests
{
    [Property]
    public void Map_is_a_dictionary_whatever_the_hash_codes(int[] steps, bool collide)
    {
        var map = new KeyedMap<Key, int>();
        var expected = new Dictionary<Key, int>();
        foreach (int step in steps.SelectMany(s => Enumerable.Range(0, 5).Select(i => (s * 31) + (i * 7919))))
        {
            var key = new Key(Math.Abs(step % 97), collide);
            switch (Math.Abs(step / 97 % 8))
            {
                case 0 or 1 or 2:
                    int count = expected.Count;
                    int last = map.Remove(key);
                    Assert.Equal(expected.Remove(key) ? count - 1 : -1, last);
                    break;
                case 3 when step % 5 == 0:
                    map.Clear();
                    expected.Clear();
                    break;
                default:
                    map.GetOrAdd(key, out bool added) += step;
                    Assert.Equal(!expected.ContainsKey(key), added);
                    expected[key] = expected.GetValueOrDefault(key) + step;
                    break;
            }

            Assert.Equal(expected.Count, map.Count);
            Assert.Equal(expected.ContainsKey(key), map.IndexOf(key) >= 0);
        }

        Assert.Equal(expected.OrderBy(e => e.Key.Number), Pairs(map));
    }

    [Fact]
    public void Map_grows_past_its_first_size()
    {
        var map = new KeyedMap<string, int>();
        for (int i = 0; i < 10_000; i++)
        {
            map.GetOrAdd($"{i}", out _) = i;
        }

        Assert.All(Enumerable.Range(0, 10_000), i => Assert.Equal(i, map.Find($"{i}")));
    }

    [Fact]
    public void Map_refuses_one_key_more_than_allowed()
    {
        var map = new KeyedMap<int, int>(maxKeys: 2);
        map.GetOrAdd(1, out _) = map.GetOrAdd(2, out _) = 5;
        Assert.Throws<KeyLimitException>(() => map.GetOrAdd(3, out _));
        map.Remove(1);
        map.GetOrAdd(3, out _) = 5;
        Assert.Equal(2, map.Count);
    }

    [Property]
    public void What_was_written_is_read(int number, long large, double real, bool flag, byte small, string? text, DateTimeOffset time, byte[] bytes)
    {
        var writer = new StateWriter();
        writer.Int32(number);
        writer.Int64(large);
        writer.Double(real);
        writer.Boolean(flag);
        writer.Byte(small);
        writer.Text(text);
        writer.Bytes(bytes);
        writer.Raw(time);
        var reader = new StateReader(writer.Written);
        Assert.Equal((number, large, real, flag, small), (reader.Int32(), reader.Int64(), reader.Double(), reader.Boolean(), reader.Byte()));
        Assert.Equal(text is null ? null : System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text)), reader.Text());
        Assert.Equal(bytes, reader.Bytes().ToArray());
        Assert.Equal(time, reader.Raw<DateTimeOffset>());
        Assert.True(reader.AtEnd);
    }

    [Property]
    public void Cut_state_is_a_clear_error(byte[] bytes)
    {
        var reader = new StateReader(bytes);
        var error = Record.Exception(() =>
        {
            reader.Text();
            reader.Bytes();
            reader.Time();
        });
        Assert.True(error is null or InvalidDataException or ArgumentOutOfRangeException, $"{error}");
    }

    [Fact]
    public void Outgrown_buffer_keeps_no_event_alive()
    {
        string[] buffer = Pooled.Rent<string>(16);
        string[] outgrown = buffer;
        Array.Fill(buffer, "refused");
        Pooled.Grow(ref buffer, 1, 100);
        Assert.All(outgrown, Assert.Null);
        Assert.Equal("refused", buffer[0]);
        Pooled.Return(ref buffer, buffer.Length);
    }

    [Fact]
    public void Raw_state_of_another_size_is_refused()
    {
        var writer = new StateWriter();
        StateCodec.Find<int>()!.Write(writer, 5);
        Assert.Throws<InvalidDataException>(() => StateCodec.Find<long>()!.Read(new StateReader(writer.Written)));
    }

    [Fact]
    public void Type_without_a_codec_names_the_remedy() =>
        Assert.Contains("StateCodec.Register<Version>", Assert.Throws<NotSupportedException>(StateCodec.Require<Version>).Message, StringComparison.Ordinal);

    [Fact]
    public void Hash_is_the_same_in_every_process_and_release()
    {
        Assert.Equal(
            [GoldenText, GoldenEmpty, GoldenInt, GoldenLong, GoldenBool],
            [StableHash.Of("device-17"), StableHash.Of(""), StableHash.Of(17), StableHash.Of(17L), StableHash.Of(true)]);
    }

    [Fact]
    public void Equal_keys_have_one_hash_however_they_print()
    {
        Assert.Equal(StableHash.Of(1.0m), StableHash.Of(1.00m));
        Assert.Equal(StableHash.Of(("a", 1.0m, Span.Time(0))), StableHash.Of(("a", 1.00m, Span.Time(0).ToOffset(TimeSpan.FromHours(2)))));
        Assert.NotEqual(StableHash.Of(("a", "b")), StableHash.Of(("b", "a")));
        Assert.Equal(StableHash.Of<object>("a"), StableHash.Of("a"));
        Assert.Equal(StableHash.Of<object>(17), StableHash.Of(17));
        Assert.Equal(StableHash.Of(0.0), StableHash.Of(-0.0));
        Assert.Equal(StableHash.Of(Span.Time(0)), StableHash.Of(Span.Time(0).ToOffset(TimeSpan.FromHours(2))));
    }

    [Fact]
    public void Keys_of_several_parts_hash_alike_in_every_culture()
    {
        // Made by hand: a machine may have no other culture than the invariant one.
        var elsewhere = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (elsewhere.NumberFormat.NumberDecimalSeparator, elsewhere.NumberFormat.NegativeSign) = (",", "minus");
        elsewhere.DateTimeFormat.ShortDatePattern = "dd.MM.yyyy";
        var key = new Place("a", -1.5, new DateTime(2024, 2, 29));
        var (here, before) = (StableHash.Of(key), CultureInfo.CurrentCulture);
        ulong tuple = StableHash.Of(("a", -1.5, key));
        CultureInfo.CurrentCulture = elsewhere;
        try
        {
            Assert.Contains("minus1,5", key.ToString(), StringComparison.Ordinal);
            Assert.Equal((here, tuple), (StableHash.Of(key), StableHash.Of(("a", -1.5, key))));
            Assert.Same(elsewhere, CultureInfo.CurrentCulture);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private sealed record Place(string Name, double Height, DateTime Since);

    [Fact]
    public void Hash_spreads_devices_over_all_groups() =>
        Assert.Equal(StableHash.KeyGroups, Enumerable.Range(0, 2000).Select(i => StableHash.GroupOf($"device-{i}")).Distinct().Count());

    private const ulong GoldenText = 1285003463144883411, GoldenEmpty = 11114471230621379416, GoldenInt = 10425260736560936047,
        GoldenLong = 10425260736560936047, GoldenBool = 2374813443083413055;

    private static List<KeyValuePair<Key, int>> Pairs(KeyedMap<Key, int> map)
    {
        var pairs = new List<KeyValuePair<Key, int>>();
        foreach (ref var entry in map.Entries)
        {
            pairs.Add(KeyValuePair.Create(entry.Key, entry.State));
        }

        return [.. pairs.OrderBy(p => p.Key.Number)];
    }

    private sealed record Key(int Number, bool Collide)
    {
        public override int GetHashCode() => Collide ? Number % 3 : Number;
    }
}
