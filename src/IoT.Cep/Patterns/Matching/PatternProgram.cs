using System.Diagnostics;

namespace IoT.Cep;

/// <summary>
/// The automaton of a pattern, made as it is walked: a state is where a match stands after an event that it took, with how often each enclosing repetition
/// has come round. What may come next are the state's transitions. One for each operator, which runs on one thread.
/// </summary>
/// <remarks>
/// The number of states that can be reached does not depend on the events: at most the number of steps times the bounds of the repetitions around them.
/// Repetitions without an upper bound count only up to their lower one.
/// </remarks>
internal sealed class PatternProgram<T>
{
    private readonly Dictionary<string, State<T>> _states = new(StringComparer.Ordinal);
    private readonly List<State<T>> _all = [];

    internal PatternProgram(PatternShape<T> shape)
    {
        Shape = shape;
        Start = new State<T>(0, null);
        _all.Add(Start);
        new Walk(this, Start).Enter(null, shape.Sites, 0, new Way<T>(0));
        Debug.Assert(!Start.IsFinal || Start.Transitions.Count > 0, "A pattern takes something.");
    }

    internal PatternShape<T> Shape { get; }

    /// <summary>Where every match begins: its transitions take the first event.</summary>
    internal State<T> Start { get; }

    /// <summary>The conditions on an event alone of which one must be true for a match to begin; null where another one will do.</summary>
    internal IReadOnlyList<int>? BeginNumbers
    {
        get
        {
            var tests = Start.Transitions.SelectMany(transition => transition.Choices).ToList();
            return Start.Transitions.TrueForAll(transition => transition.Kind == TransitionKind.Take) && tests.TrueForAll(test => test.Number >= 0)
                ? [.. tests.Select(test => test.Number).Distinct()]
                : null;
        }
    }

    internal State<T> At(int id) => _all[id];

    internal int Count => _all.Count;

    /// <summary>The state that a transition leads to.</summary>
    internal State<T> TargetOf(Transition<T> transition) => transition.Target ??= StateAt(transition.Path!);

    /// <summary>The state with this path, which saved state names.</summary>
    internal State<T> Find(string key)
    {
        if (!_states.TryGetValue(key, out var state))
        {
            state = key.Length == 0 ? Start : StateAt(Parse(key));
        }

        return state;
    }

    private State<T> StateAt(Frame<T> path)
    {
        string key = path.Key;
        if (!_states.TryGetValue(key, out var state))
        {
            state = new State<T>(_all.Count, path);
            _all.Add(state);
            _states[key] = state;
            new Walk(this, state).Leave(path);
            state.MaxGap = state.Transitions.Count == 0 ? long.MaxValue : state.Transitions.Max(transition => transition.MaxGap);
        }

        return state;
    }

    private Frame<T> Parse(string key)
    {
        Frame<T>? frame = null;
        var sequences = new List<Site<T>[]> { Shape.Sites };
        foreach (string part in key.Split('/'))
        {
            int[] numbers = [.. part.Split('.').Select(number => int.Parse(number, System.Globalization.CultureInfo.InvariantCulture))];
            var sequence = sequences.Find(sites => Array.Exists(sites, site => site.Id == numbers[0]))
                ?? throw new InvalidDataException("Saved state names a step that the pattern does not have: it was saved by another pattern.");
            int index = Array.FindIndex(sequence, site => site.Id == numbers[0]);
            frame = new Frame<T>(frame, sequence, index, numbers[1], (uint)numbers[2]);
            sequences = [.. sequence[index].Sequences];
        }

        return frame!;
    }

