using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The deterministic automaton over a pattern's own: partial matches that stand in one configuration have one future, whatever they took. Made as it is
/// walked, and remembered for each combination of conditions that an event met.
/// </summary>
internal sealed class Configurations<T>
{
    // Of so many conditions a configuration's changes are found by their bits: a thousand places for each.
    private const int MaxIndexedConditions = 10;
    private const int MaxRemembered = 4096;

    // Beyond that what is noted would leave the first cache: 24 bytes for each combination.
    private const int MaxActingConditions = 8;

    private readonly PatternProgram<T> _program;
    private readonly Dictionary<string, Configuration<T>> _known = new(StringComparer.Ordinal);
    private readonly int[] _numbers;
    private readonly bool _isDirect;
    private readonly List<Configuration<T>> _all = [];

    // What events do, by configuration and bits, where there are few conditions.
    private Change<T>?[] _changes = [];

    internal Configurations(PatternProgram<T> program)
    {
        _program = program;
        _numbers = [.. program.Shape.Numbers];
        _isDirect = Array.TrueForAll([.. Enumerable.Range(0, _numbers.Length)], i => _numbers[i] == i);
        Start = Fresh(program.Start);
    }

    /// <summary>Where every match begins.</summary>
    internal Configuration<T> Start { get; }

    internal IReadOnlyList<int>? BeginNumbers => _program.BeginNumbers;

    /// <summary>Whether a pattern is one that this automaton can stand for.</summary>
    /// <returns>Null, or why not.</returns>
    internal static string? WhyNot(PatternShape<T> shape)
    {
        var pattern = shape.Pattern;
        return shape.HasDependent ? "a condition asks for what the match has so far"
            : HasGap(pattern.Nodes) ? "time between neighbours is limited"
            : pattern.Nodes[^1] is NotNode<T> ? "the pattern ends in a negation"
            : pattern.After.Kind != AfterKind.NoSkip ? "matches drop others"
            : pattern.Span is null ? "there is no Within"
            : shape.Numbers.Count > 64 ? "it has more than 64 conditions"
            : null;
    }

    /// <summary>A bit for each of the pattern's conditions.</summary>
    internal ulong BitsOf(ReadOnlySpan<ulong> truths)
    {
        if (_isDirect)
        {
            return _numbers.Length == 64 ? truths[0] : truths[0] & ((1UL << _numbers.Length) - 1);
        }

        ulong bits = 0;
        for (int i = 0; i < _numbers.Length; i++)
        {
            bits |= (truths[_numbers[i] >> 6] >> (_numbers[i] & 63) & 1) << i;
        }

        return bits;
    }

    /// <summary>
    /// What an event does to a key that has one set or none, as far as that was asked: by configuration, bits and whether the set is alive; nothing where there
    /// are many conditions.
    /// </summary>
    internal Act[] Acts { get; private set; } = [];

    /// <summary>How many bits follow the configuration's number in a place there.</summary>
    internal int Shift => _numbers.Length;

    /// <summary>The configuration of a number.</summary>
    internal Configuration<T> At(int id) => _all[id];

