using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// State of keys that come and go, and keep the place they took while they are there: something else may point at it. Keys that are whole numbers and
/// dense say themselves where their places are noted; others are found by hash.
/// </summary>
/// <remarks>
/// Linear probing at a load of at most one half; removal shifts the run back, so there are no tombstones. A removed key's place is the next new key's, with
/// what its state still has: whoever removes leaves there what the next one can use.
/// </remarks>
internal sealed class PlacedMap<TKey, TState>(int maxKeys)
    where TKey : notnull
{
    private const int InitialSlots = 64;
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio
    private const int None = -1;

    // As many bytes as the hashed form has at its emptiest; and a share of the first cache whatever the number of keys.
    private const int MaxNotedPerKey = 4;
    private const int FreelyNoted = 4_096;

    // The place and one, by key; null where keys are found by hash.
    private int[]? _noted = WholeNumber.Is<TKey>() ? new int[InitialSlots] : null;

    // The place and one, by hash; 0 for a free slot.
    private int[] _slots = WholeNumber.Is<TKey>() ? [] : new int[InitialSlots];
    private int _shift = 64 - BitOperations.Log2(InitialSlots);
    private Entry[] _entries = new Entry[InitialSlots / 2];
    private int _firstFree = None;

    internal int Count { get; private set; }

    /// <summary>How often a key was removed.</summary>
    internal int Removals { get; private set; }

    /// <summary>All places there are, those of removed keys too.</summary>
    internal int Places { get; private set; }

    internal bool IsFull => Count >= maxKeys;

    /// <summary>Whether a key can be added without more memory for states.</summary>
    internal bool HasPlace => _firstFree != None || Places < _entries.Length;

    internal long Bytes => ((long)_entries.Length * Unsafe.SizeOf<Entry>()) + ((_slots.Length + (_noted?.Length ?? 0)) * (long)sizeof(int));

    /// <summary>An entry by its place; stale once a key was added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry At(int place) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_entries), (uint)place);

    /// <summary>The key's place, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(TKey key)
    {
        if (WholeNumber.Is<TKey>() && _noted is { } noted)
        {
            ulong number = WholeNumber.Of(key);
            return number < (ulong)noted.Length ? noted[number] - 1 : None;
        }

        return FindByHash(key, (uint)key.GetHashCode());
    }

    /// <summary>Adds a key that is not there, and gives its place.</summary>
    /// <exception cref="KeyLimitException">There are as many keys as allowed.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key)
    {
        if (IsFull)
        {
            throw new KeyLimitException(maxKeys);
        }

        byte group = (byte)StableHash.GroupOf(key);
        int place = _firstFree;
        if (place != None)
        {
            _firstFree = _entries[place].NextFree;
        }
        else
        {
            if (Places == _entries.Length)
            {
                Grow();
            }

            place = Places++;
        }

        Count++;
        ref var entry = ref _entries[place];
        (entry.Key, entry.Hash, entry.Group, entry.NextFree) = (key, (uint)key.GetHashCode(), group, Entry.IsTaken);
        Note(in entry, place);
        return place;
    }

    /// <summary>Makes twice as many places.</summary>
    internal void Grow() => Array.Resize(ref _entries, _entries.Length * 2);

    /// <summary>Removes the key of a place.</summary>
    internal void Remove(int place)
    {
        ref var entry = ref _entries[place];
        if (_noted is not null)
        {
            _noted[WholeNumber.Of(entry.Key)] = 0;
        }
        else
        {
            EmptySlot(SlotHolding(place));
        }

        (entry.Key, entry.NextFree) = (default!, _firstFree);
        _firstFree = place;
        Count--;
        Removals++;
    }

    internal void Clear()
    {
        Array.Clear(_slots);
        Array.Clear(_noted ?? []);
        _entries.AsSpan(0, Places).Clear();
        (Places, Count, _firstFree) = (0, 0, None);
    }

    private int FindByHash(TKey key, uint hash)
    {
        for (uint slot = SlotOf(hash); ; slot = (slot + 1) & (uint)(_slots.Length - 1))
        {
            int place = _slots[slot] - 1;
            if (place < 0 || (_entries[place].Hash == hash && EqualityComparer<TKey>.Default.Equals(_entries[place].Key, key)))
            {
                return place;
            }
        }
    }

    private void Note(in Entry entry, int place)
    {
        if (_noted is not null)
        {
            if (TryReach(WholeNumber.Of(entry.Key)))
            {
                _noted[WholeNumber.Of(entry.Key)] = place + 1;
                return;
            }

            _noted = null;
        }

        if (Count * 2 > _slots.Length)
        {
            // Keys that came in any order may turn out dense: asked when there are twice as many.
            if (!WholeNumber.Is<TKey>() || !TryNoteAll())
            {
                IndexAll();
            }
        }
        else
        {
            Insert(entry.Hash, place);
        }
    }

    private bool TryReach(ulong number)
    {
        long limit = Math.Min(Math.Max(FreelyNoted, (long)MaxNotedPerKey * Count), Array.MaxLength);
        if (number >= (ulong)Math.Max(limit, _noted!.Length))
        {
            return false;
        }

        if (number >= (ulong)_noted.Length)
        {
            Array.Resize(ref _noted, (int)Math.Max((long)number + 1, Math.Min(_noted.Length * 2L, limit)));
        }

        return true;
    }

    private bool TryNoteAll()
    {
        ulong highest = 0;
        for (int place = 0; place < Places; place++)
        {
            highest = Math.Max(highest, _entries[place].IsLive ? WholeNumber.Of(_entries[place].Key) : 0);
        }

        _noted = [];
        if (!TryReach(highest))
        {
            _noted = null;
            return false;
        }

        _slots = [];
        for (int place = 0; place < Places; place++)
        {
            if (_entries[place].IsLive)
            {
                _noted[WholeNumber.Of(_entries[place].Key)] = place + 1;
            }
        }

        return true;
    }

    private void IndexAll()
    {
        int slots = Math.Max(InitialSlots, (int)BitOperations.RoundUpToPowerOf2((uint)Count * 4));
        _slots = new int[slots];
        _shift = 64 - BitOperations.Log2((uint)slots);
        for (int place = 0; place < Places; place++)
        {
            if (_entries[place].IsLive)
            {
                Insert(_entries[place].Hash, place);
            }
        }
    }

    private uint SlotOf(uint hash) => (uint)(hash * Golden >> _shift);

    private void Insert(uint hash, int place)
    {
        uint slot = SlotOf(hash);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = place + 1;
    }

    private uint SlotHolding(int place)
    {
        uint slot = SlotOf(_entries[place].Hash);
        while (_slots[slot] != place + 1)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        return slot;
    }

    /// <summary>Empties a slot and moves back what a longer probe had put behind it (Knuth, volume 3, 6.4, algorithm R).</summary>
    private void EmptySlot(uint hole)
    {
        uint mask = (uint)(_slots.Length - 1);
        for (uint slot = (hole + 1) & mask; _slots[slot] != 0; slot = (slot + 1) & mask)
        {
            uint home = SlotOf(_entries[_slots[slot] - 1].Hash);
            if (((slot - home) & mask) >= ((slot - hole) & mask))
            {
                _slots[hole] = _slots[slot];
                hole = slot;
            }
        }

        _slots[hole] = 0;
    }

    internal struct Entry
    {
        internal const int IsTaken = -2;

        internal TKey Key;
        internal uint Hash;

        /// <summary>The next free place, where this one is free.</summary>
        internal int NextFree;
        internal byte Group;
        internal TState State;

        internal readonly bool IsLive => NextFree == IsTaken;
    }
}
