namespace IoT.Cep;

/// <summary>
/// Matches by runs: each partial match is one, and is asked with each event that may concern it. Does all that a pattern can say; its cost grows with the
/// number of partial matches that are open.
/// </summary>
internal sealed partial class RunMatcher<TKey, T> : Matcher<TKey, T>
    where TKey : notnull
{
    private const int None = -1;

    // Among the guards of a run that has not decided yet how it goes on, and so has none.
    private const ulong AbsenceIsOver = 1;

    private readonly PatternProgram<T> _program;
    private readonly Chains<T> _chains;
    private readonly Runs<TKey, T> _runs;
    private readonly MatchLimits _limits;
    private readonly After _after;
    private readonly long _span;
    private readonly MatchHistory<TKey, T>? _history;
    private readonly List<Outcome> _outcomes = [];
    private readonly List<Decision> _decisions = [];
    private readonly Queue<(Found<TKey> Found, int Last)> _found = new();

    internal RunMatcher(PatternShape<T> shape, int maxKeys, MatchLimits limits)
        : base(shape)
    {
        _program = new PatternProgram<T>(shape);
        _chains = new Chains<T>(shape);
        _runs = new Runs<TKey, T>(_chains, maxKeys);
        _limits = limits;
        _after = shape.Pattern.After;
        _span = shape.Span;
        _history = limits.Remembered == 0 ? null : new MatchHistory<TKey, T>(shape, limits.Remembered);
    }

    internal override string Kind => "runs";

    internal override bool SeesEveryEvent => Shape.SeesEveryEvent || Shape.HasDependent || (_limits.WantsTimeouts && Shape.TimesOutByWays);

    internal override IReadOnlyList<int>? BeginNumbers => _program.BeginNumbers;

    internal override bool IsOpen(TKey key) => _runs.Keys.IndexOf(key) >= 0;

    internal override void VisitKeys(Action<TKey> visit)
    {
        foreach (ref readonly var entry in _runs.Keys.Entries)
        {
            visit(entry.Key);
        }
    }

    internal override int Keys => _runs.Keys.Count;

    internal override int Events => _chains.Count;

    internal override double Open => _runs.Count;

    internal override long Bytes => _chains.Bytes + _runs.Bytes;

    internal override bool HasFound => _found.Count > 0;

    internal override Found<TKey> Next => _found.Peek().Found;

    internal override Match<T> NextMatch => _chains.ToMatch(_found.Peek().Last);

    internal override PartialMatch<T> NextPartial => new(_chains, _found.Peek().Last, null, _found.Peek().Found.End);

    internal override void RemoveFound() => _chains.Free(_found.Dequeue().Last);

    internal override (int Length, WhyNot Why)? WhyNot(TKey key, long from, long to) => _history?.WhyNot(key, from, to, _program.Start);

    internal override void Decide(TKey key, in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        _decisions.Clear();
        _outcomes.Clear();
        var asked = new Asked(in value, ticks, truths);
        for (int index = _runs.Count == 0 ? None : _runs.OldestOf(key); index != None; index = _runs.At(index).Next)
        {
            ref var run = ref _runs.At(index);
            if (run.Transition is not { IsPlain: true } only)
            {
                Decide(index, run.State, run.Transition, run.Guards, run.Last, in asked);
            }
            else if (ChoiceOf(only, run.Last, in asked) is { } choice)
            {
                int from = _outcomes.Count;
                Choose(only, choice, isEnd: false, run.Guards, run.Last, asked.Ticks);
                Conclude(index, from, isComplete: false, run.State, only, run.Guards, run.Last, in asked);
            }
        }

        Decide(None, _program.Start, null, 0, None, in asked);
    }

    /// <summary>The transitions of one run that the event takes, or passes over.</summary>
    private void Decide(int index, State<T> state, Transition<T>? committed, ulong guards, int last, in Asked asked)
    {
        int from = _outcomes.Count;
        bool isKilled = false, isComplete = false;
        if (committed is not null)
        {
            Try(committed, isFresh: false, guards, last, in asked, ref isKilled, ref isComplete);
        }
        else
        {
            foreach (var transition in state.Transitions)
            {
                if (guards != AbsenceIsOver || transition.Kind != TransitionKind.Pending)
                {
                    Try(transition, isFresh: true, ulong.MaxValue, last, in asked, ref isKilled, ref isComplete);
                }
            }
        }

        if (isKilled)
        {
            // Only what this very event completes is still given out.
            for (int i = _outcomes.Count - 1; i >= from; i--)
            {
                if (_outcomes[i] is { Kind: OutcomeKind.Take, Transition.Target.IsFinal: true } taken)
                {
                    _outcomes[i] = taken with { Kind = OutcomeKind.TakeAndEnd };
                }
                else
                {
                    _outcomes.RemoveAt(i);
                }
            }
        }

        Conclude(index, from, isComplete, state, committed, guards, last, in asked);
    }

    /// <summary>What was found out about a run is a decision, unless nothing changes.</summary>
    private void Conclude(int index, int from, bool isComplete, State<T> state, Transition<T>? committed, ulong guards, int last, in Asked asked)
    {
        bool isUnchanged = _outcomes.Count == from + 1 && !isComplete && _outcomes[from].Kind == OutcomeKind.Pass
            && ReferenceEquals(_outcomes[from].Transition, committed) && _outcomes[from].Guards == guards;
        if (isUnchanged)
        {
            _outcomes.RemoveAt(from);
        }
        else if (index != None || _outcomes.Count > from)
        {
            string? ending = _history is not null && index != None && _outcomes.Count == from ? Ending(state, committed, last, in asked) : null;
            _decisions.Add(new Decision(index, from, _outcomes.Count - from, isComplete, ending));
        }
    }

    private void Try(Transition<T> transition, bool isFresh, ulong guards, int last, in Asked asked, ref bool isKilled, ref bool isComplete)
    {
        isKilled |= IsAnyTrue(transition.Nots, last, in asked);
        if (isFresh && IsAnyTrue(transition.NotNexts, last, in asked))
        {
            isKilled = true;
            return;
        }

        if (transition.Kind != TransitionKind.Take)
        {
            if (transition.Kind == TransitionKind.Pending)
            {
                _outcomes.Add(new Outcome(OutcomeKind.Pass, transition, 0, 0));
            }
            else
            {
                isComplete = true;
            }

            return;
        }

        guards = isFresh ? Freed(transition, last, in asked) : guards;
        if (IsGuarded(transition, guards, last, in asked) || IsEnded(transition.Untils, last, in asked))
        {
            return;
        }

        var choice = ChoiceOf(transition, last, in asked);
        bool isEnd = transition.Until is { } until && IsTrue(until, last, transition.Choices[0].Handle, in asked);
        Choose(transition, choice, isEnd, guards, last, asked.Ticks);
    }

    /// <summary>A transition takes an event, or passes it over, or both.</summary>
    private void Choose(Transition<T> transition, Test<T>? choice, bool isEnd, ulong guards, int last, long ticks)
    {
        if (choice is not null && !isEnd && IsNear(transition, last, ticks))
        {
            _program.TargetOf(transition);
            _outcomes.Add(new Outcome(OutcomeKind.Take, transition, transition.LabelOf(choice), 0));
        }

        bool mayPass = last != None && transition.Contiguity switch
        {
            Contiguity.Next => false,
            Contiguity.FollowedBy => choice is null,
            _ => true,
        };
        if (mayPass && !(transition.IsLoop && isEnd))
        {
            _outcomes.Add(new Outcome(OutcomeKind.Pass, transition, 0, guards));
        }
    }

    /// <summary>What ends a greedy step and comes directly behind an event frees the transitions that leave it.</summary>
    private ulong Freed(Transition<T> transition, int last, in Asked asked)
    {
        ulong guards = transition.Guards.Length == 64 ? ulong.MaxValue : (1UL << transition.Guards.Length) - 1;
        for (int i = 0; i < transition.Guards.Length; i++)
        {
            if (transition.Guards[i].Until is { } until && IsTrue(until, last, transition.Guards[i].Choices[0].Handle, in asked))
            {
                guards &= ~(1UL << i);
            }
        }

        return guards;
    }

    private bool IsGuarded(Transition<T> transition, ulong guards, int last, in Asked asked)
    {
        for (int i = 0; i < transition.Guards.Length; i++)
        {
            if ((guards >> i & 1) == 0)
            {
                continue;
            }

            foreach (var choice in transition.Guards[i].Choices)
            {
                if (IsTrue(choice, last, choice.Handle, in asked))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool IsEnded(Test<T>[] untils, int last, in Asked asked)
    {
        foreach (var until in untils)
        {
            if (IsTrue(until, last, null, in asked))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsAnyTrue(Site<T>[] sites, int last, in Asked asked)
    {
        foreach (var site in sites)
        {
            if (IsTrue(site.Choices[0], last, null, in asked))
            {
                return true;
            }
        }

        return false;
    }

    private Test<T>? ChoiceOf(Transition<T> transition, int last, in Asked asked)
    {
        foreach (var choice in transition.Choices)
        {
            if (IsTrue(choice, last, choice.Handle, in asked))
            {
                return choice;
            }
        }

        return null;
    }

    private bool IsTrue(Test<T> test, int last, Step? handle, in Asked asked) => test.Number >= 0
        ? IsTrue(asked.Truths, test.Number)
        : test.Condition.Dependent!(asked.Value, new PartialMatch<T>(_chains, last, handle, asked.Ticks));

    /// <summary>What it was about an event that ended a run. The conditions are asked once more: only where a history is kept.</summary>
    private string Ending(State<T> state, Transition<T>? committed, int last, in Asked asked)
    {
        var transitions = committed is null ? state.Transitions : [committed];
        foreach (var transition in transitions)
        {
            foreach (var not in committed is null ? [.. transition.Nots, .. transition.NotNexts] : transition.Nots)
            {
                if (IsTrue(not.Choices[0], last, null, in asked))
                {
                    return $"ended by an event that must not come: ({not.Choices[0].Condition.Text})";
                }
            }
        }

        foreach (var transition in transitions)
        {
            foreach (var guard in transition.Guards)
            {
                foreach (var head in guard.Choices)
                {
                    if (IsTrue(head, last, head.Handle, in asked))
                    {
                        return $"ended by an event that the greedy '{head.Handle}' takes: ({head.Condition.Text})";
                    }
                }
            }

            if (transition.Until is { } until && IsTrue(until, last, transition.Choices[0].Handle, in asked))
            {
                return $"ended by until: ({until.Condition.Text})";
            }

            foreach (var until2 in transition.Untils)
            {
                if (IsTrue(until2, last, null, in asked))
                {
                    return $"ended by until: ({until2.Condition.Text})";
                }
            }
        }

        return "ended by the next event, which was not the one that had to come next";
    }

    private bool IsNear(Transition<T> transition, int last, long ticks) =>
        transition.MaxGap == long.MaxValue || last == None || ticks - _chains.At(last).Ticks < transition.MaxGap;

    private enum OutcomeKind
    {
        Take,

        /// <summary>The event completes a match that is ended by it all the same.</summary>
        TakeAndEnd,
        Pass,
    }

    private readonly record struct Outcome(OutcomeKind Kind, Transition<T> Transition, int Label, ulong Guards);

    /// <summary>What becomes of one run, or of none yet: its outcomes, and whether it is complete as it stands.</summary>
    private readonly record struct Decision(int Run, int From, int Count, bool IsComplete, string? Ending);

    private readonly ref struct Asked(ref readonly T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        private readonly ref readonly T _value = ref value;

        internal ref readonly T Value => ref _value;

        internal long Ticks => ticks;

        internal ReadOnlySpan<ulong> Truths { get; } = truths;
    }
}