    /// <summary>What an event with these bits does to the partial matches of a configuration.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Change<T> ChangeOf(int id, ulong bits)
    {
        var changes = _changes;
        ulong place = ((ulong)(uint)id << _numbers.Length) | bits;
        return place < (ulong)changes.Length && changes[place] is { } change ? change : FindChange(id, bits);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Change<T> FindChange(int id, ulong bits)
    {
        var configuration = _all[id];
        if (_numbers.Length <= MaxIndexedConditions)
        {
            var made = Make(configuration, bits);
            if (_changes.Length < _all.Count << _numbers.Length)
            {
                Array.Resize(ref _changes, Math.Max(_all.Count, 4) * 2 << _numbers.Length);
            }

            return _changes[(id << _numbers.Length) | (int)bits] = made;
        }

        if (!configuration.Remembered.TryGetValue(bits, out var change))
        {
            if (configuration.Remembered.Count == MaxRemembered)
            {
                configuration.Remembered.Clear();
            }

            configuration.Remembered[bits] = change = Make(configuration, bits);
        }

        return change;
    }

    /// <summary>Notes what an event does to a key that has a set in a configuration, or had one there last.</summary>
    /// <returns>False where there are too many conditions.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool TryLearn(int id, ulong bits, int alive)
    {
        if (_numbers.Length > MaxActingConditions)
        {
            return false;
        }

        var begin = ChangeOf(Start.Id, bits);
        var act = begin.Label >= 0 ? new Act(begin.IsBeside && (alive == 0 || begin.Target == id) ? ActKind.Common : ActKind.Other, 1, begin.Label, begin.Target)
            : alive == 0 ? new Act(ActKind.Common, 0, 0, id)
            : ActOf(ChangeOf(id, bits), id);
        int place = (((id << _numbers.Length) | (int)bits) << 1) | alive;
        if (place >= Acts.Length)
        {
            var acts = Acts;
            Array.Resize(ref acts, Math.Max(_all.Count, 4) << (_numbers.Length + 2));
            Acts = acts;
        }

        Acts[place] = act;
        return true;
    }

    private static Act ActOf(Change<T> change, int id) => change.Kind switch
    {
        ChangeKind.None => new Act(ActKind.None, 0, 0, id),
        ChangeKind.Completes => new Act(ActKind.Common, 0, change.Label, id),
        _ => new Act(ActKind.Other, 0, 0, id),
    };

    /// <summary>The configuration that saved state names.</summary>
    internal Configuration<T> Find(string key)
    {
        if (_known.TryGetValue(key, out var known))
        {
            return known;
        }

        if (key[0] == '=')
        {
            return Fresh(_program.Find(key[1..]));
        }

        var waiting = new List<Waiting<T>>();
        foreach (string part in key.Split(';'))
        {
            string[] fields = part.Split(',');
            var state = _program.Find(fields[0]);
            int index = int.Parse(fields[1], System.Globalization.CultureInfo.InvariantCulture);
            waiting.Add(new Waiting<T>(state, index, ulong.Parse(fields[2], System.Globalization.CultureInfo.InvariantCulture)));
        }

        return Of([.. waiting]);
    }

    private static bool HasGap(PatternNode<T>[] nodes) => Array.Exists(
        nodes, node => node.MaxGap != long.MaxValue || (node is GroupNode<T> group && Array.Exists(group.Sequences, HasGap)));

    /// <summary>Directly behind a taken event. Where only one way leads on, and it matters to nothing that it is the first event, this is as if it had passed one.</summary>
    private Configuration<T> Fresh(State<T> state) =>
        state.Transitions is [{ Contiguity: not Contiguity.Next, NotNexts.Length: 0 } only] && state.Path is not null && !Array.Exists(only.Guards, guard => guard.Until is not null)
            ? Of([new Waiting<T>(state, 0, AllGuards(only))])
            : Known($"={state.Key}", () => new Configuration<T>(state, []));

    private Configuration<T> Of(Waiting<T>[] waiting) => Known(string.Join(';', waiting.AsEnumerable()), () => new Configuration<T>(null, waiting));

    private Configuration<T> Known(string key, Func<Configuration<T>> make)
    {
        if (!_known.TryGetValue(key, out var known))
        {
            _known[key] = known = make();
            (known.Key, known.Id) = (key, _all.Count);
            _all.Add(known);
        }

        return known;
    }

    private static ulong AllGuards(Transition<T> transition) => transition.Guards.Length == 64 ? ulong.MaxValue : (1UL << transition.Guards.Length) - 1;

    private Change<T> Make(Configuration<T> configuration, ulong bits)
    {
        var takes = new List<SetTake<T>>();
        var waiting = new List<Waiting<T>>();
        if (configuration.Fresh is { } state)
        {
            bool isKilled = false;
            for (int i = 0; i < state.Transitions.Count; i++)
            {
                Try(new Waiting<T>(state, i, Freed(state.Transitions[i], bits)), bits, isFresh: true, takes, waiting, ref isKilled);
            }

            End(isKilled, 0, takes, waiting);
        }

        foreach (var one in configuration.Waiting)
        {
            // Each is a partial match of its own by now: what ends one does not end the others.
            bool isKilled = false;
            int from = takes.Count;
            var passed = new List<Waiting<T>>();
            Try(one, bits, isFresh: false, takes, passed, ref isKilled);
            End(isKilled, from, takes, passed);
            waiting.AddRange(passed);
        }

        var next = waiting.Count == 0 ? null : waiting.SequenceEqual(configuration.Waiting) ? configuration : Of([.. waiting]);
        var change = new Change<T>(configuration, next, [.. takes]);
        change.IsBeside = change.Kind == ChangeKind.Moves && configuration == Start && ChangeOf(change.Target, bits).Kind == ChangeKind.None;
        return change;
    }

    private static void End(bool isKilled, int from, List<SetTake<T>> takes, List<Waiting<T>> waiting)
    {
        if (!isKilled)
        {
            return;
        }

        // Only what this very event completes is still given out.
        waiting.Clear();
        for (int i = takes.Count - 1; i >= from; i--)
        {
            if (takes[i].IsFinal)
            {
                takes[i] = takes[i] with { Next = Change<T>.None };
            }
            else
            {
                takes.RemoveAt(i);
            }
        }
    }

    private void Try(Waiting<T> one, ulong bits, bool isFresh, List<SetTake<T>> takes, List<Waiting<T>> passed, ref bool isKilled)
    {
        var transition = one.Transition;
        isKilled |= IsAny(transition.Nots, bits);
        if (isFresh && IsAny(transition.NotNexts, bits))
        {
            isKilled = true;
            return;
        }

        for (int i = 0; i < transition.Guards.Length; i++)
        {
            if ((one.Guards >> i & 1) != 0 && Array.Exists(transition.Guards[i].Choices, choice => IsTrue(choice, bits)))
            {
                return;
            }
        }

        if (Array.Exists(transition.Untils, until => IsTrue(until, bits)))
        {
            return;
        }

        var taken = Array.Find(transition.Choices, choice => IsTrue(choice, bits));
        bool isEnd = transition.Until is { } end && IsTrue(end, bits);
        if (taken is not null && !isEnd)
        {
            var target = _program.TargetOf(transition);
            takes.Add(new SetTake<T>(transition.LabelOf(taken), target.IsFinal, target.Transitions.Count == 0 ? Change<T>.None : Fresh(target).Id));
        }

        bool isBegun = one.State.Path is not null;
        bool mayPass = isBegun && (transition.Contiguity == Contiguity.FollowedByAny || (transition.Contiguity == Contiguity.FollowedBy && taken is null));
        if (mayPass && !(transition.IsLoop && isEnd))
        {
            passed.Add(one);
        }
    }

    private ulong Freed(Transition<T> transition, ulong bits)
    {
        ulong guards = AllGuards(transition);
        for (int i = 0; i < transition.Guards.Length; i++)
        {
            if (transition.Guards[i].Until is { } until && IsTrue(until, bits))
            {
                guards &= ~(1UL << i);
            }
        }

        return guards;
    }

    private bool IsAny(Site<T>[] sites, ulong bits) => Array.Exists(sites, site => IsTrue(site.Choices[0], bits));

    private bool IsTrue(Test<T> test, ulong bits) => (bits >> Array.IndexOf(_numbers, test.Number) & 1) != 0;
}

/// <summary>Where partial matches stand together: directly behind an event that they took, or waiting, each for one of several.</summary>
internal sealed class Configuration<T>(State<T>? fresh, Waiting<T>[] waiting)
{
    internal State<T>? Fresh => fresh;

