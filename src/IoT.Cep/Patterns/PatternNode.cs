namespace IoT.Cep;

/// <summary>What may stand between an event that a match took and the next one that it takes.</summary>
internal enum Contiguity
{
    /// <summary>Nothing.</summary>
    Next,

    /// <summary>Events that the step does not take.</summary>
    FollowedBy,

    /// <summary>Any events, also such as the step takes: every combination is a match.</summary>
    FollowedByAny,
}

/// <summary>One element of a pattern, as the fluent verbs make it: immutable, and the same object wherever a group is used again.</summary>
internal abstract record PatternNode<T>(Contiguity How)
{
    internal Times Times { get; init; } = Times.Once;

    /// <summary>What may stand between its repetitions.</summary>
    internal Contiguity Inner { get; init; } = Contiguity.FollowedBy;

    internal bool IsGreedy { get; init; }

    internal Condition<T>? Until { get; init; }

    /// <summary>Less than so many ticks lie between the event taken before and its own; for a negation at the end, how long it waits.</summary>
    internal long MaxGap { get; init; } = long.MaxValue;

    protected abstract string Words { get; }

    /// <summary>The node as <c>Explain</c> prints it.</summary>
    public sealed override string ToString()
    {
        string times = $"{Words}{Times}";
        times += IsGreedy ? " greedy" : "";
        times += Times.Max == 1 ? "" : Inner switch { Contiguity.Next => " consecutive", Contiguity.FollowedByAny => " all combinations", _ => "" };
        times += Until is null ? "" : $" until ({Until.Text})";
        return MaxGap == long.MaxValue ? times : $"{times} within {TimeSpan.FromTicks(MaxGap)} of the one before";
    }
}

/// <summary>Takes one event at a time: the first of its alternatives whose condition is true.</summary>
internal sealed record StepNode<T>(Contiguity How, Choice<T>[] Choices) : PatternNode<T>(How)
{
    protected override string Words => string.Join(" | ", Choices.AsEnumerable());
}

/// <summary>One of the alternatives of a step.</summary>
internal sealed record Choice<T>(Step Handle, Condition<T> Condition)
{
    public override string ToString() => $"{Handle} ({Condition.Text})";
}

/// <summary>Patterns inside a pattern: one (a group), one of several (alternatives), or all of several in any order.</summary>
internal sealed record GroupNode<T>(Contiguity How, PatternNode<T>[][] Sequences, bool IsAllOf = false) : PatternNode<T>(How)
{
    internal Step? Handle { get; init; }

    protected override string Words
    {
        get
        {
            string all = string.Join(IsAllOf ? " & " : " | ", Sequences.Select(PatternText.Of));
            return Handle is null ? $"[{all}]" : $"{Handle} [{all}]";
        }
    }
}

/// <summary>What must not come: as the next event, or until the next step takes one.</summary>
internal sealed record NotNode<T>(Contiguity How, Condition<T> Condition) : PatternNode<T>(How)
{
    protected override string Words => $"not ({Condition.Text})";
}

internal static class PatternText
{
    internal static string Of<T>(PatternNode<T>[] nodes) =>
        string.Concat(nodes.Select((node, i) => i == 0 ? node.ToString() : $" {Arrow(node.How)} {node}"));

    private static string Arrow(Contiguity how) => how switch { Contiguity.Next => "=>", Contiguity.FollowedBy => "->", _ => "~>" };
}
