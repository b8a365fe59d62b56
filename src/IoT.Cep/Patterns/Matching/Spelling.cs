namespace IoT.Cep;

/// <summary>
/// Spells out the matches of complete sets, one after the other: a walk from the last event to the first, which passes over what has expired and goes on with
/// the other part of a union where a match has come to its beginning; older parts first.
/// </summary>
internal sealed class Spelling<T>(SharedSets<T> sets, PatternShape<T> shape)
{
    private readonly Chains<T> _chains = new(shape);
    private readonly List<(long Set, int Depth)> _open = [];
    private readonly List<long> _path = [];
    private int _chain = Chains<T>.None;
    private long _limit;

    /// <summary>The events of the match that was spelled last, the last one first.</summary>
    internal List<long> Path => _path;

    /// <summary>Begins with a set that is complete.</summary>
    internal void Begin(long set, long limit)
    {
        _limit = limit;
        _open.Clear();
        _path.Clear();
        _open.Add((set, 0));
    }

    /// <summary>Finds the next match.</summary>
    /// <returns>Whether there is one.</returns>
    internal bool MoveNext()
    {
        FreeChain();
        if (_open.Count == 0)
        {
            return false;
        }

        var (set, depth) = _open[^1];
        _open.RemoveAt(_open.Count - 1);
        _path.RemoveRange(depth, _path.Count - depth);
        while (true)
        {
            set = sets.Live(set, _limit);
            if (set == SharedSets<T>.None)
            {
                return true;
            }

            if (SharedSets<T>.IsUnion(set))
            {
                ref var union = ref sets.UnionAt(set);
                _open.Add((union.Left, _path.Count));
                set = union.Right;
            }
            else
            {
                _path.Add(set);
                set = sets.TakingAt(set).Before;
            }
        }
    }

    internal long Start => sets.TakingAt(_path[^1]).Ticks;

    internal long End => sets.TakingAt(_path[0]).Ticks;

    internal Match<T> ToMatch()
    {
        var events = new MatchEvent<T>[_path.Count];
        for (int i = 0; i < events.Length; i++)
        {
            ref var taking = ref sets.TakingAt(_path[^(i + 1)]);
            events[i] = new MatchEvent<T>(taking.Event, taking.Ticks, taking.Label);
        }

        return new Match<T>(shape, events);
    }

    /// <summary>The match as a chain, until the next one is spelled.</summary>
    internal PartialMatch<T> ToPartial()
    {
        if (_chain == Chains<T>.None)
        {
            for (int i = _path.Count - 1; i >= 0; i--)
            {
                ref var taking = ref sets.TakingAt(_path[i]);
                int before = _chain;
                _chain = _chains.Add(in taking.Event, taking.Ticks, 0, taking.Label, before);
                _chains.Free(before);
            }
        }

        return new PartialMatch<T>(_chains, _chain, null, End);
    }

    private void FreeChain()
    {
        _chains.Free(_chain);
        _chain = Chains<T>.None;
    }
}
