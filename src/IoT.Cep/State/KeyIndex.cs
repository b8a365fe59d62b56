using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// Numbers keys, so that what is kept of them stands in columns: one look-up serves as many columns as an event touches, and what is done for all
/// keys runs through memory in order. Keys can be forgotten one by one; their numbers are given anew when the index is put in order.
/// </summary>
/// <remarks>
/// A slot holds the hash beside the number, so that a look-up of an <see langword="int"/>, whose hash is the key, touches one cache line, and any
/// other key's seldom a wrong entry. Fibonacci hashing at a load of at most four fifths: eight slots are a cache line. Keys that
/// are whole numbers and dense need no slots: they say themselves where their numbers stand. Within a key group, numbers rise in order of first
/// appearance: what the index gives in order depends neither on that nor on how many shards there are.
/// </remarks>
internal sealed partial class KeyIndex<TKey>
    where TKey : notnull
{
    private const int InitialSlots = 64;
    private const int Forgotten = -1;
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio

    /// <summary>Below this many, sorting costs nothing, and going through one key in sixteen out of order costs as much as through all others.</summary>
    private const int FewKeys = 1024;

    /// <summary>A table grown by a burst of keys is let go above this.</summary>
    private const int KeptEntries = 65_536;

    private readonly int _maxKeys;

    private Entry[] _entries = new Entry[InitialSlots / 2];
    private Entry[] _spare = [];
    private int _sorted;
    private int[] _order = [];
    private int[] _tail = [];

    /// <summary>How many keys stood apart from their groups, over all times that keys were gone through.</summary>
    private long _detours;
    private bool _isOrderKnown;

    internal KeyIndex(int maxKeys)
    {
        _maxKeys = maxKeys;
        if (WholeNumber.Is<TKey>())
        {
            _places = new int[InitialSlots];
        }
        else
        {
            Index(InitialSlots);
        }
    }

    /// <summary>Whether a key's hash says all about it.</summary>
    private static bool IsHashTheKey => typeof(TKey) == typeof(int) || typeof(TKey) == typeof(uint);

    /// <summary>All numbers are below this one.</summary>
    internal int Count { get; private set; }

    /// <summary>How many keys there are.</summary>
    internal int Live { get; private set; }

    internal bool IsFull => Live >= _maxKeys;

    internal int MaxKeys => _maxKeys;

    /// <summary>How long columns have to be; it grows when keys are added.</summary>
    internal int Capacity => _entries.Length;

    /// <summary>Where keys say their places: the key's number and one, 0 where it has none. Stale once a key was added.</summary>
    internal int[]? Places => _places;

    internal ref Entry At(int number) => ref _entries[number];

    /// <summary>Whether keys came, or went, in such numbers that going through them in order of key groups is slow.</summary>
    internal bool WantsSorting => Unsorted > Math.Max(FewKeys, Live / 16) || _detours > Live / 2 || (Live == 0 && Count > 0);

    private int Unsorted => Count - _sorted + (Count - Live);

    /// <summary>The key's number, or -1.</summary>
    internal int Find(TKey key) => new View(this).Find(key, (uint)key.GetHashCode());

    /// <summary>Numbers a key that is not there. Views are stale then.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key, uint hash)
    {
        if (_places is not null && !TryReach(WholeNumber.Of(key), Live + 1))
        {
            _places = null;
            Index(SlotsFor(Live + 1));
        }

        if (_places is null && (_used + 1) * 5L > _slots.Length * 4L)
        {
            GrowSlots(WholeNumber.Is<TKey>() ? WholeNumber.Of(key) : 0);
        }

        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        int number = Count++;
        _entries[number] = new Entry { Key = key, Hash = hash, Group = (byte)StableHash.GroupOf(key), IsLive = true };
        Take(in _entries[number], number);
        Live++;
        _isOrderKnown = false;
        return number;
    }

    /// <summary>Forgets a key. Its number is not used again until keys are sorted.</summary>
    internal void Forget(int number)
    {
        ref var entry = ref _entries[number];
        if (_places is not null)
        {
            _places[WholeNumber.Of(entry.Key)] = 0;
        }
        else
        {
            uint slot = SlotOf(entry.Hash);
            while (_slots[slot].Number != number + 1)
            {
                slot = (slot + 1) & (uint)(_slots.Length - 1);
            }

            _slots[slot] = new Slot(entry.Hash, Forgotten);
        }

        entry = default;
        Live--;
        _isOrderKnown = false;
    }

    /// <summary>The keys' numbers by key group, equal ones in order of first appearance.</summary>
    internal ReadOnlySpan<int> InOrder()
    {
        _detours += Unsorted;
        if (!_isOrderKnown)
        {
            Pooled.Ensure(ref _order, Live);
            SortInto(_order);
            _isOrderKnown = true;
        }

        return _order.AsSpan(0, Live);
    }

    /// <summary>
    /// Numbers the keys anew in the order of <see cref="InOrder"/>. Gives the old numbers by new ones, valid until the next change: columns are to
    /// follow.
    /// </summary>
    internal ReadOnlySpan<int> Sort()
    {
        var order = InOrder();
        int capacity = _entries.Length <= KeptEntries || Live * 8L >= _entries.Length ? _entries.Length : Math.Max(InitialSlots / 2, (int)BitOperations.RoundUpToPowerOf2((uint)Live * 2));
        var sorted = _spare.Length == capacity ? _spare : new Entry[capacity];
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = _entries[order[i]];
        }

        _entries.AsSpan(0, Count).Clear();
        (_entries, _spare) = (sorted, _entries);
        Count = _sorted = Live;
        _detours = 0;
        IndexAnew();

        _isOrderKnown = false;
        return order;
    }

    internal void Release()
    {
        Pooled.Return(ref _order, 0);
        Pooled.Return(ref _tail, 0);
    }

    private void SortInto(Span<int> order)
    {
        int tail = Count - _sorted;
        if (tail > Math.Max(FewKeys, _sorted / 16))
        {
            SortAll(order, 0);
        }
        else
        {
            Pooled.Ensure(ref _tail, tail);
            MergeInto(order, _tail.AsSpan(0, SortAll(_tail, _sorted)));
        }
    }

    /// <summary>A counting sort of the numbers from one on; gives how many there are.</summary>
    private int SortAll(Span<int> order, int from)
    {
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        var entries = _entries.AsSpan(0, Count);
        for (int i = from; i < entries.Length; i++)
        {
            next[entries[i].Group + 1] += entries[i].IsLive ? 1 : 0;
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        for (int i = from; i < entries.Length; i++)
        {
            if (entries[i].IsLive)
            {
                order[next[entries[i].Group]++] = i;
            }
        }

        return next[StableHash.KeyGroups];
    }

    /// <summary>Those that were sorted once are in order as they stand; each of the others goes behind the last of its group.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MergeInto(Span<int> order, ReadOnlySpan<int> tail)
    {
        var entries = _entries.AsSpan(0, _sorted);
        int count = 0, number = 0;
        foreach (int late in tail)
        {
            int group = _entries[late].Group;
            for (; number < entries.Length && entries[number].Group <= group; number++)
            {
                order[count] = number;
                count += Unsafe.BitCast<bool, byte>(entries[number].IsLive);
            }

            order[count++] = late;
        }

        for (; number < entries.Length; number++)
        {
            // The last may be none, behind which there is no place.
            if (entries[number].IsLive)
            {
                order[count++] = number;
            }
        }
    }

    /// <summary>The index as a loop over a batch sees it, in registers; stale once a key was added. The shift leaves as many bits as there are slots.</summary>
    internal readonly ref struct View
    {
        private readonly ref Slot _slots;
        private readonly ref Entry _entries;
        private readonly int _shift;
        private readonly ReadOnlySpan<int> _places;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal View(KeyIndex<TKey> index)
        {
            _slots = ref MemoryMarshal.GetArrayDataReference(index._slots);
            _entries = ref MemoryMarshal.GetArrayDataReference(index._entries);
            _shift = index._shift;
            _places = index._places;
        }

        /// <summary>The key's number, or -1.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal int Find(TKey key, uint hash)
        {
            if (WholeNumber.Is<TKey>() && _places.Length > 0)
            {
                ulong place = WholeNumber.Of(key);
                return place < (ulong)_places.Length ? _places[(int)place] - 1 : -1;
            }

            uint at = (uint)(hash * Golden >> _shift);
            while (true)
            {
                var slot = Unsafe.Add(ref _slots, at);
                if (slot.Number == 0)
                {
                    return -1;
                }

                if (slot.Hash == hash && slot.Number > 0
                    && (IsHashTheKey || EqualityComparer<TKey>.Default.Equals(Unsafe.Add(ref _entries, (uint)(slot.Number - 1)).Key, key)))
                {
                    return slot.Number - 1;
                }

                at = (at + 1) & (uint)(ulong.MaxValue >> _shift);
            }
        }
    }

    internal struct Entry
    {
        internal TKey Key;
        internal uint Hash;
        internal byte Group;
        internal bool IsLive;
    }

    /// <summary>A number and one; 0 for a slot that is free, less for one whose key was forgotten.</summary>
    internal readonly record struct Slot(uint Hash, int Number);
}
