using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <content>What happens when time goes on: results are given out, and events leave.</content>
internal sealed partial class PerEventOperator<TKey, T, TResult, TState, TItem, TWindow, TMore, TStates>
{
    /// <summary>Time has come to this instant: gives out all windows that end before it, and forgets what is in no later one.</summary>
    private void PassTo(long time)
    {
        while (_events.HasWaiting && (time == long.MaxValue || _windows.IsDue(_events.WaitingAt(0).Ticks, time)))
        {
            GiveOut();
        }

        _now = Math.Max(_now, time);
        Forget(_windows.StartOf(_events.HasWaiting ? Math.Min(_events.WaitingAt(0).Ticks, time) : time));
        _events.Trim();
    }

    /// <summary>Gives out the results of all events of the oldest time that waits, by key group, as it comes out of any number of shards.</summary>
    private void GiveOut()
    {
        long ticks = _events.WaitingAt(0).Ticks;
        var (start, end) = (_windows.StartOf(ticks), _windows.EndOf(ticks));
        if (_run == 0)
        {
            Forget(start);
            OrderByGroup(ticks);
        }

        GiveOut(start, end);
        _events.Pass(_run);
        (_run, _runAt) = (0, 0);
    }

    /// <summary>Whether the results of this time are many, and can be made side by side.</summary>
    private bool IsInParts => _results > FewResults && _atOnce is not null;

    private void GiveOut(long start, long end)
    {
        if (IsInParts)
        {
            GiveOutMany(_atOnce!, start, end);
        }
        else
        {
            GiveOutEach(start, end);
        }
    }

    /// <summary>
    /// Results in the parts in which they stand in the first cache: the states of each part are put side by side, and then its results are made, so that
    /// each loop has what it needs in registers.
    /// </summary>
    private void GiveOutMany(IResultsAtOnce<TKey, TState, TResult> results, long start, long end)
    {
        Pooled.Ensure(ref _sums, MaxAhead);
        while (_runAt < _results)
        {
            int from = _runAt, count = Math.Min(_results - from, MaxAhead);
            (_partFrom, _partEnd) = (from, from + count);
            SumUp(from, start);
            var made = _output.Reserve(count, end - 1, _keys.Groups[_order[from]]);
            try
            {
                results.Make(start, end, _sums.AsSpan(0, count), made, ref _runAt);
            }
            finally
            {
                // Where a projection throws, those before it are given out.
                Put(from, _runAt, start, end);
            }
        }
    }

    /// <summary>Puts the states of the part's keys side by side, from one of them on.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SumUp(int from, long start)
    {
        var (keys, states) = (_keys, _states);
        var order = _order.AsSpan(from, _partEnd - from);
        var sums = _sums.AsSpan(from - _partFrom, order.Length);
        bool isMany = keys.Count > FewKeys;
        for (int i = 0; i < order.Length; i++)
        {
            if (isMany)
            {
                keys.Prefetch(order[Math.Min(i + Near, order.Length - 1)]);
            }

            int place = order[i];
            ref var key = ref keys.At(place);
            states.Sum(ref key.State, place, start, ref sums[i].State);
            sums[i].Key = key.Key;
        }
    }

