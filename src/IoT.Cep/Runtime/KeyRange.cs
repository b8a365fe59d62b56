namespace IoT.Cep;

/// <summary>The part of the key groups that a shard owns.</summary>
internal readonly record struct KeyRange(int Shard, int Shards)
{
    internal static KeyRange All => new(0, 1);

    internal bool Contains(int group) => group * Shards / StableHash.KeyGroups == Shard;

    /// <summary>Whether a held event is this shard's. One whose key can't be found is the first shard's, and fails there under the query's policy.</summary>
    internal bool Owns<TKey, T>(Func<T, TKey> key, T value)
        where TKey : notnull
    {
        if (Shards == 1)
        {
            return true;
        }

        try
        {
            return Contains(StableHash.GroupOf(key(value)));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            return Shard == 0;
        }
    }
}