    /// <summary>Finds the transitions of one state.</summary>
    private readonly struct Walk(PatternProgram<T> program, State<T> state)
    {
        /// <summary>Behind an event that the path's last frame took.</summary>
        internal void Leave(Frame<T> path)
        {
            var site = path.Site;
            var following = path.Index + 1 < path.Sequence.Length ? path.Sequence[path.Index + 1] : null;
            if (site.MayRepeat(path.Count))
            {
                var nots = following is { IsNot: true, Node.How: not Contiguity.Next } ? new[] { following } : [];
                state.Transitions.Add(new Transition<T>(TransitionKind.Take, program.Shape, new Frame<T>(path.Up, path.Sequence, path.Index, path.Count + 1, 0), site.Node.Inner, site.Node.MaxGap)
                {
                    IsLoop = true,
                    Continued = site.Depth,
                    Nots = nots,
                });
            }

            if (site.MayLeave(path.Count))
            {
                bool guards = site.Node.IsGreedy && site.Node.Times.Min != site.Node.Times.Max;
                Enter(path.Up, path.Sequence, path.Index + 1, new Way<T>(site.Depth) { Guards = guards ? [site] : [] });
            }
        }

        /// <summary>In front of a site: every transition that may take the next event there, or behind it.</summary>
        internal void Enter(Frame<T>? up, Site<T>[] sequence, int index, Way<T> way)
        {
            if (index == sequence.Length)
            {
                if (up is null)
                {
                    End(way);
                }
                else
                {
                    LeaveGroup(up, way);
                }

                return;
            }

            var site = sequence[index];
            if (site.IsNot)
            {
                Enter(up, sequence, index + 1, site.Node.How == Contiguity.Next ? way with { NotNexts = [.. way.NotNexts, site] } : way with { Nots = [.. way.Nots, site] });
                return;
            }

            if (site.IsStep)
            {
                var frame = new Frame<T>(up, sequence, index, 1, 0);
                state.Transitions.Add(new Transition<T>(TransitionKind.Take, program.Shape, frame, way.Head ?? site.Node.How, Math.Min(way.Gap, site.Node.MaxGap))
                {
                    Continued = way.Continued,
                    Guards = way.Guards,
                    Nots = way.Nots,
                    NotNexts = way.NotNexts,
                });
            }
            else
            {
                EnterGroup(up, sequence, index, 1, way with { Head = way.Head ?? site.Node.How, Gap = Math.Min(way.Gap, site.Node.MaxGap) });
            }

            if (site.Node.Times.IsOptional)
            {
                Enter(up, sequence, index + 1, way with { Head = null, Guards = site.Node.IsGreedy ? [.. way.Guards, site] : way.Guards });
            }
        }

        private void EnterGroup(Frame<T>? up, Site<T>[] sequence, int index, int count, Way<T> way)
        {
            var site = sequence[index];
            for (int i = 0; i < site.Sequences.Length; i++)
            {
                Enter(new Frame<T>(up, sequence, index, count, site.IsAllOf ? 1u << i : 0), site.Sequences[i], 0, way);
            }
        }

        private void LeaveGroup(Frame<T> group, Way<T> way)
        {
            var site = group.Site;
            bool isEmpty = way.Continued <= site.Depth;
            if (site.IsAllOf && group.Taken != (1u << site.Sequences.Length) - 1)
            {
                for (int i = 0; i < site.Sequences.Length; i++)
                {
                    if ((group.Taken >> i & 1) == 0)
                    {
                        Enter(group with { Taken = group.Taken | 1u << i }, site.Sequences[i], 0, way with { Head = site.Node.How, Gap = Math.Min(way.Gap, site.Node.MaxGap) });
                    }
                }

                return;
            }

            // A round in which nothing was taken is not followed by another one, which would be the same.
            var outside = way with { Continued = Math.Min(way.Continued, site.Depth), Head = null };
            if (site.MayRepeat(group.Count) && !isEmpty)
            {
                EnterGroup(group.Up, group.Sequence, group.Index, group.Count + 1, outside with { Head = site.Node.Inner, Gap = site.Node.MaxGap });
            }

            if (site.MayLeave(group.Count) || isEmpty)
            {
                Enter(group.Up, group.Sequence, group.Index + 1, outside);
            }
        }

        private void End(Way<T> way)
        {
            var last = program.Shape.Sites[^1];
            if (!last.IsNot)
            {
                state.IsFinal = true;
                return;
            }

            long gap = way.Nots.Length == 0 ? long.MaxValue : way.Nots.Min(not => not.Node.MaxGap);
            var kind = last.Node.How == Contiguity.Next ? TransitionKind.FinalAfterEvent : TransitionKind.Pending;
            state.Transitions.Add(new Transition<T>(kind, program.Shape, null, Contiguity.FollowedBy, kind == TransitionKind.Pending ? gap : long.MaxValue) { Nots = way.Nots, NotNexts = way.NotNexts });
        }
    }
}

