using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// States by key that are only added and, all at once, forgotten: what a window needs. While it is small, key and state stand together in an
/// open-addressing table, so an update touches one place; once the table would leave the second cache, entries move together and an index of
/// 4-byte slots points at them.
/// </summary>
/// <remarks>
/// Fibonacci hashing puts the running numbers of devices far apart, so a load of at most one half has next to no collisions. Measured with
/// 24-byte events: the small form is a fifth faster at 1,000 keys, the large one twice as fast at 100,000.
/// </remarks>
internal sealed class StateTable<TKey, TState>
    where TKey : notnull
{
    private const int InitialPlaces = 64;
    private const int MaxSmallBytes = 512 * 1024; // half of the second cache of the cores that servers have
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    private readonly int _maxKeys;

    // Small: places by hash, and the places taken in order of first appearance.
    private Entry[] _places;
    private int[] _taken = new int[InitialPlaces / 2];
    private int _placeShift;

    // Large: entries in order of first appearance, and slots by hash that hold an entry's index and one.
    private Entry[] _entries = [];
    private int[] _slots = [];
    private int _slotShift;
    private int _count;

    internal StateTable(int maxKeys)
    {
        _maxKeys = maxKeys;
        _places = NewPlaces(InitialPlaces);
    }

    internal int Count => _count;

    /// <summary>Whether it is worth keeping for the next window: one grown by a burst of keys is let go.</summary>
    internal bool IsWellUsed => _entries.Length <= 65_536 || _count * 8L >= _entries.Length;

    internal bool IsLarge => _slots.Length > 0;

    /// <summary>An entry by its order of first appearance.</summary>
    internal ref Entry At(int index) => ref IsLarge ? ref _entries[index] : ref _places[_taken[index]];

    /// <summary>The key's state; a new key gets the default state.</summary>
    /// <exception cref="KeyLimitException">The key is new and there are as many keys as allowed.</exception>
    internal ref TState GetOrAdd(TKey key)
    {
        uint hash = (uint)key.GetHashCode();
        ref TState state = ref Unsafe.NullRef<TState>();
        if (IsLarge)
        {
            state = ref new LargeView(this).Find(key, hash);
        }
        else
        {
            state = ref new SmallView(this).Find(key, hash);
        }

        if (Unsafe.IsNullRef(ref state))
        {
            return ref Add(key, hash);
        }

        return ref state;
    }

    internal void Clear()
    {
        if (IsLarge)
        {
            Array.Clear(_slots);
            _entries.AsSpan(0, _count).Clear();
        }
        else
        {
            foreach (int place in _taken.AsSpan(0, _count))
            {
                _places[place] = default;
            }
        }

        _count = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Matches(in Entry entry, TKey key, uint hash) =>
        (typeof(TKey).IsValueType || entry.Hash == hash) && EqualityComparer<TKey>.Default.Equals(entry.Key, key);

    /// <summary>Adds a key that is not there. Views are stale then.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref TState Add(TKey key, uint hash)
    {
        if (_count >= _maxKeys)
        {
            throw new KeyLimitException(_maxKeys);
        }

        ref var added = ref IsLarge ? ref AddLarge(hash) : ref AddSmall(hash);
        added.Key = key;
        added.Hash = hash;
        added.Group = (byte)StableHash.GroupOf(key);
        added.IsTaken = true;
        return ref added.State;
    }

    private ref Entry AddSmall(uint hash)
    {
        if ((_count + 1) * 2 > _places.Length)
        {
            if (_places.Length * 2L * Unsafe.SizeOf<Entry>() > MaxSmallBytes)
            {
                BecomeLarge();
                return ref AddLarge(hash);
            }

            GrowPlaces();
        }

        int place = FreePlace(hash);
        _taken[_count++] = place;
        return ref _places[place];
    }

    private ref Entry AddLarge(uint hash)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
            Index(_entries.Length * 2);
        }

        TakeSlot(hash, _count);
        return ref _entries[_count++];
    }

    private int FreePlace(uint hash)
    {
        uint place = (uint)(hash * Golden >> _placeShift);
        while (_places[place].IsTaken)
        {
            place = (place + 1) & (uint)(_places.Length - 1);
        }

        return (int)place;
    }

    private void TakeSlot(uint hash, int index)
    {
        uint slot = (uint)(hash * Golden >> _slotShift);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = index + 1;
    }

    private void GrowPlaces()
    {
        var old = _places;
        _places = NewPlaces(old.Length * 2);
        Array.Resize(ref _taken, old.Length);
        for (int i = 0; i < _count; i++)
        {
            ref var entry = ref old[_taken[i]];
            _taken[i] = FreePlace(entry.Hash);
            _places[_taken[i]] = entry;
        }
    }

    private void BecomeLarge()
    {
        _entries = new Entry[_places.Length];
        for (int i = 0; i < _count; i++)
        {
            _entries[i] = _places[_taken[i]];
        }

        Index(_entries.Length * 2);
        _places = [];
        _taken = [];
    }

    private void Index(int slots)
    {
        _slots = new int[slots];
        _slotShift = 64 - BitOperations.Log2((uint)slots);
        for (int i = 0; i < _count; i++)
        {
            TakeSlot(_entries[i].Hash, i);
        }
    }

    private Entry[] NewPlaces(int places)
    {
        _placeShift = 64 - BitOperations.Log2((uint)places);
        return new Entry[places];
    }

    /// <summary>
    /// The small form as a loop over a batch sees it, in registers; stale once a key was added. Nothing is checked against bounds: the shift leaves
    /// as many bits as the table is long.
    /// </summary>
    internal readonly ref struct SmallView
    {
        private readonly ref Entry _places;
        private readonly int _shift;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal SmallView(StateTable<TKey, TState> table)
        {
            _places = ref MemoryMarshal.GetArrayDataReference(table._places);
            _shift = table._placeShift;
        }

        /// <summary>The key's state, or a null reference.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref TState Find(TKey key, uint hash)
        {
            uint place = (uint)(hash * Golden >> _shift);
            while (true)
            {
                ref var entry = ref Unsafe.Add(ref _places, place);
                if (!entry.IsTaken)
                {
                    return ref Unsafe.NullRef<TState>();
                }

                if (Matches(in entry, key, hash))
                {
                    return ref entry.State;
                }

                place = (place + 1) & (uint)(ulong.MaxValue >> _shift);
            }
        }
    }

    /// <summary>The large form in the same way: a slot holds 0, or the number of an entry that exists.</summary>
    internal readonly ref struct LargeView
    {
        private readonly ref int _slots;
        private readonly ref Entry _entries;
        private readonly int _shift;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal LargeView(StateTable<TKey, TState> table)
        {
            _slots = ref MemoryMarshal.GetArrayDataReference(table._slots);
            _entries = ref MemoryMarshal.GetArrayDataReference(table._entries);
            _shift = table._slotShift;
        }

        /// <summary>The key's state, or a null reference.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref TState Find(TKey key, uint hash)
        {
            uint slot = (uint)(hash * Golden >> _shift);
            while (true)
            {
                int number = Unsafe.Add(ref _slots, slot);
                if (number == 0)
                {
                    return ref Unsafe.NullRef<TState>();
                }

                ref var entry = ref Unsafe.Add(ref _entries, (uint)(number - 1));
                if (Matches(in entry, key, hash))
                {
                    return ref entry.State;
                }

                slot = (slot + 1) & (uint)(ulong.MaxValue >> _shift);
            }
        }
    }

    internal struct Entry
    {
        internal TKey Key;
        internal uint Hash;
        internal byte Group;
        internal bool IsTaken;
        internal TState State;
    }
}
