using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// Where a table's rows stand: in the place that a dense whole number says itself, else by hash. Its keys never change, so a reader that holds one
/// needs no lock.
/// </summary>
internal sealed class RowIndex<TKey, TRow>
    where TKey : notnull
{
    /// <summary>So many places may a key cost where it says its own place: as many as hashing takes.</summary>
    private const int MaxPlacesPerKey = 4;

    /// <summary>Places that are given whatever the number of keys.</summary>
    private const int FreePlaces = 1_024;

    /// <summary>So many rows stay in a core's second cache, where a look-up waits for nothing and one pass is faster than two.</summary>
    private const int MaxCachedRows = 8_192;

    private readonly KeyedMap<TKey, Unit> _places = new();
    private readonly ulong[] _present = [];
    private readonly TRow[] _rows;

    internal RowIndex(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        var inOrder = new List<TRow>();
        foreach (var (key, row) in rows)
        {
            int place = _places.IndexOf(key);
            if (place < 0)
            {
                _places.GetOrAdd(key, out _) = default;
                inOrder.Add(row);
            }
            else
            {
                inOrder[place] = row;
            }
        }

        if (!WholeNumber.Is<TKey>() || !TryHighest(out int highest))
        {
            _rows = [.. inOrder];
            return;
        }

        _rows = new TRow[highest + 1];
        _present = new ulong[(highest / 64) + 1];
        for (int i = 0; i < inOrder.Count; i++)
        {
            ulong key = WholeNumber.Of(_places.Entries[i].Key);
            _rows[key] = inOrder[i];
            _present[key / 64] |= 1UL << (int)(key % 64);
        }
    }

    internal int Count => _places.Count;

    internal bool IsCached => Count <= MaxCachedRows;

    /// <summary>All rows by place.</summary>
    internal TRow[] Rows => _rows;

    private bool IsDirect => _present.Length > 0;

    /// <summary>The place of a key's row, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int PlaceOf(TKey key)
    {
        if (WholeNumber.Is<TKey>() && IsDirect)
        {
            ulong place = WholeNumber.Of(key);
            return place < (ulong)_rows.Length && (_present[place >> 6] >> (int)(place & 63) & 1) != 0 ? (int)place : -1;
        }

        return _places.IndexOf(key);
    }

    /// <summary>Whether keys say their own places; then a loop over a batch has all it needs in a view.</summary>
    internal bool TryView(out DirectView view)
    {
        view = IsDirect ? new DirectView(_rows, _present, Count == _rows.Length) : default;
        return IsDirect;
    }

    /// <summary>
    /// The places of a batch's keys. Each row is asked for as soon as its place is known, so that those of many events come out of memory together.
    /// </summary>
    internal void FindPlaces<T>(ReadOnlySpan<T> events, Func<T, TKey> keyOf, Span<int> places)
    {
        ref var rows = ref MemoryMarshal.GetArrayDataReference(_rows);
        for (int i = 0; i < events.Length && i < places.Length; i++)
        {
            int place = PlaceOf(keyOf(events[i]));
            places[i] = place;
            Ahead.PrefetchAt(ref Unsafe.Add(ref rows, place));
        }
    }

    /// <summary>The rows with their keys, in order of first appearance.</summary>
    internal IEnumerable<KeyValuePair<TKey, TRow>> Pairs()
    {
        for (int i = 0; i < _places.Count; i++)
        {
            var key = _places.Entries[i].Key;
            yield return KeyValuePair.Create(key, _rows[PlaceOf(key)]);
        }
    }

    private bool TryHighest(out int highest)
    {
        ulong most = 0;
        foreach (ref var entry in _places.Entries)
        {
            most = Math.Max(most, WholeNumber.Of(entry.Key));
        }

        highest = (int)Math.Min(most, int.MaxValue);
        return _places.Count > 0 && most < (ulong)Math.Max(FreePlaces, (long)MaxPlacesPerKey * _places.Count);
    }

    /// <summary>Rows whose keys say their own places, as a loop over a batch sees them, in registers.</summary>
    internal readonly ref struct DirectView(TRow[] rows, ulong[] present, bool isComplete)
    {
        private readonly ref TRow _rows = ref MemoryMarshal.GetArrayDataReference(rows);
        private readonly ref ulong _present = ref MemoryMarshal.GetArrayDataReference(present);
        private readonly ulong _length = (ulong)rows.Length;
        private readonly bool _isComplete = isComplete;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal bool Has(ulong place) => place < _length && (_isComplete || (Unsafe.Add(ref _present, (nint)(place >> 6)) >> (int)(place & 63) & 1) != 0);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref TRow At(ulong place) => ref Unsafe.Add(ref _rows, (nint)place);
    }
}
