using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// Keyed state: an index of slots beside dense entries that hold key and state together, in order of first appearance. A look-up gives a
/// reference to the state, so an update is one look-up and no copy.
/// </summary>
/// <remarks>
/// Linear probing at a load of at most one half; removal shifts the run back, so there are no tombstones. Dense entries iterate fast and
/// in an order that does not depend on hash codes; an index of 4-byte slots stays in cache where the states no longer do.
/// </remarks>
internal sealed class KeyedMap<TKey, TState>(int maxKeys = int.MaxValue)
    where TKey : notnull
{
    private const int InitialSlots = 16;
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    private int[] _slots = new int[InitialSlots];
    private Entry[] _entries = new Entry[InitialSlots / 2];
    private int _shift = 64 - BitOperations.Log2(InitialSlots);
    private int _count;

    internal int Count => _count;

    /// <summary>Whether it is worth keeping for the next window: one grown by a burst of keys is let go.</summary>
    internal bool IsWellUsed => _entries.Length <= 65_536 || _count * 8L >= _entries.Length;

    internal Span<Entry> Entries => _entries.AsSpan(0, _count);

    /// <summary>The key's state; a new key gets the default state.</summary>
    /// <exception cref="KeyLimitException">The key is new and there are as many keys as allowed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref TState GetOrAdd(TKey key, out bool added)
    {
        int index = new View(this).IndexOf(key, out uint hash);
        added = index < 0;
        if (added)
        {
            index = Add(key, hash);
        }

        return ref _entries[index].State;
    }

    /// <summary>The key's state, or a null reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref TState Find(TKey key)
    {
        int index = IndexOf(key);
        if (index < 0)
        {
            return ref Unsafe.NullRef<TState>();
        }

        return ref _entries[index].State;
    }

    /// <summary>The index of the key's entry, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int IndexOf(TKey key) => new View(this).IndexOf(key, out _);

    /// <summary>Removes a key. The last entry moves into its place.</summary>
    /// <returns>The index that the last entry had before it moved, or -1 where no key was removed.</returns>
    internal int Remove(TKey key)
    {
        int index = IndexOf(key);
        if (index < 0)
        {
            return -1;
        }

        EmptySlot(SlotHolding(index));
        int last = --_count;
        if (index != last)
        {
            _slots[SlotHolding(last)] = index + 1;
            _entries[index] = _entries[last];
        }

        _entries[last] = default;
        return last;
    }

    internal void Clear()
    {
        Array.Clear(_slots);
        _entries.AsSpan(0, _count).Clear();
        _count = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint HashOf(TKey key) => (uint)key.GetHashCode();

    /// <summary>Fibonacci hashing: the product's top bits spread codes that differ in few bits, as device numbers do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint SlotOf(uint hash) => (uint)(hash * Golden >> _shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Matches(in Entry entry, TKey key, uint hash) => typeof(TKey).IsValueType
        ? EqualityComparer<TKey>.Default.Equals(entry.Key, key)
        : entry.Hash == hash && EqualityComparer<TKey>.Default.Equals(entry.Key, key);

    /// <summary>Adds a key that is not there, and gives its entry's index.</summary>
    internal int Add(TKey key, uint hash) => Add(key, hash, (byte)StableHash.GroupOf(key));

    /// <summary>The same with a group that is not that of the key alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key, uint hash, byte group)
    {
        if (_count >= maxKeys)
        {
            throw new KeyLimitException(maxKeys);
        }

        if ((_count + 1) * 2 > _slots.Length)
        {
            Grow();
        }

        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        int index = _count++;
        Insert(hash, index);
        ref var entry = ref _entries[index];
        entry.Key = key;
        entry.Hash = hash;
        entry.Group = group;
        return index;
    }

    private void Grow()
    {
        _slots = new int[_slots.Length * 2];
        _shift--;
        for (int i = 0; i < _count; i++)
        {
            Insert(_entries[i].Hash, i);
        }
    }

    private void Insert(uint hash, int index)
    {
        uint slot = SlotOf(hash);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = index + 1;
    }

    private uint SlotHolding(int index)
    {
        uint slot = SlotOf(_entries[index].Hash);
        while (_slots[slot] != index + 1)
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
            int index = _slots[slot] - 1;
            if (index < 0)
            {
                break;
            }

            uint home = SlotOf(_entries[index].Hash);
            if (((slot - home) & mask) >= ((slot - hole) & mask))
            {
                _slots[hole] = index + 1;
                hole = slot;
            }
        }

        _slots[hole] = 0;
    }

    /// <summary>
    /// The map as a loop over a batch sees it, in registers; stale once a key was added or removed. Nothing here is checked against bounds: a
    /// slot comes out of a shift that leaves as many bits as the index is long, and holds 0 or the number of an entry that exists.
    /// </summary>
    internal readonly ref struct View
    {
        private readonly ref int _slots;
        private readonly ref Entry _entries;
        private readonly int _shift;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal View(KeyedMap<TKey, TState> map)
        {
            _slots = ref MemoryMarshal.GetArrayDataReference(map._slots);
            _entries = ref MemoryMarshal.GetArrayDataReference(map._entries);
            _shift = map._shift;
        }

        /// <summary>The index of the key's entry, or -1; the hash is for <see cref="Add(TKey, uint)"/>.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal int IndexOf(TKey key, out uint hash)
        {
            hash = HashOf(key);
            uint slot = (uint)(hash * Golden >> _shift);
            while (true)
            {
                int index = Unsafe.Add(ref _slots, slot) - 1;
                if (index < 0 || Matches(in Unsafe.Add(ref _entries, (uint)index), key, hash))
                {
                    return index;
                }

                slot = (slot + 1) & (uint)(ulong.MaxValue >> _shift);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref TState StateAt(int index) => ref Unsafe.Add(ref _entries, (uint)index).State;

        /// <summary>Where an entry begins; to ask for its state's place would read there.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref Entry EntryAt(int index) => ref Unsafe.Add(ref _entries, (uint)index);
    }

    internal struct Entry
    {
        internal TKey Key;
        internal uint Hash;
        internal byte Group;
        internal TState State;
    }
}

/// <summary>An operator holds as many keys as <c>KeyBy(..., maxKeys)</c> allows, and met one more.</summary>
#pragma warning disable CA1032 // the limit is what it is for
public sealed class KeyLimitException : InvalidOperationException
#pragma warning restore CA1032
{
    /// <summary>An operator met one key too many.</summary>
    /// <param name="maxKeys">The limit.</param>
    public KeyLimitException(int maxKeys)
        : this(maxKeys, $"An operator met more than {maxKeys:N0} keys at a time, or has too many states of them in windows that are open together. Raise the limit with KeyBy(..., maxKeys: ...), or key by something with fewer values.")
    {
    }

    internal KeyLimitException(int maxKeys, string message)
        : base(message) => MaxKeys = maxKeys;

    /// <summary>The limit.</summary>
    public int MaxKeys { get; }
}