    internal Waiting<T>[] Waiting => waiting;

    /// <summary>The name by which saved state knows it.</summary>
    internal string Key { get; set; } = "";

    /// <summary>Its number, while the query runs.</summary>
    internal int Id { get; set; }

    /// <summary>How many partial matches each one here counts for.</summary>
    internal int Weight => Math.Max(1, waiting.Length);

    internal Dictionary<ulong, Change<T>> Remembered { get; } = [];
}

/// <summary>A transition that is waited for, and those of its guards that still count.</summary>
internal readonly record struct Waiting<T>(State<T> State, int Index, ulong Guards)
{
    internal Transition<T> Transition => State.Transitions[Index];

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{State.Key},{Index},{Guards}");
}

/// <summary>What an event does to the partial matches of a configuration.</summary>
internal sealed class Change<T>(Configuration<T> from, Configuration<T>? next, SetTake<T>[] takes)
{
    internal const int None = -1;

    /// <summary>Where those that pass the event go on, or <see cref="None"/>.</summary>
    internal readonly int Next = next?.Id ?? None;

    /// <summary>In which ways it is taken.</summary>
    internal readonly SetTake<T>[] Takes = takes;

    /// <summary>The label of the first of them, and where it leads.</summary>
    internal readonly int Label = takes is [var first, ..] ? first.Label : None;
    internal readonly int Target = takes is [var only, ..] ? only.Next : None;

    /// <summary>Of the start: whether what begins stands, and nothing else happens, where others stand that began before.</summary>
    internal bool IsBeside { get; set; }

    internal readonly ChangeKind Kind = takes is [] && next == from ? ChangeKind.None
        : takes is [{ IsFinal: true, Next: None }] && next is null ? ChangeKind.Completes
        : takes is [{ IsFinal: false, Next: not None }] && next is null ? ChangeKind.Moves
        : ChangeKind.Any;
}

/// <summary>The common changes, for which there are short ways.</summary>
internal enum ChangeKind
{
    Any,

    /// <summary>All pass, and stay where they are.</summary>
    None,

    /// <summary>All become matches, and nothing goes on. Of the start: the event is a match.</summary>
    Completes,

    /// <summary>All take the event and go on elsewhere. Of the start: a partial match begins, and none other.</summary>
    Moves,
}

/// <summary>An event is taken: with which label, whether that completes a match, and where the longer partial match stands then.</summary>
internal readonly record struct SetTake<T>(int Label, bool IsFinal, int Next);
