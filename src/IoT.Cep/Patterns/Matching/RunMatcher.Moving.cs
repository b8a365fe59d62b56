using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Moves runs as was decided, and gives out what is complete.</summary>
internal sealed partial class RunMatcher<TKey, T>
{
    private readonly List<TKey> _touched = [];
    private readonly List<(int Last, long Due)> _timedOut = [];

    internal override void Apply(TKey key, in T value, long ticks, long position)
    {
        bool isChanged = false;
        foreach (var decision in _decisions)
        {
            isChanged |= decision.Run != None;
            if (decision.Run == None)
            {
                isChanged |= Begin(key, in decision, in value, ticks, position);
            }
            else
            {
                Move(key, in decision, in value, ticks, position);
            }
        }

        if (isChanged)
        {
            Limit(key, ticks);
            Release(key, ticks);
            _runs.Tidy(key);
        }
    }

    internal override void Expire(long time)
    {
        while (_runs.NextDue(_span, out long due) is var index and not None && due <= time)
        {
            _touched.Clear();
            _timedOut.Clear();
            do
            {
                _touched.Add(_runs.At(index).Key);
                if (!IsOnlyAbsenceOver(index, due))
                {
                    End(in _runs.At(index), due);
                    _runs.Remove(index);
                }

                index = _runs.NextDue(_span, out long next);
                if (next != due)
                {
                    break;
                }
            }
            while (index != None);

            foreach (var key in _touched)
            {
                Release(key, due);
                _runs.Tidy(key);
            }
        }
    }

    /// <summary>Where an absence is only one of several ways to go on, it is complete when its own time is over, and the run goes on by the others.</summary>
    private bool IsOnlyAbsenceOver(int index, long due)
    {
        ref var run = ref _runs.At(index);
        if (AbsenceOf(in run) is not { } absence || run.Transition is not null || Ticks.Plus(_chains.At(run.Last).Ticks, absence.MaxGap) != due
            || due == Ticks.Plus(run.Start, _span) || absence.MaxGap == run.State.MaxGap)
        {
            return false;
        }

        Complete(run.Key, run.Last, due);
        run.Guards = AbsenceIsOver;
        _runs.SetDue(index, DueOf(in run));
        return true;
    }

    /// <summary>The absence that a run waits for, if there is one and its time is not over yet.</summary>
    private static Transition<T>? AbsenceOf(in Run<TKey, T> run)
    {
        if (run.Transition is { } committed)
        {
            return committed.Kind == TransitionKind.Pending ? committed : null;
        }

        return run.Guards == AbsenceIsOver ? null : run.State.Transitions.Find(transition => transition.Kind == TransitionKind.Pending);
    }

    /// <summary>When something is to be done about a run because of its gaps.</summary>
    private long DueOf(in Run<TKey, T> run)
    {
        long gap = run.Transition?.MaxGap ?? Math.Min(run.State.MaxGap, AbsenceOf(in run)?.MaxGap ?? long.MaxValue);
        return gap == long.MaxValue ? long.MaxValue : Ticks.Plus(_chains.At(run.Last).Ticks, gap);
    }

    /// <summary>A run's time is over: an absence is complete then, anything else has failed.</summary>
    private void End(in Run<TKey, T> run, long due)
    {
        if (AbsenceOf(in run) is not null)
        {
            Complete(run.Key, run.Last, due);
            _history?.End(run.Story, "matched", due, isMatch: true);
            return;
        }

        _history?.End(run.Story, run.Start + _span == due ? $"not in time: Within {TimeSpan.FromTicks(_span)} was over" : "not in time: MaxGap was over", due);
        if (_limits.WantsTimeouts && !_timedOut.Contains((run.Last, due)))
        {
            // Runs that go on by different transitions with the same events are one partial match to who reads it.
            _timedOut.Add((run.Last, due));
            _chains.Hold(run.Last);
            Find(run.Key, run.Last, due, isTimeout: true);
        }
    }

