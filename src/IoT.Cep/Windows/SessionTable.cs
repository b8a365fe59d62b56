using System.Numerics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>One session of one key.</summary>
internal struct Session<TState> : IKeySlot
    where TState : struct
{
    /// <summary>The key's next older session; <see cref="SessionTable{TKey, TState}.Newest"/> where there is none.</summary>
    internal int Older;

    /// <summary>What of it has been given; 0 for nothing.</summary>
    internal int Given;

    internal SessionPhase Phase;

    /// <summary>The number under which it stands in the queue of what may be over; it has a meaning while all of that is in order.</summary>
    internal int Due;
    internal long First;
    internal long Last;
    internal TState State;

    /// <summary>Whether a state is made of pairs of words, as all are that are plain numbers.</summary>
    internal static bool CanKeep => Unsafe.SizeOf<TState>() % (2 * sizeof(long)) == 0;

    /// <summary>Makes the state of a session that has ended a new one, and leaves that of another: where it has no bits, and where it has all. For plain numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Keep(long goesOn)
    {
        ref long words = ref Unsafe.As<TState, long>(ref State);
        int count = Unsafe.SizeOf<TState>() / sizeof(long);

        // Most states are two or six words long: written out, since the compiler does not unroll the loop.
        Unsafe.Add(ref words, 0) &= goesOn;
        Unsafe.Add(ref words, 1) &= goesOn;
        for (int i = 2; i < count; i += 2)
        {
            Unsafe.Add(ref words, i) &= goesOn;
            Unsafe.Add(ref words, i + 1) &= goesOn;
        }
    }

    /// <summary>Makes the state of a session that has ended a new one. One that holds references was emptied when its session ended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Clear()
    {
        if (!RuntimeHelpers.IsReferenceOrContainsReferences<TState>())
        {
            State = default;
        }
    }

    /// <summary>A key's only session has ended. What it holds the caller has taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void End()
    {
        Phase = SessionPhase.None;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<TState>())
        {
            State = default;
        }
    }

    public readonly bool IsIdle(long watermark) => Phase == SessionPhase.None;
}

internal enum SessionPhase : byte
{
    /// <summary>There is no session.</summary>
    None,

    /// <summary>It has events that no result has told of.</summary>
    Changed,

    /// <summary>Its result has been given and could still be corrected.</summary>
    Given,
}

