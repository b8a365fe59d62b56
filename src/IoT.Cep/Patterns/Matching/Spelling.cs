using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Spells out the matches of complete sets, one after the other: a walk from the last event to the first, which passes over what has expired and goes on with
/// the other part of a union where a match has come to its beginning; older parts first.
/// </summary>
internal sealed class Spelling<T>(SharedSets<T> sets, PatternShape<T> shape)
{
    private readonly Chains<T> _chains = new(shape);
    private (long Set, int Depth)[] _open = new (long, int)[16];
    private int _openCount;

    // The events of the match that was spelled last, the last one first.
    private long[] _path = new long[16];
    private int _length;
    private int _chain = Chains<T>.None;
    private long _limit;

    internal long Start => sets.TakingAt(_path[_length - 1]).Ticks;

    internal long End => sets.TakingAt(_path[0]).Ticks;

    /// <summary>Begins with a set that is complete.</summary>
    internal void Begin(long set, long limit)
    {
        _limit = limit;
        _open[0] = (set, 0);
        _openCount = 1;
    }

    /// <summary>Finds the next match.</summary>
    /// <returns>Whether there is one.</returns>
    internal bool MoveNext()
    {
        if (_chain != Chains<T>.None)
        {
            FreeChain();
        }

        if (_openCount == 0)
        {
            return false;
        }

        (long set, int length) = _open[--_openCount];
        while ((set = sets.Live(set, _limit)) != SharedSets<T>.None)
        {
            if (SharedSets<T>.IsUnion(set))
            {
                ref var union = ref sets.UnionAt(set);
                Open(union.Left, length);
                set = union.Right;
            }
            else
            {
                if (length == _path.Length)
                {
                    Array.Resize(ref _path, length * 2);
                }

                _path[length++] = set;
                set = sets.TakingAt(set).Before;
            }
        }

        _length = length;
        return true;
    }

    internal Match<T> ToMatch()
    {
        var events = new MatchEvent<T>[_length];
        for (int i = 0; i < events.Length; i++)
        {
            ref var taking = ref sets.TakingAt(_path[_length - 1 - i]);
            events[i] = new MatchEvent<T>(taking.Event, taking.Ticks, taking.Label);
        }

        return new Match<T>(shape, events);
    }

    /// <summary>The match as a chain, until the next one is spelled.</summary>
    internal PartialMatch<T> ToPartial()
    {
        if (_chain == Chains<T>.None)
        {
            for (int i = _length - 1; i >= 0; i--)
            {
                ref var taking = ref sets.TakingAt(_path[i]);
                int before = _chain;
                _chain = _chains.Add(in taking.Event, taking.Ticks, 0, taking.Label, before);
                _chains.Free(before);
            }
        }

        return new PartialMatch<T>(_chains, _chain, null, End);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Open(long set, int depth)
    {
        if (_openCount == _open.Length)
        {
            Array.Resize(ref _open, _openCount * 2);
        }

        _open[_openCount++] = (set, depth);
    }

    private void FreeChain()
    {
        _chains.Free(_chain);
        _chain = Chains<T>.None;
    }
}