    private bool Begin(TKey key, in Decision decision, in T value, long ticks, long position)
    {
        bool isBegun = false;
        for (int i = decision.From; i < decision.From + decision.Count; i++)
        {
            var outcome = _outcomes[i];
            Debug.Assert(outcome.Kind != OutcomeKind.Pass, "What has taken nothing passes nothing over.");
            var target = outcome.Transition.Target!;
            if (!isBegun)
            {
                // The key's place comes first: where there is none left, no event stays behind.
                _runs.Of(key);
                isBegun = true;
            }

            int last = _chains.Add(in value, ticks, position, outcome.Label, None);
            if (target.IsFinal)
            {
                Complete(key, last, ticks);
            }

            if (outcome.Kind == OutcomeKind.Take && target.Transitions.Count > 0)
            {
                long story = _history?.Begin(key, ticks) ?? 0;
                _history?.Advance(story, _chains, last, target);
                Add(key, new Run<TKey, T> { State = target, Last = last, Start = ticks, First = position, Story = story }, None);
            }
            else
            {
                _chains.Free(last);
            }
        }

        return isBegun;
    }

    private void Move(TKey key, in Decision decision, in T value, long ticks, long position)
    {
        int index = decision.Run;
        if (decision.IsComplete)
        {
            Complete(key, _runs.At(index).Last, ticks);
        }

        if (_history is not null)
        {
            Tell(_history, key, in decision, ticks);
        }

        int kept = None;
        int old = _runs.At(index).Last;
        for (int i = decision.From; i < decision.From + decision.Count; i++)
        {
            var outcome = _outcomes[i];
            var run = _runs.At(index);
            if (outcome.Kind == OutcomeKind.Pass)
            {
                (run.Transition, run.Guards) = (outcome.Transition, outcome.Guards);
                _chains.Hold(old);
                run.Last = old;
            }
            else
            {
                var target = outcome.Transition.Target!;
                run.Last = _chains.Add(in value, ticks, position, outcome.Label, old);
                (run.State, run.Transition, run.Guards) = (target, null, 0);
                if (target.IsFinal)
                {
                    Complete(key, run.Last, ticks);
                }

                if (outcome.Kind == OutcomeKind.TakeAndEnd || target.Transitions.Count == 0)
                {
                    _chains.Free(run.Last);
                    continue;
                }
            }

            if (_history is not null && i > decision.From)
            {
                // One that goes two ways is two from here on.
                run.Story = _history.Begin(key, run.Start);
            }

            _history?.Advance(run.Story, _chains, run.Last, run.State);
            kept = Add(key, in run, index);
        }

        // What goes on stands in its place now.
        Debug.Assert(kept == None || _runs.At(kept).Start == _runs.At(index).Start, "What goes on has the same first event.");
        _runs.Remove(index);
    }

    /// <summary>What becomes of a run that does not go on.</summary>
    private void Tell(MatchHistory<TKey, T> history, TKey key, in Decision decision, long ticks)
    {
        bool isMatch = decision.IsComplete;
        for (int i = decision.From; i < decision.From + decision.Count; i++)
        {
            isMatch |= _outcomes[i] is { Kind: not OutcomeKind.Pass, Transition.Target.IsFinal: true };
        }

        if (isMatch || decision.Ending is not null)
        {
            history.End(_runs.At(decision.Run).Story, isMatch ? "matched" : decision.Ending!, ticks, isMatch);
        }
    }

    private int Add(TKey key, in Run<TKey, T> run, int before)
    {
        int index = _runs.Add(key, in run, before);
        if (run.Transition is null && run.State.Transitions is [{ IsPlain: true } only])
        {
            // There is but one way to go on, and passing an event over changes nothing about it.
            _runs.At(index).Transition = only;
        }

        _runs.SetDue(index, DueOf(in _runs.At(index)));
        return index;
    }

    /// <summary>A key that has more partial matches than it may loses the oldest or the newest ones.</summary>
    private void Limit(TKey key, long ticks)
    {
        while (_runs.Of(key) is var runs && runs.Count > _limits.MaxPerKey)
        {
            Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
            Drop(_limits.WhenFull == WhenMatchesFull.DropNewest ? runs.Newest : runs.Oldest, _history is null ? "" : $"dropped: the key had more than {_limits.MaxPerKey:N0} partial matches", ticks);
        }
    }

    private void Drop(int index, string why, long ticks)
    {
        _history?.End(_runs.At(index).Story, why, ticks);
        _runs.Remove(index);
    }

    /// <summary>A match is complete: it is given out, or waits until none that began earlier is open.</summary>
    private void Complete(TKey key, int last, long ticks)
    {
        _chains.Hold(last);
        if (_after.Kind == AfterKind.NoSkip)
        {
            Find(key, last, ticks);
        }
        else
        {
            (_runs.Of(key).Waiting ??= []).Add(last);
        }
    }

