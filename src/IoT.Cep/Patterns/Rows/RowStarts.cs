using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Rows with which a match may begin, each with the paths that are alive from it, the preferred ones first. They stand in their key's list and in one
/// list of
/// all, both in order of time, so that what expires next stands at the head.
/// </summary>
internal sealed class RowStarts<TKey, T>(Chains<T> chains, int maxKeys)
    where TKey : notnull
{
    internal const int None = -1;

    private readonly KeyedMap<TKey, KeyRows<T>> _byKey = new(maxKeys);
    private RowStart<TKey>[] _starts = new RowStart<TKey>[64];
    private RowPath<T>[] _paths = new RowPath<T>[64];
    private int _usedStarts;
    private int _usedPaths;
    private int _freeStart = None;
    private int _freePath = None;
    private int _newest = None;

    /// <summary>How many starts there are.</summary>
    internal int Count { get; private set; }

    internal KeyedMap<TKey, KeyRows<T>> Keys => _byKey;

    internal int Oldest { get; private set; } = None;

    /// <summary>How many bytes the arenas and the keys have.</summary>
    internal long Bytes => ((long)_starts.Length * Unsafe.SizeOf<RowStart<TKey>>()) + ((long)_paths.Length * Unsafe.SizeOf<RowPath<T>>())
        + (_byKey.Count * (long)Unsafe.SizeOf<KeyedMap<TKey, KeyRows<T>>.Entry>());

    internal ref RowStart<TKey> At(int index) => ref _starts[index];

    internal ref RowPath<T> PathAt(int index) => ref _paths[index];

    internal ref KeyRows<T> Of(TKey key)
    {
        ref var rows = ref _byKey.GetOrAdd(key, out bool added);
        if (added)
        {
            rows = new KeyRows<T> { Oldest = None, Newest = None };
        }

        return ref rows;
    }

    internal int OldestOf(TKey key)
    {
        int place = _byKey.IndexOf(key);
        return place < 0 ? None : _byKey.Entries[place].State.Oldest;
    }

    /// <summary>Adds a start without paths, behind all others.</summary>
    internal int Add(TKey key, long ticks, long position, long row)
    {
        int index = _freeStart;
        if (index == None)
        {
            if (_usedStarts == _starts.Length)
            {
                Array.Resize(ref _starts, _usedStarts * 2);
            }

            index = _usedStarts++;
        }
        else
        {
            _freeStart = _starts[index].Next;
        }

        ref var rows = ref Of(key);
        _starts[index] = new RowStart<TKey>
        {
            Key = key,
            Ticks = ticks,
            Position = position,
            Row = row,
            Path = None,
            LastPath = None,
            Best = None,
            Next = None,
            Previous = rows.Newest,
        };
        if (rows.Newest == None)
        {
            rows.Oldest = index;
        }
        else
        {
            _starts[rows.Newest].Next = index;
        }

        rows.Newest = index;
        rows.Count++;
        rows.Begun += row;
        Count++;
        LinkLast(index);
        return index;
    }

    /// <summary>Removes a start and lets its rows go. Its key stays, until it is tidied.</summary>
    internal void Remove(int index)
    {
        ref var start = ref _starts[index];
        ref var rows = ref _byKey.Find(start.Key);
        Debug.Assert(!Unsafe.IsNullRef(in rows), "A key stays as long as it has starts.");
        ClearPaths(index);
        chains.Free(start.Best);
        if (start.Previous == None)
        {
            rows.Oldest = start.Next;
        }
        else
        {
            _starts[start.Previous].Next = start.Next;
        }

        if (start.Next == None)
        {
            rows.Newest = start.Previous;
        }
        else
        {
            _starts[start.Next].Previous = start.Previous;
        }

        rows.Count--;
        rows.Begun -= start.Row;
        Count--;
        UnlinkAll(in start);
        start = new RowStart<TKey> { Key = default!, Path = None, LastPath = None, Best = None, Next = _freeStart };
        _freeStart = index;
    }

    /// <summary>Adds a path behind those that are preferred to it, and holds its rows.</summary>
    internal void AddPath(int index, RowState<T> state, int last)
    {
        int path = _freePath;
        if (path == None)
        {
            if (_usedPaths == _paths.Length)
            {
                Array.Resize(ref _paths, _usedPaths * 2);
            }

            path = _usedPaths++;
        }
        else
        {
            _freePath = _paths[path].Next;
        }

        chains.Hold(last);
        _paths[path] = new RowPath<T> { State = state, Last = last, Next = None };
        ref var start = ref _starts[index];
        if (start.LastPath == None)
        {
            start.Path = path;
        }
        else
        {
            _paths[start.LastPath].Next = path;
        }

        start.LastPath = path;
        _byKey.Find(start.Key).Paths++;
    }

    internal void ClearPaths(int index)
    {
        ref var start = ref _starts[index];
        int count = 0;
        for (int path = start.Path; path != None; count++)
        {
            ref var one = ref _paths[path];
            chains.Free(one.Last);
            int next = one.Next;
            one = new RowPath<T> { Last = None, Next = _freePath };
            _freePath = path;
            path = next;
        }

        start.Path = start.LastPath = None;
        _byKey.Find(start.Key).Paths -= count;
    }

    /// <summary>Keeps another chain as the preferred match of a start so far.</summary>
    internal void SetBest(int index, int last)
    {
        chains.Hold(last);
        chains.Free(_starts[index].Best);
        _starts[index].Best = last;
    }

    /// <summary>Puts all starts in order of time again, after those of several shards came together.</summary>
    internal void Sort()
    {
        var all = new List<int>(Count);
        for (int index = Oldest; index != None; index = _starts[index].Newer)
        {
            all.Add(index);
        }

        Oldest = _newest = None;
        foreach (int index in all.OrderBy(index => _starts[index].Ticks).ThenBy(index => _starts[index].Position))
        {
            LinkLast(index);
        }
    }

    private void LinkLast(int index)
    {
        ref var start = ref _starts[index];
        (start.Older, start.Newer) = (_newest, None);
        if (_newest == None)
        {
            Oldest = index;
        }
        else
        {
            _starts[_newest].Newer = index;
        }

        _newest = index;
    }

    private void UnlinkAll(in RowStart<TKey> start)
    {
        if (start.Older == None)
        {
            Oldest = start.Newer;
        }
        else
        {
            _starts[start.Older].Newer = start.Newer;
        }

        if (start.Newer == None)
        {
            _newest = start.Older;
        }
        else
        {
            _starts[start.Newer].Older = start.Older;
        }
    }
}

/// <summary>A row with which a match may begin.</summary>
internal struct RowStart<TKey>
{
    internal TKey Key;
    internal long Ticks;

    /// <summary>Its number among the events that the operator has seen.</summary>
    internal long Position;

    /// <summary>Its number among the rows that its key remembers having seen.</summary>
    internal long Row;
    internal int Path;
    internal int LastPath;

    /// <summary>The last row of the match that is preferred so far: what is alive is preferred to it.</summary>
    internal int Best;
    internal int Next;
    internal int Previous;
    internal int Newer;
    internal int Older;
}

/// <summary>One way in which the rows since a start fit the pattern.</summary>
internal struct RowPath<T>
{
    internal RowState<T> State;
    internal int Last;
    internal int Next;
}

/// <summary>What a key has: its starts, how many rows it has seen since it has any, and those that definitions look back to.</summary>
internal struct KeyRows<T>
{
    internal int Oldest;
    internal int Newest;
    internal int Count;
    internal int Paths;

    /// <summary>The sum of its starts' row numbers: so it is known how many rows all of them have.</summary>
    internal long Begun;
    internal long Rows;
    internal long Ticks;
    internal T[]? Ring;
}
