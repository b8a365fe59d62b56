using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <content>The two hashed forms.</content>
internal sealed partial class StateTable<TKey, TState>
{
    private const int MaxSmallBytes = 512 * 1024; // half of the second cache of the cores that servers have
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    // Small: places by hash.
    private Entry[] _places = [];
    private int _placeShift;

    // Large: entries in order of first appearance, and slots by hash that hold an entry's index and one.
    private Entry[] _entries = [];
    private int[] _slots = [];
    private int _slotShift;

    private bool IsFull => IsLarge ? _count == _entries.Length : (_count + 1) * 2 > _places.Length;

    /// <summary>The entry of the next number, in the small or the large form, which has room for it.</summary>
    private ref Entry NewEntry(TKey key)
    {
        uint hash = (uint)key.GetHashCode();
        int place = _count;
        if (IsLarge)
        {
            TakeSlot(hash, place);
        }
        else
        {
            place = FreePlace(hash);
            _taken[_count] = place;
        }

        ref var entry = ref IsLarge ? ref _entries[place] : ref _places[place];
        entry.Key = key;
        entry.Hash = hash;
        entry.IsTaken = true;
        return ref entry;
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

    private static bool FitsSmall(int places) => (long)places * Unsafe.SizeOf<Entry>() <= MaxSmallBytes;

    private void Rehash(int places)
    {
        var old = _places;
        _places = NewPlaces(places);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Matches(in Entry entry, TKey key, uint hash) =>
        (typeof(TKey).IsValueType || entry.Hash == hash) && EqualityComparer<TKey>.Default.Equals(entry.Key, key);

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

    private struct Entry
    {
        internal TKey Key;
        internal uint Hash;
        internal bool IsTaken;
        internal TState State;
    }
}
