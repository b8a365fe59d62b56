using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// States by key whose places never move, so that a queue may name them by number; places of keys that have gone are given to keys that come.
/// </summary>
/// <remarks>
/// Slots of 4 bytes hold places. Where keys are whole numbers and dense, the key itself says its slot. Else slots are found by linear probing at a load of
/// at most one half, as in <see cref="KeyedMap{TKey, TState}"/>, whose dense entries move when a key goes.
/// </remarks>
internal sealed class WindowKeys<TKey, TState>(int maxKeys)
    where TKey : notnull
{
    private const int None = -1;
    private const int InitialSlots = 64;
    private const int LargePlaces = 65_536;
    private const int FreeSlots = 8_192; // 32 KiB, a share of the first cache, whatever the number of keys
    private const int LineBytes = 64;
    private const int UsedBytes = 40; // of a line, by a key of 4 bytes and a state of sums
    private const byte NoGroup = byte.MaxValue;
    private const int MaxSlotsPerKey = 4; // as many as hashing takes at its emptiest
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    private int[] _slots = new int[InitialSlots];
    private Entry[] _places = new Entry[InitialSlots / 2];
    private byte[] _groups = new byte[InitialSlots / 2];
    private int _shift = 64 - BitOperations.Log2(InitialSlots);
    private bool _isDirect = WholeNumber.Is<TKey>();
    private int _used;
    private int _free = None;

    /// <summary>How many keys there are.</summary>
    internal int Count { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry At(int place) => ref _places[place];

    /// <summary>What stands at the first place, from which a loop finds the others; stale once a key was added or removed.</summary>
    internal ref Entry AtFirst => ref MemoryMarshal.GetArrayDataReference(_places);

    /// <summary>Asks for what stands at a place, ahead of its use. Any number will do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(int place)
    {
        ref var entry = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_places), place);
        Ahead.PrefetchAt(ref entry);
        Ahead.PrefetchAt(ref Unsafe.AddByteOffset(ref entry, UsedBytes));
    }

    /// <summary>
    /// The key groups by place, and of places that were given up a number that is none: apart from the entries, so that putting keys in order of them stays
    /// in the first cache.
    /// </summary>
    internal byte[] Groups => _groups;

    /// <summary>The key's place, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(TKey key)
    {
        if (WholeNumber.Is<TKey>() && _isDirect)
        {
            ulong number = WholeNumber.Of(key);
            int[] direct = _slots;
            return number < (ulong)direct.Length ? direct[number] - 1 : None;
        }

        return FindHashed(key);
    }

    /// <summary>Adds a key that is not there. References into the places are stale then.</summary>
    /// <exception cref="KeyLimitException">There are as many keys as allowed.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key)
    {
        if (Count >= maxKeys)
        {
            throw new KeyLimitException(maxKeys);
        }

        MakeSlots(key);
        int place = Rent();
        Count++;
        uint hash = (uint)key.GetHashCode();
        _places[place] = new Entry { Key = key, Hash = hash };
        _groups[place] = (byte)StableHash.GroupOf(key);
        TakeSlot(place);
        return place;
    }

    internal void Remove(int place)
    {
        if (_isDirect)
        {
            _slots[WholeNumber.Of(_places[place].Key)] = 0;
        }
        else
        {
            EmptySlot(SlotHolding(place));
        }

        _places[place] = new Entry { Key = default!, Hash = (uint)_free };
        _groups[place] = NoGroup;
        _free = place;
        if (--Count == 0 && _places.Length > LargePlaces)
        {
            // A burst of keys has gone, and with it what it took.
            _slots = new int[InitialSlots];
            _places = new Entry[InitialSlots / 2];
            _groups = new byte[InitialSlots / 2];
            _shift = 64 - BitOperations.Log2(InitialSlots);
            (_used, _free, _isDirect) = (0, None, WholeNumber.Is<TKey>());
        }
    }

    /// <summary>Whether a key has this place, which one has or had.</summary>
    internal bool IsTaken(int place) => _groups[place] != NoGroup;

    /// <summary>The places that keys have, lowest first.</summary>
    internal IEnumerable<int> Taken()
    {
        for (int place = 0; place < _used; place++)
        {
            if (IsTaken(place))
            {
                yield return place;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Matches(in Entry entry, TKey key, uint hash) =>
        (typeof(TKey).IsValueType || entry.Hash == hash) && EqualityComparer<TKey>.Default.Equals(entry.Key, key);

    private int Rent()
    {
        if (_free != None)
        {
            int place = _free;
            _free = (int)_places[place].Hash;
            return place;
        }

        if (_used == _places.Length)
        {
            Array.Resize(ref _places, _used * 2);
            Array.Resize(ref _groups, _used * 2);
        }

        return _used++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int FindHashed(TKey key)
    {
        uint hash = (uint)key.GetHashCode();
        int[] slots = _slots;
        uint mask = (uint)(slots.Length - 1);
        uint slot = (uint)(hash * Golden >> _shift) & mask;
        while (true)
        {
            int place = slots[slot] - 1;
            if (place < 0 || Matches(in _places[place], key, hash))
            {
                return place;
            }

            slot = (slot + 1) & mask;
        }
    }

    /// <summary>Makes sure that one more key finds a slot.</summary>
    private void MakeSlots(TKey key)
    {
        if (_isDirect)
        {
            ulong number = WholeNumber.Of(key);
            if (number < (ulong)_slots.Length)
            {
                return;
            }

            if (number < (ulong)DirectLimit)
            {
                Array.Resize(ref _slots, (int)Math.Max((long)number + 1, Math.Min(_slots.Length * 2L, DirectLimit)));
                return;
            }

            _isDirect = false;
            Index((int)Math.Max(InitialSlots, BitOperations.RoundUpToPowerOf2((uint)Count + 1) * 4));
        }
        else if ((Count + 1) * 2 > _slots.Length && !TryBecomeDirect(key))
        {
            Index(_slots.Length * 2);
        }
    }

    private long DirectLimit => Math.Min(Math.Max(FreeSlots, MaxSlotsPerKey * (Count + 1L)), Array.MaxLength);

    /// <summary>Keys that came in any order may turn out dense. Asked where the slots are full, and so for twice as many keys each time.</summary>
    private bool TryBecomeDirect(TKey key)
    {
        if (!WholeNumber.Is<TKey>())
        {
            return false;
        }

        ulong highest = WholeNumber.Of(key);
        foreach (int place in Taken())
        {
            highest = Math.Max(highest, WholeNumber.Of(_places[place].Key));
        }

        if (highest >= (ulong)DirectLimit)
        {
            return false;
        }

        _isDirect = true;
        Index((int)highest + 1);
        return true;
    }

    private void Index(int slots)
    {
        _slots = new int[slots];
        _shift = 64 - BitOperations.Log2((uint)slots);
        for (int place = 0; place < _used; place++)
        {
            if (IsTaken(place))
            {
                TakeSlot(place);
            }
        }
    }

    private void TakeSlot(int place)
    {
        if (_isDirect)
        {
            _slots[WholeNumber.Of(_places[place].Key)] = place + 1;
            return;
        }

        uint slot = (uint)(_places[place].Hash * Golden >> _shift);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = place + 1;
    }

    private uint SlotHolding(int place)
    {
        uint slot = (uint)(_places[place].Hash * Golden >> _shift);
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
        uint slot = hole;
        while (true)
        {
            slot = (slot + 1) & mask;
            int place = _slots[slot] - 1;
            if (place < 0)
            {
                break;
            }

            uint home = (uint)(_places[place].Hash * Golden >> _shift);
            if (((slot - home) & mask) >= ((slot - hole) & mask))
            {
                _slots[hole] = place + 1;
                hole = slot;
            }
        }

        _slots[hole] = 0;
    }

    /// <summary>
    /// What stands at a place: as long as a line of the cache, or more where a state is that large. Packed, where it has no references, and so most lie in one
    /// line where they would lie across two if they stood closer.
    /// </summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4, Size = LineBytes)]
    internal struct Entry
    {
        internal TKey Key;

        /// <summary>The key's hash; where the place is free, the next free one.</summary>
        internal uint Hash;
        internal TState State;
    }
}