    /// <summary>Gives out those of the waiting matches that none can come before any more, each of them before it drops others.</summary>
    private void Release(TKey key, long ticks)
    {
        if (_after.Kind == AfterKind.NoSkip)
        {
            return;
        }

        while (_runs.Keys.IndexOf(key) is >= 0 and var place && _runs.Keys.Entries[place].State.Waiting is { Count: > 0 } waiting)
        {
            int first = 0;
            for (int i = 1; i < waiting.Count; i++)
            {
                first = Compare(waiting[i], waiting[first]) < 0 ? i : first;
            }

            int last = waiting[first];
            long start = _chains.At(_chains.FirstOf(last)).Position;
            int oldest = _runs.Keys.Entries[place].State.Oldest;
            if (oldest != None && _runs.At(oldest).First < start)
            {
                if (waiting.Count <= _limits.MaxPerKey)
                {
                    return;
                }

                // Too many wait for one that is slow: it gives way.
                Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
                Drop(oldest, _history is null ? "" : $"dropped: more than {_limits.MaxPerKey:N0} matches waited for it", ticks);
                continue;
            }

            waiting.RemoveAt(first);
            Find(key, last, ticks, error: Skip(key, last, waiting));
        }
    }

    private void Find(TKey key, int last, long ticks, bool isTimeout = false, Exception? error = null) => _found.Enqueue(
        (new Found<TKey>(key, _chains.At(_chains.FirstOf(last)).Ticks, _chains.At(last).Ticks, ticks, isTimeout, error), last));

    private AfterMatchException? Skip(TKey key, int last, List<int> waiting)
    {
        long first = _chains.At(_chains.FirstOf(last)).Position;
        long to = ResumeAt(last, first);
        if (_after.IsStrict && (to < 0 || to == first))
        {
            return new AfterMatchException(to < 0
                ? $"A match of '{Shape.Pattern}' can't be skipped from: the step '{_after.Target}' has taken no event."
                : $"A match of '{Shape.Pattern}' can't be skipped from: the step '{_after.Target}' took its first event, where the match began.");
        }

        while (_runs.OldestOf(key) is var oldest and not None && _runs.At(oldest).First < to)
        {
            Drop(oldest, _history is null ? "" : $"dropped by a match, after which {_after} goes on", _chains.At(last).Ticks);
        }

        for (int i = waiting.Count - 1; i >= 0; i--)
        {
            if (_chains.At(_chains.FirstOf(waiting[i])).Position < to)
            {
                _chains.Free(waiting[i]);
                waiting.RemoveAt(i);
            }
        }

        return null;
    }

    /// <summary>The number of the first event with which a match may begin now; -1 where nothing is dropped.</summary>
    private long ResumeAt(int last, long first)
    {
        switch (_after.Kind)
        {
            case AfterKind.PastLastEvent:
                return _chains.At(last).Position + 1;
            case AfterKind.ToNext:
                return first + 1;
            default:
                long found = -1;
                for (int at = last; at != None; at = _chains.At(at).Previous)
                {
                    ref var taken = ref _chains.At(at);
                    if (Shape.HandleOf(taken.Label) == _after.Target || Shape.IsIn(taken.Label, _after.Target!, out _))
                    {
                        found = taken.Position;
                        if (_after.Kind == AfterKind.ToLast)
                        {
                            break;
                        }
                    }
                }

                return found;
        }
    }

    /// <summary>By the numbers of their events, one after the other.</summary>
    private int Compare(int left, int right)
    {
        Span<long> one = stackalloc long[64], other = stackalloc long[64];
        return Positions(left, one).SequenceCompareTo(Positions(right, other));
    }

    private ReadOnlySpan<long> Positions(int last, Span<long> room)
    {
        int length = _chains.LengthOf(last);
        var positions = length <= room.Length ? room[..length] : new long[length];
        for (int i = length - 1; i >= 0; i--)
        {
            positions[i] = _chains.At(last).Position;
            last = _chains.At(last).Previous;
        }

        return positions;
    }
}

/// <summary>What happens where a key has as many partial matches of a pattern as it may.</summary>
public enum WhenMatchesFull
{
    /// <summary>The oldest partial match gives way: a slow one is missed. Counted in <see cref="Query.DiscardedPartialMatches"/>.</summary>
    DropOldest,

    /// <summary>The new one is not begun: what is under way is kept. Counted in <see cref="Query.DiscardedPartialMatches"/>.</summary>
    DropNewest,
}
