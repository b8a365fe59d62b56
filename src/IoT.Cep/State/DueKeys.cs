using System.Diagnostics;

namespace IoT.Cep;

/// <summary>
/// Keyed state with a time at which each key is due (to be given out, or to be forgotten), in the order of these times: the first one due is always
/// at the head, so no timer is searched for.
/// </summary>
/// <remarks>
/// The operators that use it see events in order of time and add a span that is the same for all, so a time that is set is never before one set
/// earlier: the key goes to the end of the list, and nothing is ever sorted but saved parts of several shards.
/// </remarks>
internal sealed class DueKeys<TKey, TState>(int maxKeys)
    where TKey : notnull
{
    internal const int None = -1;

    private readonly KeyedMap<TKey, Link> _keys = new(maxKeys);
    private int _first = None;
    private int _last = None;

    internal int Count => _keys.Count;

    /// <summary>The index of the key that is due first, or <see cref="None"/>.</summary>
    internal int First => _first;

    /// <summary>The index of the key that is due last, or <see cref="None"/>.</summary>
    internal int Last => _last;

    /// <summary>The index of a key, or <see cref="None"/>; the hash is for <see cref="Add"/>.</summary>
    internal int Find(TKey key, out uint hash) => new KeyedMap<TKey, Link>.View(_keys).IndexOf(key, out hash);

    internal ref TState StateAt(int index) => ref _keys.Entries[index].State.State;

    internal TKey KeyAt(int index) => _keys.Entries[index].Key;

    internal byte GroupAt(int index) => _keys.Entries[index].Group;

    internal long DueAt(int index) => _keys.Entries[index].State.Due;

    /// <summary>The index of the key that is due next after another.</summary>
    internal int NextOf(int index) => _keys.Entries[index].State.Next;

    /// <summary>The index of the key that is due before another.</summary>
    internal int PreviousOf(int index) => _keys.Entries[index].State.Previous;

    /// <summary>Whether the first key is due by now.</summary>
    internal bool IsDue(long time) => _first != None && DueAt(_first) <= time;

    /// <summary>Refuses a new key where there are as many as allowed: asked before user code has run for it.</summary>
    /// <exception cref="KeyLimitException">There are as many keys as allowed.</exception>
    internal void RequireRoom()
    {
        if (_keys.Count >= maxKeys)
        {
            throw new KeyLimitException(maxKeys);
        }
    }

    /// <summary>Adds a key that is not there.</summary>
    internal int Add(TKey key, uint hash, byte group, long due)
    {
        int index = _keys.Add(key, hash, group);
        Append(index, due);
        return index;
    }

    /// <summary>Gives a key a new time, which is not before any other's.</summary>
    internal void Postpone(int index, long due)
    {
        if (_last != index)
        {
            Unlink(index);
            Append(index, due);
        }
        else
        {
            _keys.Entries[index].State.Due = due;
        }
    }

    /// <summary>Removes a key; indexes are stale then.</summary>
    internal void Remove(int index)
    {
        Unlink(index);
        int moved = _keys.Remove(KeyAt(index));
        if (moved != index)
        {
            Relink(index);
        }
    }

    /// <summary>Adds what several shards saved, each in order: it becomes one list in order.</summary>
    internal void Merge(List<(TKey Key, byte Group, long Due, TState State)> loaded)
    {
        var all = new List<(TKey Key, byte Group, long Due, TState State)>();
        for (int i = _first; i != None; i = NextOf(i))
        {
            all.Add((KeyAt(i), GroupAt(i), DueAt(i), StateAt(i)));
        }

        all.AddRange(loaded);
        _keys.Clear();
        (_first, _last) = (None, None);
        foreach (var (key, group, due, state) in all.OrderBy(k => k.Due))
        {
            int known = Find(key, out uint hash);
            Debug.Assert(known == None, "Each key group is one shard's.");
            StateAt(Add(key, hash, group, due)) = state;
        }
    }

    private void Append(int index, long due)
    {
        ref var link = ref _keys.Entries[index].State;
        Debug.Assert(_last == None || due >= DueAt(_last), "A time that is set is never before one set earlier.");
        (link.Due, link.Previous, link.Next) = (due, _last, None);
        if (_last == None)
        {
            _first = index;
        }
        else
        {
            _keys.Entries[_last].State.Next = index;
        }

        _last = index;
    }

    private void Unlink(int index)
    {
        var (previous, next) = (_keys.Entries[index].State.Previous, _keys.Entries[index].State.Next);
        if (previous == None)
        {
            _first = next;
        }
        else
        {
            _keys.Entries[previous].State.Next = next;
        }

        if (next == None)
        {
            _last = previous;
        }
        else
        {
            _keys.Entries[next].State.Previous = previous;
        }
    }

    /// <summary>The map moved its last entry here: its neighbours point at the new place.</summary>
    private void Relink(int index)
    {
        var (previous, next) = (_keys.Entries[index].State.Previous, _keys.Entries[index].State.Next);
        if (previous == None)
        {
            _first = index;
        }
        else
        {
            _keys.Entries[previous].State.Next = index;
        }

        if (next == None)
        {
            _last = index;
        }
        else
        {
            _keys.Entries[next].State.Previous = index;
        }
    }

    private struct Link
    {
        internal TState State;
        internal long Due;
        internal int Previous;
        internal int Next;
    }
}
