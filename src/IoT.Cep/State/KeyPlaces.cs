namespace IoT.Cep;

/// <summary>A state that may be empty, of a key that may then be forgotten.</summary>
internal interface IKeySlot
{
    /// <summary>Whether nothing that can still come depends on it.</summary>
    bool IsIdle(long watermark);
}

/// <summary>Forgets keys that are idle, many at once, so that a key that pauses costs nothing; and tells where the others are then.</summary>
internal sealed class KeyPlaces
{
    private int[] _places = [];
    private int[] _origins = [];

    /// <summary>For each index that a key had, the one it has now, or -1 if it is forgotten.</summary>
    internal ReadOnlySpan<int> Tidy<TKey, TSlot>(KeyedMap<TKey, TSlot> keys, long watermark)
        where TKey : notnull
        where TSlot : struct, IKeySlot
    {
        int count = keys.Count;
        if (_places.Length < count)
        {
            (_places, _origins) = (new int[count * 2], new int[count * 2]);
        }

        for (int i = 0; i < count; i++)
        {
            (_origins[i], _places[i]) = (i, -1);
        }

        for (int i = count - 1; i >= 0; i--)
        {
            if (keys.Entries[i].State.IsIdle(watermark))
            {
                // The last entry moves into the place of the one removed.
                int last = keys.Remove(keys.Entries[i].Key);
                _origins[i] = _origins[last];
            }
        }

        for (int i = 0; i < keys.Count; i++)
        {
            _places[_origins[i]] = i;
        }

        return _places.AsSpan(0, count);
    }
}
