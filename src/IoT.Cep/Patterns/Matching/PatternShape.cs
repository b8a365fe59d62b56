using System.Diagnostics;

namespace IoT.Cep;

/// <summary>
/// What is known of a pattern before any event: its sites (each step, group or negation where it stands) and its distinct conditions on an event
/// alone, numbered. Immutable, and shared by all that run the pattern and by its matches.
/// </summary>
internal sealed class PatternShape<T>
{
    private readonly List<Place> _places = [];
    private readonly List<int> _numbers = [];
    private readonly ConditionTable<T> _conditions;
    private readonly int _depth;
    private readonly Step[] _handles;
    private int _sites;

    /// <summary>The shape of a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="conditions">Where its conditions are numbered: those of several patterns may stand in one table.</param>
    /// <param name="variants">The shapes of all patterns that are matched together.</param>
    /// <param name="variant">The pattern's index among them.</param>
    internal PatternShape(Pattern<T> pattern, ConditionTable<T> conditions, PatternShape<T>[] variants, int variant)
    {
        Pattern = pattern;
        Variants = variants;
        Variant = variant;
        _conditions = conditions;
        _depth = 1 + Depth(pattern.Nodes);
        Sites = Add(pattern.Nodes, []);
        _handles = [.. Enumerable.Range(0, _places.Count * _depth).Select(label => _places[label / _depth].Handle)];
    }

    internal Pattern<T> Pattern { get; }

    internal PatternShape<T>[] Variants { get; }

    internal int Variant { get; }

    internal Site<T>[] Sites { get; }

    /// <summary>How many sites there are, with those inside groups.</summary>
    internal int Count => _sites;

    internal long Span => Pattern.Span?.Ticks ?? long.MaxValue;

    /// <summary>The numbers of its conditions on an event alone.</summary>
    internal IReadOnlyList<int> Numbers => _numbers;

    /// <summary>Whether a condition asks for what the match has so far, so that each partial match has to be asked.</summary>
    internal bool HasDependent { get; private set; }

    /// <summary>Whether it is of importance to a partial match that an event came, although no condition is true of it.</summary>
    internal bool SeesEveryEvent { get; private set; }

    /// <summary>
    /// Whether of several ways to go on some are over earlier than others: when a partial match decides for one of them then shows in its timeouts, and it does
    /// so with any event. Matches do not depend on it.
    /// </summary>
    internal bool TimesOutByWays { get; private set; }

    /// <summary>
    /// What a taken event is labelled with: the choice that took it, and how many of the groups that enclose its step it continues; the others begin anew
    /// with it. So a match's groups can be told from its labels.
    /// </summary>
    internal int LabelOf(Test<T> choice, int continued) => (choice.Place * _depth) + continued;

    internal Step HandleOf(int label) => _handles[label];

    internal Condition<T> ConditionOf(int label) => _places[label / _depth].Condition;

    /// <summary>Whether a label is of one of a group's steps, and whether an occurrence of the group begins there.</summary>
    internal bool IsIn(int label, Step group, out bool begins)
    {
        int depth = Array.IndexOf(_places[label / _depth].Groups, group);
        begins = depth >= 0 && label % _depth <= depth;
        return depth >= 0;
    }

