using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A row pattern as an automaton whose states are made as they are met. A state is what is still to come behind a row: the enclosing parts, from the
/// inside
/// out, each with where it stands. Belongs to one matcher.
/// </summary>
internal sealed class RowProgram<T>
{
    private readonly Dictionary<RowNode<T>, int> _numbers = new(ReferenceEqualityComparer.Instance);
    private readonly List<RowNode<T>> _nodes = [];
    private readonly Dictionary<(RowNode<T>? Node, int At, bool IsFresh, RowState<T>? Next), RowState<T>> _states = new(new PlaceComparer());
    private readonly int[] _variables;
    private readonly Stack<(RowNode<T>? Enter, RowState<T> Then)> _open = new();
    private readonly HashSet<RowState<T>> _seen = [];
    private readonly HashSet<RowWay<T>> _found = [];
    private readonly RowState<T> _end;

    internal RowProgram(RowPattern<T> pattern)
    {
        Number(pattern.Root);
        _variables = [.. _nodes.Select(node => node is VariableNode<T> { Variable: var variable } ? Array.FindIndex(pattern.Definitions, one => one.Variable == variable) : -1)];
        _end = StateOf(null, 0, isFresh: false, null);
        Start = Compile(pattern.Root, _end, new RowState<T>(null, 0, isFresh: false, null, -1));
    }

    /// <summary>The state before the first row.</summary>
    internal RowState<T> Start { get; }

    internal int States => _states.Count;

    /// <summary>The ways on from a state, the preferred ones first: computed when it is first met.</summary>
    internal RowState<T> Compiled(RowState<T> state)
    {
        if (state.Ways is null)
        {
            Compile(null, state, state);
        }

        return state;
    }

    internal void Save(StateWriter writer, RowState<T> state)
    {
        int depth = 0;
        for (var at = state; at.Node is not null; at = at.Next!)
        {
            depth++;
        }

        writer.Int32(depth);
        for (var at = state; at.Node is not null; at = at.Next!)
        {
            writer.Int32(_numbers[at.Node]);
            writer.Int32(at.At);
        }
    }

    internal RowState<T> Load(StateReader reader)
    {
        var places = new (int Node, int At)[reader.Int32()];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = (reader.Int32(), reader.Int32());
        }

        var state = _end;
        for (int i = places.Length - 1; i >= 0; i--)
        {
            state = StateOf(_nodes[places[i].Node], places[i].At, isFresh: false, state);
        }