/// <summary>What was passed on the way from a taken event to the site that is to take the next.</summary>
/// <param name="Continued">How many of the enclosing groups are still in the round in which the last event was taken.</param>
internal sealed record Way<T>(int Continued)
{
    /// <summary>A group's contiguity, which goes for what stands first in it.</summary>
    internal Contiguity? Head { get; init; }

    internal long Gap { get; init; } = long.MaxValue;

    internal Site<T>[] Guards { get; init; } = [];

    internal Site<T>[] Nots { get; init; } = [];

    internal Site<T>[] NotNexts { get; init; } = [];
}

/// <summary>Where in a sequence a match stands, and how often it has come round there.</summary>
/// <param name="Up">The frame of the group that encloses the sequence.</param>
/// <param name="Sequence">The sequence.</param>
/// <param name="Index">The site's index in it.</param>
/// <param name="Rounds">How many rounds have begun.</param>
/// <param name="Taken">Of a group whose parts come in any order: those that have come in this round.</param>
internal sealed record Frame<T>(Frame<T>? Up, Site<T>[] Sequence, int Index, int Rounds, uint Taken)
{
    internal Site<T> Site => Sequence[Index];

    internal int Count { get; } = Sequence[Index].Clamp(Rounds);

    internal string Key => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{(Up is null ? "" : Up.Key + "/")}{Site.Id}.{Count}.{Taken}");
}

/// <summary>Where a match stands after an event that it took.</summary>
internal sealed class State<T>(int id, Frame<T>? path)
{
    internal int Id => id;

    internal Frame<T>? Path => path;

    /// <summary>The name by which saved state knows it; empty for the start.</summary>
    internal string Key => path?.Key ?? "";

    /// <summary>Whether the match is complete here.</summary>
    internal bool IsFinal { get; set; }

    internal List<Transition<T>> Transitions { get; } = [];

    /// <summary>So long after the last event no transition can take another one; there is no such time where one of them may wait for ever.</summary>
    internal long MaxGap { get; set; }
}

internal enum TransitionKind
{
    /// <summary>An event is taken.</summary>
    Take,

    /// <summary>Complete once the time of the absence has passed.</summary>
    Pending,

    /// <summary>Complete once an event comes that is not the one that must not be next.</summary>
    FinalAfterEvent,
}

/// <summary>One way to go on: the step that is to take an event next, and what must not happen until then.</summary>
internal sealed class Transition<T>
{
    internal Transition(TransitionKind kind, PatternShape<T> shape, Frame<T>? path, Contiguity contiguity, long maxGap)
    {
        Kind = kind;
        Path = path;
        Contiguity = contiguity;
        MaxGap = maxGap;
        Shape = shape;
        Choices = path is null ? [] : path.Site.Choices;
        var untils = new List<Test<T>>();
        for (var frame = path?.Up; frame is not null; frame = frame.Up)
        {
            if (frame.Site.Until is { } until)
            {
                untils.Add(until);
            }
        }

        Untils = [.. untils];
    }

    private PatternShape<T> Shape { get; }

    internal TransitionKind Kind { get; }

    internal Frame<T>? Path { get; }

    internal State<T>? Target { get; set; }

    internal Contiguity Contiguity { get; }

    internal long MaxGap { get; }

    /// <summary>Whether it is a further repetition of the step that took the last event.</summary>
    internal bool IsLoop { get; init; }

    /// <summary>How many of the enclosing groups the taken event continues.</summary>
    internal int Continued { get; init; }

    /// <summary>What ends the enclosing groups.</summary>
    internal Test<T>[] Untils { get; }

    /// <summary>Greedy steps that are left or passed over: none of them may take an event on the way.</summary>
    internal Site<T>[] Guards { get; init; } = [];

    internal Site<T>[] Nots { get; init; } = [];

    internal Site<T>[] NotNexts { get; init; } = [];

    /// <summary>Whether an event that it does not take changes nothing.</summary>
    internal bool IsPlain => _isPlain ??= Kind == TransitionKind.Take && Contiguity != Contiguity.Next && Guards.Length == 0 && Nots.Length == 0 && NotNexts.Length == 0
        && Untils.Length == 0 && Until is null;

    private bool? _isPlain;

    internal Test<T>[] Choices { get; }

    internal Test<T>? Until => Path?.Site.Until;

    internal int LabelOf(Test<T> choice) => Shape.LabelOf(choice, Continued);
}
