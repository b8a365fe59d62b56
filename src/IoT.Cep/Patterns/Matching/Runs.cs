using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Partial matches, each a run of its own: in its key's list and in one list of all, both in order of their first events, so that what expires next stands
/// at the head. Those whose time may be over earlier, because two neighbours must not be too far apart, stand in a heap as well.
/// </summary>
internal sealed class Runs<TKey, T>(Chains<T> chains, int maxKeys)
    where TKey : notnull
{
    internal const int None = -1;

    private readonly KeyedMap<TKey, KeyRuns<T>> _byKey = new(maxKeys);
    private readonly PriorityQueue<(int Run, int Version), (long Due, long Order)> _gaps = new();
    private Run<TKey, T>[] _runs = new Run<TKey, T>[64];
    private int _used;
    private int _free = None;
    private int _oldest = None;
    private int _newest = None;
    private long _orders;

    /// <summary>How many partial matches there are.</summary>
    internal int Count { get; private set; }

    internal KeyedMap<TKey, KeyRuns<T>> Keys => _byKey;

    internal int Oldest => _oldest;

    /// <summary>How many bytes the arena and the keys have.</summary>
    internal long Bytes => ((long)_runs.Length * Unsafe.SizeOf<Run<TKey, T>>()) + (_byKey.Count * (long)Unsafe.SizeOf<KeyedMap<TKey, KeyRuns<T>>.Entry>());

    internal ref Run<TKey, T> At(int index) => ref _runs[index];

    /// <summary>The key's oldest run, or <see cref="None"/>.</summary>
    internal int OldestOf(TKey key)
    {
        int index = _byKey.IndexOf(key);
        return index < 0 ? None : _byKey.Entries[index].State.Oldest;
    }

    internal ref KeyRuns<T> Of(TKey key)
    {
        ref var runs = ref _byKey.GetOrAdd(key, out bool added);
        if (added)
        {
            runs = new KeyRuns<T> { Oldest = None, Newest = None };
        }

        return ref runs;
    }

    /// <summary>Puts a run in front of another one of its key, whose first event it shares; or behind all.</summary>
    internal int Add(TKey key, in Run<TKey, T> run, int before)
    {
        int index = Rent();
        int version = _runs[index].Version;
        _runs[index] = run;
        _runs[index].Key = key;
        _runs[index].Version = version;
        ref var runs = ref Of(key);
        runs.Count++;
        Count++;
        LinkKey(ref runs, index, before);
        LinkAll(index, before);
        return index;
    }

    /// <summary>Sets, or moves, the time at which a run is over, where that is before the pattern's whole span is.</summary>
    internal void SetDue(int index, long due)
    {
        ref var run = ref _runs[index];
        run.Version++;
        run.Due = due;
        if (due != long.MaxValue)
        {
            _gaps.Enqueue((index, run.Version), (due, _orders++));
        }
    }

    /// <summary>The run that is over first, and when.</summary>
    internal int NextDue(long span, out long due)
    {
        while (_gaps.TryPeek(out var gap, out _) && _runs[gap.Run].Version != gap.Version)
        {
            _gaps.Dequeue();
        }

        due = _oldest == None || span == long.MaxValue ? long.MaxValue : _runs[_oldest].Start + span;
        int index = due == long.MaxValue ? None : _oldest;
        if (_gaps.TryPeek(out var first, out var time) && time.Due < due)
        {
            due = time.Due;
            index = first.Run;
        }

        return index;
    }

    /// <summary>Removes a run and lets its events go. Its key stays, until it is tidied.</summary>
    internal void Remove(int index)
    {
        ref var run = ref _runs[index];
        chains.Free(run.Last);
        ref var runs = ref _byKey.Find(run.Key);
        Debug.Assert(!Unsafe.IsNullRef(in runs), "A key stays as long as it has runs.");
        UnlinkKey(ref runs, in run);
        UnlinkAll(in run);
        runs.Count--;
        Count--;
        int version = run.Version + 1;
        run = new Run<TKey, T> { Key = default!, Last = None, Next = _free, Version = version };
        _free = index;
    }

    /// <summary>Forgets a key that has nothing any more.</summary>
    internal void Tidy(TKey key)
    {
        int index = _byKey.IndexOf(key);
        if (index >= 0 && _byKey.Entries[index].State is { Count: 0, Waiting: null or { Count: 0 } })
        {
            _byKey.Remove(key);
        }
    }

    private int Rent()
    {
        if (_free != None)
        {
            int index = _free;
            _free = _runs[index].Next;
            return index;
        }

        if (_used == _runs.Length)
        {
            Array.Resize(ref _runs, _runs.Length * 2);
        }

        return _used++;
    }

    private void LinkKey(ref KeyRuns<T> runs, int index, int before)
    {
        ref var run = ref _runs[index];
        (run.Next, run.Previous) = (before, before == None ? runs.Newest : _runs[before].Previous);
        if (run.Previous == None)
        {
            runs.Oldest = index;
        }
        else
        {
            _runs[run.Previous].Next = index;
        }

        if (before == None)
        {
            runs.Newest = index;
        }
        else
        {
            _runs[before].Previous = index;
        }
    }

    private void LinkAll(int index, int before)
    {
        ref var run = ref _runs[index];
        (run.Newer, run.Older) = (before, before == None ? _newest : _runs[before].Older);
        Debug.Assert(run.Older == None || _runs[run.Older].Start <= run.Start, "Runs stand in order of their first events.");
        if (run.Older == None)
        {
            _oldest = index;
        }
        else
        {
            _runs[run.Older].Newer = index;
        }

        if (before == None)
        {
            _newest = index;
        }
        else
        {
            _runs[before].Older = index;
        }
    }

    private void UnlinkKey(ref KeyRuns<T> runs, in Run<TKey, T> run)
    {
        if (run.Previous == None)
        {
            runs.Oldest = run.Next;
        }
        else
        {
            _runs[run.Previous].Next = run.Next;
        }

        if (run.Next == None)
        {
            runs.Newest = run.Previous;
        }
        else
        {
            _runs[run.Next].Previous = run.Previous;
        }
    }

    private void UnlinkAll(in Run<TKey, T> run)
    {
        if (run.Older == None)
        {
            _oldest = run.Newer;
        }
        else
        {
            _runs[run.Older].Newer = run.Newer;
        }

        if (run.Newer == None)
        {
            _newest = run.Older;
        }
        else
        {
            _runs[run.Newer].Older = run.Older;
        }
    }
}

/// <summary>A partial match: what it has taken, where it stands, and by which transition it goes on if an event has already been passed over.</summary>
internal struct Run<TKey, T>
{
    internal TKey Key;
    internal State<T> State;
    internal Transition<T>? Transition;

    /// <summary>Of the greedy steps that the transition leaves: those that still must not take an event.</summary>
    internal ulong Guards;
    internal long Start;
    internal long First;
    internal long Due;
    internal int Last;
    internal int Version;
    internal int Next;
    internal int Previous;
    internal int Newer;
    internal int Older;
}

/// <summary>What a key has: its runs, and complete matches that wait for earlier ones.</summary>
internal struct KeyRuns<T>
{
    internal int Oldest;
    internal int Newest;
    internal int Count;
    internal List<int>? Waiting;
}
