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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void GiveOut(long start, long end)
    {
        var (keys, states, output, groups, identity) = (_keys, _states, _output, _keys.Groups, parts.Identity);
        bool isMany = keys.Count > FewKeys;
        var order = _order.AsSpan(0, _run);
        if (_runAt < order.Length)
        {
            output.Reserve(order.Length - _runAt, end - 1, groups[order[_runAt] & int.MaxValue]);
        }

        for (; _runAt < order.Length; _runAt++)
        {
            int place = order[_runAt];
            if (place < 0)
            {
                // Its result was given out before.
                continue;
            }

            if (isMany)
            {
                keys.Prefetch(order[Math.Min(_runAt + Near, order.Length - 1)]);
            }

            ref var key = ref keys.At(place);
            states.Sum(ref key.State.States, place, start, ref _sum);
            output.EmitReserved(new WindowInfo<TKey>(key.Key, start, end), groups[place], ref _sum, end - 1, identity ? key.State.Ordinal++ : 0);
            states.Release(ref _sum);
        }
    }

    /// <summary>A projection asks for an aggregate that it did not ask for before: under a condition, or for the first time since state was restored.</summary>
    private void Widen(AggregateKinds kinds)
    {
        _states.Widen(kinds, _keys);
        parts.Use?.Keep(_states.Kept, Widen);
        int place = _order[_runAt];
        _states.Sum(ref _keys.At(place).State.States, place, _windows.StartOf(_events.WaitingAt(0).Ticks), ref _sum);
    }

    /// <summary>The places of the keys whose events wait for this time, by group; a negative number for one whose result was given out before.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OrderByGroup(long ticks)
    {
        var waiting = _events.AllWaiting;
        int run = 1;
        while (run < waiting.Count && waiting[run].Ticks == ticks)
        {
            run++;
        }

        Pooled.Ensure(ref _order, run);
        if (run <= FewPeers)
        {
            OrderFew(waiting, run);
        }
        else
        {
            OrderMany(waiting, run);
        }

        if (parts.Identity)
        {
            foreach (int place in _order.AsSpan(0, run))
            {
                _keys.At(place & int.MaxValue).State.Ordinal = 0;
            }
        }

        (_run, _runAt) = (run, 0);
    }

    private void OrderFew(EventQueue<TMore>.WaitingEvents waiting, int run)
    {
        var (order, groups) = (_order, _keys.Groups);
        for (int i = 0; i < run; i++)
        {
            int place = waiting[i].PlaceOrDone, at = i;
            for (; at > 0 && groups[order[at - 1] & int.MaxValue] > groups[place & int.MaxValue]; at--)
            {
                order[at] = order[at - 1];
            }

            order[at] = place;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OrderMany(EventQueue<TMore>.WaitingEvents waiting, int run)
    {
        byte[] groups = _keys.Groups;
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        for (int i = 0; i < run; i++)
        {
            next[groups[waiting[i].Place] + 1]++;
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        var order = _order.AsSpan(0, run);
        for (int i = 0; i < run; i++)
        {
            int place = waiting[i].PlaceOrDone;
            order[next[groups[place & int.MaxValue]]++] = place;
        }
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

            queue.RemoveFirst();
            int place = first.Place;
            if (isMany)
            {
                keys.Prefetch(queue.Behind(Near).Place);
            }

            ref var window = ref keys.At(place).State;
            if (window.Dropped > 0)
            {
                window.Dropped--;
                _dropped--;
            }
            else
            {
                states.Pop(ref window.States, place, in first.More);
            }

            if (TStates.CountOf(in window.States) == 0 && window.Dropped == 0)
            {
                keys.Remove(place);
            }
        }
    }
}