    private void Put(int from, int end, long windowStart, long windowEnd)
    {
        var order = _order.AsSpan(from, end - from);
        if (!parts.Identity)
        {
            _output.PutReserved(order, _keys.Groups, windowEnd - 1);
            return;
        }

        foreach (int place in order)
        {
            _output.PutReserved(new WindowInfo<TKey>(_keys.At(place).Key, windowStart, windowEnd), _keys.Groups[place], windowEnd - 1, _ordinals[place]++);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void GiveOutEach(long start, long end)
    {
        var (keys, states, output, groups, identity) = (_keys, _states, _output, _keys.Groups, parts.Identity);
        bool isMany = keys.Count > FewKeys;
        var order = _order.AsSpan(0, _results);
        if (_runAt < order.Length)
        {
            output.Reserve(order.Length - _runAt, end - 1, groups[order[_runAt]]);
        }

        for (; _runAt < order.Length; _runAt++)
        {
            int place = order[_runAt];
            if (isMany)
            {
                keys.Prefetch(order[Math.Min(_runAt + Near, order.Length - 1)]);
            }

            ref var key = ref keys.At(place);
            states.Sum(ref key.State, place, start, ref _sum);
            output.EmitReserved(new WindowInfo<TKey>(key.Key, start, end), groups[place], ref _sum, end - 1, identity ? _ordinals[place] : 0);
            CountResult(place);
            states.Release(ref _sum);
        }
    }

    /// <summary>The result of an event whose projection threw is passed over; it has taken its number.</summary>
    protected override void DropResult() => CountResult(_order[_runAt++]);

    private void CountResult(int place)
    {
        if (parts.Identity)
        {
            _ordinals[place]++;
        }
    }

    /// <summary>A projection asks for an aggregate that it did not ask for before: under a condition, or for the first time since state was restored.</summary>
    private void Widen(AggregateKinds kinds)
    {
        _states.Widen(kinds, _keys);
        parts.Use?.Keep(_states.Kept, Widen);
        long start = _windows.StartOf(_events.WaitingAt(0).Ticks);
        if (IsInParts)
        {
            // The one that is being read, and those behind it.
            SumUp(_runAt, start);
        }
        else
        {
            int place = _order[_runAt];
            _states.Sum(ref _keys.At(place).State, place, start, ref _sum);
        }
    }

    /// <summary>The places of the keys whose events wait for this time, by group, but for those whose result was given out before.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OrderByGroup(long ticks)
    {
        var waiting = _events.AllWaiting;
        int run = 1;
        while (run < waiting.Count && run <= FewPeers && waiting[run].Ticks == ticks)
        {
            run++;
        }

        if (run <= FewPeers)
        {
            Pooled.Ensure(ref _order, run);
            _results = OrderFew(waiting, run);
        }
        else
        {
            (_results, run) = OrderMany(waiting, ticks);
        }

        if (parts.Identity)
        {
            Pooled.Ensure(ref _ordinals, _keys.Groups.Length);
            foreach (int place in _order.AsSpan(0, _results))
            {
                _ordinals[place] = 0;
            }
        }

        (_run, _runAt) = (run, 0);
    }

    private int OrderFew(EventQueue<TMore>.WaitingEvents waiting, int run)
    {
        var (order, groups) = (_order, _keys.Groups);
        int count = 0;
        for (int i = 0; i < run; i++)
        {
            int place = waiting[i].PlaceOrDone, at = count;
            if (place < 0)
            {
                continue;
            }

            for (; at > 0 && groups[order[at - 1]] > groups[place]; at--)
            {
                order[at] = order[at - 1];
            }

            order[at] = place;
            count++;
        }

        return count;
    }

    /// <summary>A counting sort; says how many results there are of how many events.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private (int Results, int Run) OrderMany(EventQueue<TMore>.WaitingEvents waiting, long ticks)
    {
        byte[] groups = _keys.Groups;
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        int run = 0;
        for (; run < waiting.Count; run++)
        {
            ref var peer = ref waiting[run];
            if (peer.Ticks != ticks)
            {
                break;
            }

            int place = peer.PlaceOrDone;
            if (place >= 0)
            {
                next[groups[place] + 1]++;
            }
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        Pooled.Ensure(ref _order, run);
        var order = _order.AsSpan(0, run);
        for (int i = 0; i < run; i++)
        {
            int place = waiting[i].PlaceOrDone;
            if (place >= 0)
            {
                order[next[groups[place]]++] = place;
            }
        }

        return (next[StableHash.KeyGroups], run);
    }

    /// <summary>Forgets the events before a time, and the keys that have none left. None of them waits.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Forget(long start)
    {
        var (keys, queue, states) = (_keys, _events, _states);
        bool isMany = keys.Count > FewKeys;
        while (!queue.IsEmpty)
        {
            ref var first = ref queue.First;
            if (first.Ticks >= start)
            {
                return;
            }

            Ahead.Prefetch(ref first);
            uint number = queue.RemoveFirst();
            int place = first.Place;
            if (isMany)
            {
                keys.Prefetch(queue.Behind(Near).Place);
            }

            ref var window = ref keys.At(place).State;
            if (_dropped == 0 || !TryForgetDropped(place))
            {
                states.Pop(ref window, place, number, in first.More);
            }

            if (RuntimeHelpers.IsReferenceOrContainsReferences<TMore>())
            {
                first.More = default;
            }

            if (TStates.CountOf(in window) == 0 && (_dropped == 0 || DroppedOf(place) == 0))
            {
                keys.Remove(place);
            }
        }
    }
}