        return state;
    }

    private void Number(RowNode<T> node)
    {
        if (!_numbers.TryAdd(node, _nodes.Count))
        {
            return;
        }

        _nodes.Add(node);
        foreach (var part in node switch
        {
            SequenceNode<T> sequence => sequence.Parts,
            AlternativesNode<T> alternatives => alternatives.Parts,
            PermutedNode<T> permuted => permuted.Parts,
            RepeatedNode<T> repeated => [repeated.Part],
            _ => [],
        })
        {
            Number(part);
        }
    }

    /// <summary>
    /// Follows everything that takes no row, in the order in which a search would. What was passed once already leads to nothing that is not
    /// preferred to it, so it is
    /// passed once only.
    /// </summary>
    private RowState<T> Compile(RowNode<T>? enter, RowState<T> then, RowState<T> target)
    {
        var ways = new List<RowWay<T>>();
        int finalAt = -1;
        _seen.Clear();
        _found.Clear();
        _open.Push((enter, then));
        while (_open.TryPop(out var one))
        {
            if (one.Enter is VariableNode<T> variable)
            {
                var way = new RowWay<T>(_variables[_numbers[variable]], Settled(one.Then));
                if (_found.Add(way))
                {
                    ways.Add(way);
                }
            }
            else if (one.Enter is not null)
            {
                Enter(one.Enter, one.Then);
            }
            else if (_seen.Add(one.Then))
            {
                finalAt = one.Then.Node is null ? ways.Count : finalAt;
                Leave(one.Then);
            }
        }

        (target.Ways, target.FinalAt) = ([.. ways], finalAt);
        return target;
    }

    private void Enter(RowNode<T> node, RowState<T> then)
    {
        switch (node)
        {
            case SequenceNode<T> sequence:
                Go(sequence, 0, then);
                break;
            case AlternativesNode<T> alternatives:
                for (int i = alternatives.Parts.Length - 1; i >= 0; i--)
                {
                    _open.Push((alternatives.Parts[i], then));
                }

                break;
            case PermutedNode<T> permuted:
                Go(permuted, 0, then);
                break;
            case RepeatedNode<T> repeated:
                Go(repeated, 0, isEmpty: false, then);
                break;
        }
    }

    /// <summary>A part is done: goes on in the one that encloses it.</summary>
    private void Leave(RowState<T> state)
    {
        switch (state.Node)
        {
            case SequenceNode<T> sequence:
                Go(sequence, state.At, state.Next!);
                break;
            case PermutedNode<T> permuted:
                Go(permuted, state.At, state.Next!);
                break;
            case RepeatedNode<T> repeated:
                Go(repeated, state.At, state.IsFresh, state.Next!);
                break;
        }
    }

    private void Go(SequenceNode<T> sequence, int at, RowState<T> then) =>
        _open.Push((sequence.Parts[at], at == sequence.Parts.Length - 1 ? then : StateOf(sequence, at + 1, isFresh: true, then)));

    private void Go(PermutedNode<T> permuted, int taken, RowState<T> then)
    {
        for (int i = permuted.Parts.Length - 1; i >= 0; i--)
        {
            int with = taken | (1 << i);
            if (with != taken)
            {
                _open.Push((permuted.Parts[i], with == (1 << permuted.Parts.Length) - 1 ? then : StateOf(permuted, with, isFresh: true, then)));
            }
        }
    }

    /// <summary>Once there are enough, a repetition that took no row is the last one: it would go on without end.</summary>
    private void Go(RepeatedNode<T> repeated, int count, bool isEmpty, RowState<T> then)
    {
        bool mayGoOn = (repeated.Max is not { } max || count < max) && !(count > repeated.Min && isEmpty);
        bool mayEnd = count >= repeated.Min;
        if (mayEnd && repeated.IsGreedy)
        {
            _open.Push((null, then));
        }

        if (mayGoOn)
        {
            _open.Push((repeated.Part, StateOf(repeated, repeated.Clamp(count + 1), isFresh: true, then)));
        }

        if (mayEnd && !repeated.IsGreedy)
        {
            _open.Push((null, then));
        }
    }

    /// <summary>The state once a row was taken: no repetition is empty any more.</summary>
    private RowState<T> Settled(RowState<T> state) =>
        state.IsFresh ? StateOf(state.Node, state.At, isFresh: false, Settled(state.Next!)) : state;

    private RowState<T> StateOf(RowNode<T>? node, int at, bool isFresh, RowState<T>? next)
    {
        if (!_states.TryGetValue((node, at, isFresh, next), out var state))
        {
            _states[(node, at, isFresh, next)] = state = new RowState<T>(node, at, isFresh, next, _states.Count);
        }

        return state;
    }

    private sealed class PlaceComparer : IEqualityComparer<(RowNode<T>? Node, int At, bool IsFresh, RowState<T>? Next)>
    {
        public bool Equals((RowNode<T>? Node, int At, bool IsFresh, RowState<T>? Next) x, (RowNode<T>? Node, int At, bool IsFresh, RowState<T>? Next) y) =>
            ReferenceEquals(x.Node, y.Node) && x.At == y.At && x.IsFresh == y.IsFresh && ReferenceEquals(x.Next, y.Next);

        public int GetHashCode((RowNode<T>? Node, int At, bool IsFresh, RowState<T>? Next) place) => HashCode.Combine(
            System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(place.Node), place.At, place.IsFresh, place.Next?.Id ?? -1);
    }
}

/// <summary>What is to come behind a row: where a part stands, and what comes behind that part.</summary>
internal sealed class RowState<T>(RowNode<T>? node, int at, bool isFresh, RowState<T>? next, int id)
{
    /// <summary>The enclosing part; null at the pattern's end.</summary>
    internal RowNode<T>? Node => node;

    /// <summary>The next of a sequence, the count of a repetition, those done of a permutation as bits.</summary>
    internal int At => at;

    /// <summary>Whether no row was taken since it was entered.</summary>
    internal bool IsFresh => isFresh;

    internal RowState<T>? Next => next;

    internal int Id => id;

    /// <summary>The ways on, the preferred ones first.</summary>
    internal RowWay<T>[]? Ways { get; set; }

    /// <summary>How many of the ways are preferred to being complete here; -1 where it is not complete.</summary>
    internal int FinalAt { get; set; }

    internal bool IsFinal => FinalAt >= 0;
}

/// <summary>A way on: a row of a variable, and the state behind it.</summary>
internal readonly record struct RowWay<T>(int Variable, RowState<T> Target);