    /// <summary>Whether it is a handle of this pattern.</summary>
    internal bool Knows(Step step)
    {
        // Asked wherever a condition reads a step that has taken nothing: no closure.
        foreach (var place in _places)
        {
            if (place.Handle == step || Array.IndexOf(place.Groups, step) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What went wrong where a step has no event.</summary>
    internal Exception Missing(Step step, string asked) => Knows(step)
        ? new InvalidOperationException($"The step '{step}' has taken no event {asked}. Ask Has({step}) first.")
        : new ArgumentException(
            $"The step '{step}' is of another pattern; this one has {string.Join(", ", _places.Select(place => place.Handle).Distinct())}.", nameof(step));

    private static int Depth(PatternNode<T>[] nodes) =>
        nodes.Max(node => node is GroupNode<T> group ? 1 + group.Sequences.Max(Depth) : 0);

    private Site<T>[] Add(PatternNode<T>[] nodes, Step?[] groups)
    {
        var sites = new Site<T>[nodes.Length];
        for (int i = 0; i < nodes.Length; i++)
        {
            SeesEveryEvent |= MattersAlways(nodes, i, groups.Length > 0);
            TimesOutByWays |= nodes[i].MaxGap != long.MaxValue && Branches(nodes, groups.Length > 0);
            sites[i] = Add(nodes[i], groups);
        }

        return sites;
    }

    private Site<T> Add(PatternNode<T> node, Step?[] groups)
    {
        int id = _sites++;
        var until = TestOf(node.Until);
        return node switch
        {
            StepNode<T> step => new Site<T>(node, id, groups.Length, until) { Choices = [.. step.Choices.Select(choice => TestOf(choice, groups))] },
            NotNode<T> not => new Site<T>(node, id, groups.Length, until) { Choices = [TestOf(not.Condition)!] },
            GroupNode<T> group => new Site<T>(node, id, groups.Length, until) { Sequences = [.. group.Sequences.Select(nodes => Add(nodes, [.. groups, group.Handle]))] },
            _ => throw new UnreachableException(),
        };
    }

    /// <summary>
    /// An event of which no condition is true may be passed over where it changes nothing for a partial match: not where the very next event counts, and not
    /// where a partial match decides with it which way it goes and a negation would afterwards end only one of them.
    /// </summary>
    private static bool MattersAlways(PatternNode<T>[] nodes, int i, bool isInGroup)
    {
        var node = nodes[i];
        bool isFirst = i == 0 && !isInGroup;
        return (node.How == Contiguity.Next && !isFirst)
            || (node.Times.Max != 1 && node.Inner == Contiguity.Next)
            || (node is NotNode<T> && Branches(nodes, isInGroup))
            || node is { IsGreedy: true, Until: not null };
    }

    private static bool Branches(PatternNode<T>[] nodes, bool isInGroup) =>
        isInGroup || Array.Exists(nodes, other => other.Times is not { Max: 1, IsOptional: false } || other is GroupNode<T>);

    private Test<T>? TestOf(Condition<T>? condition) => condition is null ? null : TestOf(condition, -1);

    private Test<T> TestOf(Choice<T> choice, Step?[] groups)
    {
        _places.Add(new Place(choice.Handle, choice.Condition, groups));
        return TestOf(choice.Condition, _places.Count - 1) with { Handle = choice.Handle };
    }

    private Test<T> TestOf(Condition<T> condition, int place)
    {
        HasDependent |= condition.Simple is null;
        int number = condition.Simple is null ? -1 : _conditions.NumberOf(condition);
        if (number >= 0 && !_numbers.Contains(number))
        {
            _numbers.Add(number);
        }

        return new Test<T>(condition, number, place);
    }

    private sealed record Place(Step Handle, Condition<T> Condition, Step?[] Groups);
}

/// <summary>A condition with its number among those on an event alone (-1 for others), and the place of the choice that it is of.</summary>
internal sealed record Test<T>(Condition<T> Condition, int Number, int Place)
{
    /// <summary>The step's handle, where it is a step's.</summary>
    internal Step? Handle { get; init; }
}

/// <summary>The distinct conditions on an event alone of one pattern, or of several: each is asked once for each event.</summary>
internal sealed class ConditionTable<T>
{
    private readonly List<Condition<T>> _conditions = [];
    private readonly Dictionary<string, List<int>> _byText = new(StringComparer.Ordinal);

    internal IReadOnlyList<Condition<T>> All => _conditions;

    internal int NumberOf(Condition<T> condition)
    {
        if (!_byText.TryGetValue(condition.Text, out var alike))
        {
            _byText[condition.Text] = alike = [];
        }

        foreach (int number in alike)
        {
            if (_conditions[number].IsSameAs(condition))
            {
                return number;
            }
        }

        alike.Add(_conditions.Count);
        _conditions.Add(condition);
        return _conditions.Count - 1;
    }
}

/// <summary>A step, group or negation where it stands in the pattern: a group that is used twice has sites of its own in each place.</summary>
internal sealed class Site<T>(PatternNode<T> node, int id, int depth, Test<T>? until)
{
    internal PatternNode<T> Node => node;

    internal int Id => id;

    /// <summary>How many groups enclose it.</summary>
    internal int Depth => depth;

    internal Test<T>? Until => until;

    /// <summary>What a step takes, the first that is true; or what a negation must not see.</summary>
    internal Test<T>[] Choices { get; init; } = [];

    internal Site<T>[][] Sequences { get; init; } = [];

    internal bool IsNot => node is NotNode<T>;

    internal bool IsAllOf => node is GroupNode<T> { IsAllOf: true };

    internal bool IsStep => node is StepNode<T>;

    internal bool MayRepeat(int count) => node.Times.Max is not { } max || count < max;

    internal bool MayLeave(int count) => count >= node.Times.Min;

    /// <summary>Where there is no upper bound, only whether the lower one is reached tells one count from another.</summary>
    internal int Clamp(int count) => node.Times.Max is null ? Math.Min(count, node.Times.Min) : count;
}