/// <summary>
/// The sessions of each key from the newest to the oldest: the newest beside its key, which is all that most events touch, older ones in places of
/// their own. A key whose sessions have ended keeps its empty place until there are as many of them as keys with sessions.
/// </summary>
internal sealed class SessionTable<TKey, TState>
    where TKey : notnull
    where TState : struct
{
    /// <summary>The place of a key's newest session; others count from 1.</summary>
    internal const int Newest = 0;

    private const int NotTidied = 1024;

    private const int CachedKeys = 4 * 1024;

    // So many keys may say where their entries are, however few there are: 32 KiB.
    private const int FreePlaces = 8 * 1024;

    private readonly KeyPlaces _places = new();
    private Session<TState>[] _older = [];
    private int _olderUsed;
    private int _olderFree;
    private int _idle;
    private ulong _highest;

    internal KeyedMap<TKey, Session<TState>> Keys { get; } = new();

    /// <summary>Whether more keys are empty than not.</summary>
    internal bool IsUntidy => _idle > NotTidied && _idle * 2L > Keys.Count;

    internal TKey KeyAt(int index) => Keys.Entries[index].Key;

    internal ref Session<TState> At(int index, int place)
    {
        if (place == Newest)
        {
            return ref Keys.Entries[index].State;
        }

        return ref _older[place - 1];
    }

    /// <summary>Whether they don't fit the second cache. Where they do, to ask for them ahead costs more than it brings.</summary>
    internal bool IsLarge => Keys.Count > CachedKeys;

    /// <summary>How many keys have sessions.</summary>
    internal int Open => Keys.Count - _idle;

    /// <summary>For keys that are whole numbers, and while they are dense: the index of each key's entry, and one.</summary>
    internal int[] Direct { get; private set; } = WholeNumber.Is<TKey>() ? new int[FreePlaces] : [];

    internal int FindOrAdd(TKey key)
    {
        int index = Keys.IndexOf(key);
        return index < 0 ? Add(key, (uint)key.GetHashCode()) : index;
    }

    /// <summary>Adds a key without sessions.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key, uint hash)
    {
        _idle++;
        int index = Keys.Add(key, hash);
        if (WholeNumber.Is<TKey>())
        {
            ulong place = WholeNumber.Of(key);
            _highest = Math.Max(_highest, place);
            if (place < (ulong)Direct.Length)
            {
                Direct[place] = index + 1;
            }
            else if (Direct.Length > 0 || BitOperations.IsPow2(Keys.Count))
            {
                // Keys that come in any order may turn out dense: that is asked where there are twice as many.
                IndexDirectly();
            }
        }

        return index;
    }

    /// <summary>A key without sessions gets one.</summary>
    internal void Begin(ref Session<TState> newest, long ticks)
    {
        newest.First = newest.Last = ticks;
        newest.Phase = SessionPhase.Changed;
        _idle--;
    }

    /// <summary>So many keys without sessions have got one.</summary>
    internal void Begin(int keys) => _idle -= keys;

    /// <summary>So many keys' only sessions have ended.</summary>
    internal void End(int keys) => _idle += keys;

    /// <summary>Moves the newest session behind a new one, which the caller fills, and gives the place that it has now.</summary>
    internal int Push(int index)
    {
        int place = TakePlace();
        ref var newest = ref Keys.Entries[index].State;
        _older[place - 1] = newest;
        (newest.Older, newest.Given) = (place, 0);
        return place;
    }

    /// <summary>Puts a session behind another one of its key.</summary>
    internal int InsertBehind(int index, int newer, in Session<TState> session)
    {
        int place = TakePlace();
        _older[place - 1] = session;
        ref var before = ref At(index, newer);
        _older[place - 1].Older = before.Older;
        before.Older = place;
        return place;
    }

    /// <summary>The newest session that does not begin behind a time, or -1; and the one before it in the row, or -1.</summary>
    internal (int Place, int Newer) Around(int index, long time)
    {
        int newer = -1;
        int place = Newest;
        while (At(index, place).First > time)
        {
            (newer, place) = (place, At(index, place).Older);
            if (place == Newest)
            {
                return (-1, newer);
            }
        }

        return (place, newer);
    }

    /// <summary>The place of the key's session in this phase with this last event, or -1.</summary>
    internal int Find(int index, long last, SessionPhase phase)
    {
        int place = Newest;
        do
        {
            ref var session = ref At(index, place);
            if (session.Phase == phase && session.Last == last)
            {
                return place;
            }

            place = session.Older;
        }
        while (place != Newest);
        return -1;
    }

    /// <summary>Forgets a session whose state has been released.</summary>
    internal void Remove(int index, int place)
    {
        if (place != Newest)
        {
            int newer = Newest;
            while (At(index, newer).Older != place)
            {
                newer = At(index, newer).Older;
            }

            At(index, newer).Older = _older[place - 1].Older;
            FreePlace(place);
            return;
        }

        ref var newest = ref Keys.Entries[index].State;
        int older = newest.Older;
        if (older == Newest)
        {
            newest = default;
            _idle++;
        }
        else
        {
            newest = _older[older - 1];
            FreePlace(older);
        }
    }

    /// <summary>Forgets keys without sessions, and gives where the others are now: -1 for those forgotten. Places of older sessions stay.</summary>
    internal ReadOnlySpan<int> Tidy(long watermark)
    {
        _idle = 0;
        var places = _places.Tidy(Keys, watermark);
        if (WholeNumber.Is<TKey>())
        {
            _highest = 0;
            foreach (ref var entry in Keys.Entries)
            {
                _highest = Math.Max(_highest, WholeNumber.Of(entry.Key));
            }

            Array.Clear(Direct);
            IndexDirectly();
        }

        return places;
    }

    /// <summary>Lets keys say where their entries are; or not, if one is too far off for so few.</summary>
    private void IndexDirectly()
    {
        long most = Math.Max(FreePlaces, (long)DirectStates<int>.MaxPlacesPerKey * Keys.Count);
        if (_highest >= (ulong)most)
        {
            Direct = [];
            return;
        }

        if (_highest >= (ulong)Direct.Length)
        {
            Direct = new int[Math.Min(most, Math.Max(FreePlaces, (long)_highest * 2))];
        }

        for (int i = 0; i < Keys.Count; i++)
        {
            Direct[WholeNumber.Of(Keys.Entries[i].Key)] = i + 1;
        }
    }

    private int TakePlace()
    {
        if (_olderFree != 0)
        {
            int place = _olderFree;
            _olderFree = _older[place - 1].Older;
            return place;
        }

        if (_olderUsed == _older.Length)
        {
            Array.Resize(ref _older, Math.Max(64, _older.Length * 2));
        }

        return ++_olderUsed;
    }

    private void FreePlace(int place)
    {
        _older[place - 1] = default;
        _older[place - 1].Older = _olderFree;
        _olderFree = place;
    }
}
