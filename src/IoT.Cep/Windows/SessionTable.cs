using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>One session of one key.</summary>
internal struct Session<TState> : IKeySlot
{
    internal long First;
    internal long Last;
    internal TState State;

    /// <summary>The key's next older session; <see cref="SessionTable{TKey, TState}.Newest"/> where there is none.</summary>
    internal int Older;

    /// <summary>What of it has been given; 0 for nothing.</summary>
    internal int Given;

    /// <summary>The number of the deadline at which it fires; 0 where it has none that could be cancelled.</summary>
    internal int Due;

    internal SessionPhase Phase;

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
internal sealed class SessionTable<TKey, TState>(SessionWindows windows, int maxKeys)
    where TKey : notnull
    where TState : struct
{
    /// <summary>The place of a key's newest session; others count from 1.</summary>
    internal const int Newest = 0;

    private const int NotTidied = 1024;

    private readonly KeyPlaces _places = new();
    private Session<TState>[] _older = [];
    private int _olderUsed;
    private int _olderFree;
    private int _idle;

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

    /// <summary>Makes sure that one more key may have a session.</summary>
    /// <exception cref="KeyLimitException">There are as many as allowed.</exception>
    internal void RequireRoom()
    {
        if (Keys.Count - _idle >= maxKeys)
        {
            throw new KeyLimitException(maxKeys);
        }
    }

    /// <summary>Adds a key without sessions.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Add(TKey key, uint hash)
    {
        _idle++;
        return Keys.Add(key, hash);
    }

    /// <summary>A key without sessions gets one.</summary>
    internal void Open(int index, long ticks, int due)
    {
        ref var newest = ref Keys.Entries[index].State;
        newest.First = newest.Last = ticks;
        newest.Phase = SessionPhase.Changed;
        newest.Due = due;
        _idle--;
    }

    /// <summary>Moves the newest session behind a new one, which the caller fills, and gives the place that it has now.</summary>
    internal int Push(int index)
    {
        int place = TakePlace();
        ref var newest = ref Keys.Entries[index].State;
        _older[place - 1] = newest;
        (newest.Older, newest.Given, newest.Due) = (place, 0, 0);
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

    /// <summary>The place of the key's session in this phase that fires, or is gone, at this time; or -1.</summary>
    internal int Find(int index, long deadline, SessionPhase phase)
    {
        int place = Newest;
        do
        {
            ref var session = ref At(index, place);
            if (session.Phase == phase && windows.DeadlineOf(session.Last, phase) == deadline)
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
        return _places.Tidy(Keys, watermark);
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
