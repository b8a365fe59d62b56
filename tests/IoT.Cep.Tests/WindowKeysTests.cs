namespace IoT.Cep.Tests;

/// <summary>Keys of windows per event against a dictionary: their places never move, however slots are found.</summary>
public class WindowKeysTests
{
    [Theory]
    [InlineData(100, 1)] // dense from the beginning to the end
    [InlineData(40_000, 1)] // in any order, dense at last
    [InlineData(300, 1_000_003)] // far apart
    [InlineData(2_000, -1)] // negative numbers are large ones
    public void Whole_numbers_that_come_and_go_keep_their_places(int distinct, int stride) =>
        ComeAndGo(distinct, i => i * stride);

    [Fact]
    public void Texts_that_come_and_go_keep_their_places() => ComeAndGo(3_000, i => $"device {i}");

    [Fact]
    public void Dense_keys_and_then_one_far_off_are_all_found()
    {
        var keys = new WindowKeys<long, int>(int.MaxValue);
        int[] places = [.. Enumerable.Range(0, 1_000).Select(i => keys.Add(i))];
        int far = keys.Add(long.MaxValue);
        Assert.Equal(places, Enumerable.Range(0, 1_000).Select(i => keys.Find(i)));
        Assert.Equal(far, keys.Find(long.MaxValue));
        Assert.Equal(-1, keys.Find(long.MinValue));
        Assert.Equal(-1, keys.Find(1_000));
    }

    private static void ComeAndGo<TKey>(int distinct, Func<int, TKey> keyOf)
        where TKey : notnull
    {
        var random = new Random(distinct);
        var keys = new WindowKeys<TKey, int>(int.MaxValue);
        var places = new Dictionary<TKey, int>();
        for (int round = 0; round < distinct * 6; round++)
        {
            var key = keyOf(random.Next(distinct));
            if (!places.TryGetValue(key, out int place))
            {
                Assert.Equal(-1, keys.Find(key));
                places.Add(key, keys.Add(key));
                keys.At(places[key]).State = round;
            }
            else if (random.Next(3) == 0)
            {
                keys.Remove(place);
                places.Remove(key);
            }

            Assert.Equal(places.Count, keys.Count);
        }

        Assert.All(places, pair => Assert.Equal(pair.Value, keys.Find(pair.Key)));
        Assert.Equal(places.Values.Order(), keys.Taken());
        Assert.All(places, pair => Assert.Equal(StableHash.GroupOf(pair.Key), keys.Groups[pair.Value]));
        Assert.Equal(places.Count, places.Values.Distinct().Count());
    }
}
