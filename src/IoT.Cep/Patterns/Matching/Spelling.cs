using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Spells out the matches of complete sets, one after the other: a walk from the last event to the first, which passes over what has expired and goes on with
/// the other part of a union where a match has come to its beginning; older parts first.
/// </summary>
internal sealed class Spelling<T>(SharedSets<T> sets, PatternShape<T> shape)
{
    // So many matches share an array: who keeps one of them keeps all.
    private const int MaxSharing = 8;

    private readonly Chains<T> _chains = new(shape);
    private (long Set, int Depth)[] _open = new (long, int)[16];
    private int _openCount;

    // Matches of two events: the set whose event is the first one, and which of those that are complete has the last one.
    private (long Set, int Completed)[] _pairs = new (long, int)[16];
    private int _pairCount;

    // The events of the match that was spelled last, the last one first; but for a last one that no set has.
    private long[] _path = new long[16];
    private int _length;
    private int _chain = Chains<T>.None;
    private long _limit;
    private T _last = default!;
    private long _lastTicks;
    private int _lastLabel = -1;

    internal long Start => _length == 0 ? _lastTicks : sets.TakingAt(_path[_length - 1]).Ticks;

    internal long End => _lastLabel >= 0 ? _lastTicks : sets.TakingAt(_path[0]).Ticks;

    /// <summary>Begins with a set that is complete.</summary>
    internal void Begin(in Completed<T> completed)
    {
        (_limit, _lastLabel, _last, _lastTicks) = (completed.Limit, completed.Label, completed.Last, completed.Ticks);
        _open[0] = (completed.Set, 0);
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
        long limit = _limit;
        while (set != SharedSets<T>.None)
        {
            if (SharedSets<T>.IsUnion(set))
            {
                set = sets.Live(set, limit);
                if (SharedSets<T>.IsUnion(set))
                {
                    ref var union = ref sets.UnionAt(set);
                    Open(union.Left, length);
                    set = union.Right;
                }

                continue;
            }

            ref var taking = ref sets.TakingAt(set);
            if (SharedSets<T>.IsPair(set))
            {
                set = SharedSets<T>.TakingOf(SharedSets<T>.NumberOf(set));
                if (taking.OtherLatest > limit)
                {
                    Open(set, length);
                    set = taking.Other;
                    continue;
                }
            }

            if (length == _path.Length)
            {
                Array.Resize(ref _path, length * 2);
            }

            _path[length++] = set;
            set = taking.Before;
        }

        _length = length;
        return true;
    }

    internal Match<T> ToMatch()
    {
        int length = _length;
        var events = new MatchEvent<T>[_lastLabel >= 0 ? length + 1 : length];
        for (int i = 0; i < length; i++)
        {
            ref var taking = ref sets.TakingAt(_path[length - 1 - i]);
            events[i].Put(in taking.Event, taking.Ticks, taking.Label);
        }

        if (_lastLabel >= 0)
        {
            events[^1].Put(in _last, _lastTicks, _lastLabel);
        }

        return new Match<T>(shape, events);
    }

    /// <summary>Gives out all matches of complete sets.</summary>
    internal void GiveAll(ReadOnlySpan<Completed<T>> all, OrderedOutput<Match<T>> output)
    {
        for (int i = 0; i < all.Length; i++)
        {
            ref readonly var completed = ref all[i];
            if (completed.Label >= 0 && TryAddPairs(in completed, i))
            {
                continue;
            }

            GivePairs(all, output);
            Begin(in completed);
            while (MoveNext())
            {
                output.Next() = ToMatch();
                output.Add(completed.Ticks, completed.Group);
            }
        }

        GivePairs(all, output);
    }

    /// <summary>The match as a chain, until the next one is spelled.</summary>
    internal PartialMatch<T> ToPartial()
    {
        if (_chain == Chains<T>.None)
        {
            for (int i = _length - 1; i >= 0; i--)
            {
                ref var taking = ref sets.TakingAt(_path[i]);
                Chain(in taking.Event, taking.Ticks, taking.Label);
            }

            if (_lastLabel >= 0)
            {
                Chain(in _last, _lastTicks, _lastLabel);
            }
        }

        return new PartialMatch<T>(_chains, _chain, null, End);
    }

    /// <summary>Notes the matches of a set of which each has just one event, the oldest first.</summary>
    /// <returns>False where that is not so.</returns>
    private bool TryAddPairs(in Completed<T> completed, int index)
    {
        int first = _pairCount, count = first;
        for (long set = completed.Set; ;)
        {
            if (set < 0 || SharedSets<T>.IsUnion(set))
            {
                return false;
            }

            ref var taking = ref sets.TakingAt(set);
            if (taking.Before != SharedSets<T>.None)
            {
                return false;
            }

            if (count == _pairs.Length)
            {
                Array.Resize(ref _pairs, count * 2);
            }

            _pairs[count++] = (set, index);
            if (SharedSets<T>.IsTaking(set) || taking.OtherLatest <= completed.Limit)
            {
                break;
            }

            set = taking.Other;
        }

        if (count - first > 1)
        {
            _pairs.AsSpan(first, count - first).Reverse();
        }

        _pairCount = count;
        return true;
    }

    /// <summary>Gives out the matches of two events that were noted.</summary>
    private void GivePairs(ReadOnlySpan<Completed<T>> all, OrderedOutput<Match<T>> output)
    {
        var pairs = _pairs.AsSpan(0, _pairCount);
        while (!pairs.IsEmpty)
        {
            int sharing = Math.Min(pairs.Length, MaxSharing);
            var events = new MatchEvent<T>[sharing * 2];
            for (int i = 0; i < sharing; i++)
            {
                ref var taking = ref sets.TakingAt(pairs[i].Set);
                ref readonly var completed = ref all[pairs[i].Completed];
                events[i * 2].Put(in taking.Event, taking.Ticks, taking.Label);
                events[(i * 2) + 1].Put(in completed.Last, completed.Ticks, completed.Label);
                output.Next() = new Match<T>(shape, events, i * 2, 2);
                output.Add(completed.Ticks, completed.Group);
            }

            pairs = pairs[sharing..];
        }

        _pairCount = 0;
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

    private void Chain(in T value, long ticks, int label)
    {
        int before = _chain;
        _chain = _chains.Add(in value, ticks, 0, label, before);
        _chains.Free(before);
    }

    private void FreeChain()
    {
        _chains.Free(_chain);
        _chain = Chains<T>.None;
    }
}
