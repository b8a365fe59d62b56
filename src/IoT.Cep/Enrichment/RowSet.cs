namespace IoT.Cep;

/// <summary>
/// The rows of a table at a time. Where keys are whole numbers and dense, the key says where its row stands; else they are found by hash. A slot
/// without a row is null.
/// </summary>
/// <remarks>Readers take no lock: only a slot that the processor writes at once may be written while they read, which a reference is.</remarks>
internal sealed class RowSet<TKey, TSlot>
    where TKey : notnull
{
    // A reference or a small struct for each key is little beside the entry and the two slots that hashing takes.
    private const int MaxPlacesPerRow = 4;
    private const int FreePlaces = 1_024;

    private readonly KeyedMap<TKey, TSlot>? _hashed;
    private int _count;

    internal RowSet(IReadOnlyCollection<KeyValuePair<TKey, TSlot>> rows)
    {
        ulong highest = 0;
        foreach (var (key, _) in rows)
        {
            highest = WholeNumber.Is<TKey>() ? Math.Max(highest, WholeNumber.Of(key)) : ulong.MaxValue;
        }

        if (highest < (ulong)Math.Min(FreePlaces + ((long)rows.Count * MaxPlacesPerRow), Array.MaxLength) && WholeNumber.Is<TKey>())
        {
            Places = new TSlot[(int)highest + 1];
        }
        else
        {
            _hashed = new KeyedMap<TKey, TSlot>();
        }

        foreach (var (key, slot) in rows)
        {
            TryPut(key, slot);
        }
    }

    private RowSet(TSlot[] places, int count) => (Places, _count) = (places, count);

    internal int Count => Volatile.Read(ref _count);

    /// <summary>The slots by key; empty where rows are found by hash.</summary>
    internal TSlot[] Places { get; } = [];

    /// <summary>The rows by hash, or null.</summary>
    internal KeyedMap<TKey, TSlot>? Hashed => _hashed;

    internal TSlot? Find(TKey key)
    {
        if (_hashed is null)
        {
            ulong place = WholeNumber.Of(key);
            return place < (ulong)Places.Length ? Places[place] : default;
        }

        int index = _hashed.IndexOf(key);
        return index < 0 ? default : _hashed.Entries[index].State;
    }

    /// <summary>Writes a row where that moves no other. False where the key needs another set of rows.</summary>
    internal bool TryReplace(TKey key, TSlot slot)
    {
        if (_hashed is null)
        {
            return WholeNumber.Of(key) < (ulong)Places.Length && TryPut(key, slot);
        }

        int index = _hashed.IndexOf(key);
        if (index >= 0)
        {
            Write(ref _hashed.Entries[index].State, slot);
        }

        return index >= 0;
    }

    /// <summary>Another set of rows, with these in place of those of the same key.</summary>
    internal RowSet<TKey, TSlot> With(IReadOnlyCollection<KeyValuePair<TKey, TSlot>> changes)
    {
        if (_hashed is null)
        {
            var copy = new RowSet<TKey, TSlot>((TSlot[])Places.Clone(), _count);
            if (changes.All(change => copy.TryReplace(change.Key, change.Value)))
            {
                return copy;
            }
        }

        var rows = new Dictionary<TKey, TSlot>(ToList());
        foreach (var (key, slot) in changes)
        {
            rows[key] = slot;
        }

        return new RowSet<TKey, TSlot>(rows);
    }

    private bool TryPut(TKey key, TSlot slot)
    {
        if (_hashed is not null)
        {
            _hashed.GetOrAdd(key, out _) = slot;
            _count = _hashed.Count;
            return true;
        }

        ref var place = ref Places[WholeNumber.Of(key)];
        if (place is null)
        {
            Volatile.Write(ref _count, _count + 1);
        }

        Write(ref place, slot);
        return true;
    }

    /// <summary>What the row refers to is there before the row is.</summary>
    private static void Write(ref TSlot place, TSlot slot)
    {
        Volatile.WriteBarrier();
        place = slot;
    }

    private List<KeyValuePair<TKey, TSlot>> ToList()
    {
        var rows = new List<KeyValuePair<TKey, TSlot>>(Count + 1);
        for (int place = 0; place < Places.Length; place++)
        {
            if (Places[place] is { } slot)
            {
                rows.Add(KeyValuePair.Create(WholeNumber.ToKey<TKey>(place), slot));
            }
        }

        foreach (ref var entry in _hashed is null ? [] : _hashed.Entries)
        {
            rows.Add(KeyValuePair.Create(entry.Key, entry.State));
        }

        return rows;
    }
}
