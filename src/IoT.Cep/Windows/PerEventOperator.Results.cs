using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <content>What happens when time goes on: results are given out, and events leave.</content>
internal sealed partial class PerEventOperator<TKey, T, TResult, TState, TItem, TWindow, TMore, TStates>
{
    /// <summary>Time has come to this instant: gives out all windows that end before it, and forgets what is in no later one.</summary>
    private void PassTo(long time)
    {
        while (_events.HasWaiting && (time == long.MaxValue || _windows.IsDue(_events.WaitingTicks, time)))
        {
            GiveOut();
        }

        _now = Math.Max(_now, time);
        Forget(_windows.StartOf(_events.HasWaiting ? Math.Min(_events.WaitingTicks, time) : time));
        _events.Trim();
    }

    /// <summary>Gives out the results of all events of the oldest time that waits, by key group, as it comes out of any number of shards.</summary>
    private void GiveOut()
    {
        long ticks = _events.WaitingTicks;
        var (start, end) = (_windows.StartOf(ticks), _windows.EndOf(ticks));
        if (_run == 0)
        {
            Forget(start);
            OrderByGroup();
        }

        GiveOut(start, end);
        _events.PassRun(_run);
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
    private void SumUp(int from, long start) =>
        _states.SumAll(_keys, _order.AsSpan(from, _partEnd - from), start, _sums.AsSpan(from - _partFrom, _partEnd - from));

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
        long start = _windows.StartOf(_events.WaitingTicks);
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
    private void OrderByGroup()
    {
        var waiting = _events.WaitingRun;
        int run = waiting.Count;
        Pooled.Ensure(ref _order, run);
        _results = run <= FewPeers ? OrderFew(waiting) : OrderMany(waiting);

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

    private int OrderFew(EventQueue<TMore>.Events waiting)
    {
        var (order, groups) = (_order, _keys.Groups);
        int count = 0;
        for (int i = 0; i < waiting.Count; i++)
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

    /// <summary>A counting sort; says how many results there are.</summary>
    private int OrderMany(EventQueue<TMore>.Events waiting)
    {
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        CountGroups(waiting, next);
        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        Place(waiting, next);
        return next[StableHash.KeyGroups];
    }

    /// <summary>Counts the results of each group in the place behind it. A place that an event names is one, and a group has a number of its own.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountGroups(EventQueue<TMore>.Events waiting, Span<int> next)
    {
        ref byte groups = ref MemoryMarshal.GetArrayDataReference(_keys.Groups);
        ref int count = ref next[1];
        for (int i = 0; i < waiting.Count; i++)
        {
            int place = waiting[i].PlaceOrDone;
            if (place >= 0)
            {
                Unsafe.Add(ref count, Unsafe.Add(ref groups, place))++;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Place(EventQueue<TMore>.Events waiting, Span<int> next)
    {
        ref byte groups = ref MemoryMarshal.GetArrayDataReference(_keys.Groups);
        ref int first = ref MemoryMarshal.GetReference(next);
        ref int order = ref MemoryMarshal.GetArrayDataReference(_order);
        for (int i = 0; i < waiting.Count; i++)
        {
            int place = waiting[i].PlaceOrDone;
            if (place >= 0)
            {
                Unsafe.Add(ref order, Unsafe.Add(ref first, Unsafe.Add(ref groups, place))++) = place;
            }
        }
    }

    /// <summary>Forgets the events before a time, and the keys that have none left. None of them waits.</summary>
    private void Forget(long start)
    {
        while (!_events.IsEmpty && _events.FirstTicks < start)
        {
            if (TStates.IsPlain)
            {
                _states.PopAll(_keys, _events.FirstRun);
            }
            else
            {
                PopEach(_events.FirstRun);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void PopEach(int count)
    {
        var (keys, queue, states) = (_keys, _events, _states);
        bool isMany = keys.Count > FewKeys;
        for (; count > 0; count--)
        {
            ref var first = ref queue.First;
            Ahead.Prefetch(ref first);
            uint number = queue.RemoveFirst(1);
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
