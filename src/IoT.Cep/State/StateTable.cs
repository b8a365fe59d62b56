using System.Numerics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// States by key that are only added and, all at once, forgotten: what a window needs. It has three forms. Direct, for keys that are whole numbers
/// and dense: the key says where its state stands. Else, while it is small, key and state stand together in an open-addressing table, so an update
/// touches one place; once the table would leave the second cache, entries move together and an index of 4-byte slots points at them.
/// </summary>
/// <remarks>
/// Nothing that can be seen depends on the form: states are numbered by their first appearance, and given out by key group and number. Fibonacci
/// hashing puts the running numbers of devices far apart, so a load of at most one half has next to no collisions. Measured with 24-byte events: the
/// small form is a fifth faster at 1,000 keys than the large one, which is twice as fast at 100,000.
/// </remarks>
internal sealed partial class StateTable<TKey, TState>
    where TKey : notnull
{
    private const int InitialPlaces = 64;

    private readonly int _maxKeys;

    // By first appearance: each key's group, and the place it took where that is not its number, which it is in the large form.
    private byte[] _groups = new byte[InitialPlaces / 2];
    private int[] _taken = new int[InitialPlaces / 2];
    private int _count;

    // Direct: places by key.
    private DirectStates<TState>? _direct;

    internal StateTable(int maxKeys)
    {
        _maxKeys = maxKeys;
        if (WholeNumber.Is<TKey>())
        {
            _direct = new DirectStates<TState>();
        }
        else
        {
            _places = NewPlaces(InitialPlaces);
        }
    }

    internal int Count => _count;

    /// <summary>Whether it is worth keeping for the next window: one grown by a burst of keys is let go.</summary>
    internal bool IsWellUsed
    {
        get
        {
            int length = _direct?.Length ?? _entries.Length;
            return length <= 65_536 || _count * 8L >= length;
        }
    }

    /// <summary>The states by place, where keys say their places.</summary>
    internal DirectStates<TState>? Direct => _direct;

    internal bool IsLarge => _slots.Length > 0;

    internal bool IsSmall => _places.Length > 0;

    /// <summary>A key and its state by the order of first appearance.</summary>
    internal Slot At(int index) => InPlace(IsLarge ? index : _taken[index]);

    /// <summary>A key and its state by place.</summary>
    internal Slot InPlace(int place)
    {
        if (_direct is not null)
        {
            return new Slot(WholeNumber.ToKey<TKey>(place), ref _direct[place]);
        }

        ref var entry = ref IsLarge ? ref _entries[place] : ref _places[place];
        return new Slot(entry.Key, ref entry.State);
    }

    /// <summary>
    /// Writes the places in order of key group and first appearance, so that results come in the same order from any number of shards: a counting sort.
    /// </summary>
    internal void Order(Span<int> places)
    {
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        var groups = _groups.AsSpan(0, _count);
        foreach (byte group in groups)
        {
            next[group + 1]++;
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        for (int i = 0; i < groups.Length; i++)
        {
            places[next[groups[i]]++] = IsLarge ? i : _taken[i];
        }
    }

    /// <summary>The key's state; a new key gets the default state.</summary>
    /// <exception cref="KeyLimitException">The key is new and there are as many keys as allowed.</exception>
    internal ref TState GetOrAdd(TKey key)
    {
        ref TState state = ref Find(key);
        if (Unsafe.IsNullRef(ref state))
        {
            return ref Add(key);
        }

        return ref state;
    }

    /// <summary>The key's state, or a null reference.</summary>
    internal ref TState Find(TKey key)
    {
        if (_direct is not null)
        {
            ulong place = WholeNumber.Of(key);
            if (!_direct.IsTaken(place))
            {
                return ref Unsafe.NullRef<TState>();
            }

            return ref _direct[(int)place];
        }

        if (IsLarge)
        {
            return ref new LargeView(this).Find(key, (uint)key.GetHashCode());
        }

        return ref new SmallView(this).Find(key, (uint)key.GetHashCode());
    }

    internal void Clear()
    {
        if (_direct is not null)
        {
            _direct.Clear(_taken.AsSpan(0, _count));
        }
        else if (IsLarge)
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

    /// <summary>Adds a key that is not there. Views are stale then, and the form may be another one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref TState Add(TKey key)
    {
        if (_count >= _maxKeys)
        {
            throw new KeyLimitException(_maxKeys);
        }

        if (_count == _groups.Length)
        {
            Array.Resize(ref _groups, _count * 2);
        }

        if (!IsLarge && _count == _taken.Length)
        {
            Array.Resize(ref _taken, _count * 2);
        }

        byte group = (byte)StableHash.GroupOf(key);
        if (_direct is null && IsFull)
        {
            Grow();
        }

        if (_direct is not null && !_direct.TryTake(WholeNumber.Of(key), _count + 1))
        {
            BecomeHashed();
        }

        _groups[_count] = group;
        if (_direct is not null)
        {
            int place = (int)WholeNumber.Of(key);
            _taken[_count++] = place;
            return ref _direct[place];
        }

        ref var added = ref NewEntry(key);
        _count++;
        return ref added.State;
    }

    private void Grow()
    {
        if (WholeNumber.Is<TKey>() && TryBecomeDirect())
        {
            return;
        }

        if (IsLarge)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
            Index(_entries.Length * 2);
        }
        else if (!FitsSmall(_places.Length * 2))
        {
            BecomeLarge();
        }
        else
        {
            Rehash(_places.Length * 2);
        }
    }

    /// <summary>
    /// Keys that came in any order may turn out dense. Asked where the hashed form is full: so a table that goes to and fro has twice as many keys
    /// each time.
    /// </summary>
    private bool TryBecomeDirect()
    {
        var direct = new DirectStates<TState>();
        ulong highest = 0;
        for (int i = 0; i < _count; i++)
        {
            highest = Math.Max(highest, WholeNumber.Of(At(i).Key));
        }

        if (!direct.TryReach(highest, _count))
        {
            return false;
        }

        int[] taken = new int[_groups.Length];
        for (int i = 0; i < _count; i++)
        {
            var slot = At(i);
            ulong place = WholeNumber.Of(slot.Key);
            direct.TryTake(place, _count);
            direct[(int)place] = slot.State;
            taken[i] = (int)place;
        }

        (_direct, _taken, _places, _entries, _slots) = (direct, taken, [], [], []);
        return true;
    }

    private void BecomeHashed()
    {
        var places = _taken.AsSpan(0, _count);
        var direct = _direct!;
        _direct = null;

        // Room for twice as many, so that it does not at once look whether they are dense again.
        int room = (int)Math.Max(InitialPlaces, BitOperations.RoundUpToPowerOf2((uint)_count + 1) * 4);
        if (FitsSmall(room))
        {
            _places = NewPlaces(room);
        }
        else
        {
            _entries = new Entry[room / 2];
            _count = 0;
            Index(room);
            _taken = [];
        }

        for (_count = 0; _count < places.Length; _count++)
        {
            int place = places[_count];
            NewEntry(WholeNumber.ToKey<TKey>(place)).State = direct[place];
        }
    }

    /// <summary>A key and where its state stands, until a key is added.</summary>
    internal readonly ref struct Slot(TKey key, ref TState state)
    {
        private readonly ref TState _state = ref state;

        internal TKey Key => key;

        internal ref TState State => ref _state;
    }
}
