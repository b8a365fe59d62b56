using System.Numerics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// States by key whose places never move, so that a queue may name them by number; places of keys that have gone are given to keys that come.
/// </summary>
/// <remarks>Linear probing at a load of at most one half, as in <see cref="KeyedMap{TKey, TState}"/>, whose dense entries move when a key goes.</remarks>
internal sealed class WindowKeys<TKey, TState>(int maxKeys)
    where TKey : notnull
{
    private const int None = -1;
    private const int InitialSlots = 64;
    private const int LargePlaces = 65_536;
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    private int[] _slots = new int[InitialSlots];
    private Entry[] _places = new Entry[InitialSlots / 2];
    private int _shift = 64 - BitOperations.Log2(InitialSlots);
    private int _used;
    private int _free = None;

    /// <summary>How many keys there are.</summary>
    internal int Count { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry At(int place) => ref _places[place];

    /// <summary>The key's place, or -1; the hash is for <see cref="Add"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(TKey key, out uint hash)
    {
        hash = (uint)key.GetHashCode();
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

    /// <summary>Adds a key that is not there. References into the places are stale then.</summary>
    /// <exception cref="KeyLimitException">There are as many keys as allowed.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key, uint hash)
    {
        if (Count >= maxKeys)
        {
            throw new KeyLimitException(maxKeys);
        }

        if ((Count + 1) * 2 > _slots.Length)
        {
            Index(_slots.Length * 2);
        }

        int place = Rent();
        Count++;
        _places[place] = new Entry { Key = key, Hash = hash, Group = (byte)StableHash.GroupOf(key), IsTaken = true };
        TakeSlot(hash, place);
        return place;
    }

    internal void Remove(int place)
    {
        EmptySlot(SlotHolding(place));
        _places[place] = new Entry { Key = default!, Next = _free };
        _free = place;
        if (--Count == 0 && _places.Length > LargePlaces)
        {
            // A burst of keys has gone, and with it what it took.
            _slots = new int[InitialSlots];
            _places = new Entry[InitialSlots / 2];
            _shift = 64 - BitOperations.Log2(InitialSlots);
            (_used, _free) = (0, None);
        }
    }

    /// <summary>The places that keys have, lowest first.</summary>
    internal IEnumerable<int> Taken()
    {
        for (int place = 0; place < _used; place++)
        {
            if (_places[place].IsTaken)
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
            _free = _places[place].Next;
            return place;
        }

        if (_used == _places.Length)
        {
            Array.Resize(ref _places, _used * 2);
        }

        return _used++;
    }

    private void Index(int slots)
    {
        _slots = new int[slots];
        _shift = 64 - BitOperations.Log2((uint)slots);
        for (int place = 0; place < _used; place++)
        {
            if (_places[place].IsTaken)
            {
                TakeSlot(_places[place].Hash, place);
            }
        }
    }

    private void TakeSlot(uint hash, int place)
    {
        uint slot = (uint)(hash * Golden >> _shift);
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

    internal struct Entry
    {
        internal TKey Key;
        internal uint Hash;
        internal int Next;
        internal byte Group;
        internal bool IsTaken;
        internal TState State;
    }
}
