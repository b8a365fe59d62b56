using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>A pattern that can be matched, or go on. Immutable: each verb gives a new one.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public class Pattern<T> : PatternChain<T>
{
    internal Pattern(PatternNode<T>[] nodes, TimeSpan? span, After after)
        : base(nodes, span, after)
    {
    }

    internal static Pattern<T> Empty { get; } = new([], null, After.NoSkip);

    /// <summary>Or an event of another kind fills the step before: <c>m.Has(low)</c> tells which it was. Where both conditions are true, it is the first one.</summary>
    /// <param name="step">The alternative's handle: <c>out var low</c>.</param>
    /// <param name="condition">Which event it takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> Or(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        step = new Step<T>(name);
        return Or(new Choice<T>(step, Condition<T>.Of(condition, text)));
    }

    /// <inheritdoc cref="Or(out Step{T}, Func{T, bool}, string, string)"/>
    /// <param name="step">The alternative's handle: <c>out var low</c>.</param>
    /// <param name="condition">Which event it takes, by what the match has so far.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> Or(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        step = new Step<T>(name);
        return Or(new Choice<T>(step, Condition<T>.Of(condition, text)));
    }

    /// <summary>And another event besides the one of the step before, in any order: every order in which they come is a match.</summary>
    /// <param name="step">The other step's handle: <c>out var open</c>.</param>
    /// <param name="condition">Which event it takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> And(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        step = new Step<T>(name);
        return And(new Choice<T>(step, Condition<T>.Of(condition, text)));
    }

    /// <inheritdoc cref="And(out Step{T}, Func{T, bool}, string, string)"/>
    /// <param name="step">The other step's handle: <c>out var open</c>.</param>
    /// <param name="condition">Which event it takes, by what the match has so far; ask <c>m.Has</c> before a step that may come later.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> And(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        step = new Step<T>(name);
        return And(new Choice<T>(step, Condition<T>.Of(condition, text)));
    }

    /// <summary>Less than so much time lies between the event of the step before and this step's; of a repeated step, between each two.</summary>
    /// <param name="span">The span; an event exactly that much later is too late.</param>
    public Pattern<T> MaxGap(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        return With(RequireLast("MaxGap") with { MaxGap = span.Ticks });
    }

    /// <summary>What of the other partial matches remains once a match was found; <see cref="After.NoSkip"/> where nothing is said.</summary>
    /// <param name="after">For example <see cref="After.PastLastEvent"/>, so that matches do not overlap.</param>
    public Pattern<T> AfterMatch(After after)
    {
        ArgumentNullException.ThrowIfNull(after);
        if (after.Target is { } target && !Contains(Nodes, target))
        {
            throw new ArgumentException($"The step '{target}' is of another pattern: {this} has no such step.", nameof(after));
        }

        return new Pattern<T>(Nodes, Span, after);
    }

    internal static Pattern<T> Of(ReadOnlySpan<Pattern<T>> parts, bool isAllOf)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(parts.Length, 2, isAllOf ? "parts" : "alternatives");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts.Length, isAllOf ? 16 : 1000, isAllOf ? "parts" : "alternatives");
        var sequences = new PatternNode<T>[parts.Length][];
        for (int i = 0; i < parts.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(parts[i], isAllOf ? "parts" : "alternatives");
            parts[i].RequireGroup(isAllOf ? "parts" : "alternatives");
            sequences[i] = parts[i].Nodes;
        }

        return new Pattern<T>([new GroupNode<T>(Contiguity.FollowedBy, sequences, isAllOf)], null, After.NoSkip);
    }

    internal void RequireGroup(string parameter)
    {
        if (Span is not null || After.Kind != AfterKind.NoSkip)
        {
            throw new ArgumentException($"The group '{this}' has a Within or AfterMatch of its own: say them of the whole pattern.", parameter);
        }

        if (Nodes is [] || Nodes[^1] is NotNode<T>)
        {
            throw new ArgumentException($"The group '{this}' is empty, or ends in a negation: put that behind the group, in front of the next step.", parameter);
        }
    }

    /// <summary>The same pattern with another last node.</summary>
    private protected virtual Pattern<T> With(PatternNode<T> last) => new(WithLast(last), Span, After);

    private static bool Contains(PatternNode<T>[] nodes, Step step) => Array.Exists(nodes, node => node switch
    {
        StepNode<T> one => Array.Exists(one.Choices, choice => choice.Handle == step),
        GroupNode<T> group => group.Handle == step || Array.Exists(group.Sequences, sequence => Contains(sequence, step)),
        _ => false,
    });

    private PatternNode<T> RequireLast(string verb) =>
        Nodes is [.., var last] ? last : throw new InvalidOperationException($"{verb} says something of the step before, and there is none.");

    private Pattern<T> Or(Choice<T> choice) => RequireLast("Or") is StepNode<T> step && step.Times == Times.Once
        ? new Pattern<T>(WithLast(step with { Choices = [.. step.Choices, choice] }), Span, After)
        : throw new InvalidOperationException($"Or adds an alternative to a single step; '{Nodes[^1]}' is none. Use Pattern.AnyOf(...) for groups.");

    private Pattern<T> And(Choice<T> choice)
    {
        var last = RequireLast("And");
        var other = new StepNode<T>(Contiguity.FollowedBy, [choice]);
        var node = last switch
        {
            GroupNode<T> { IsAllOf: true, Handle: null } all => all.Sequences.Length < 16
                ? all with { Sequences = [.. all.Sequences, [other]] }
                : throw new InvalidOperationException("At most sixteen steps can come in any order."),
            StepNode<T> step when step.Times == Times.Once => new GroupNode<T>(step.How, [[step with { MaxGap = long.MaxValue }], [other]], IsAllOf: true) { MaxGap = step.MaxGap },
            _ => throw new InvalidOperationException($"And adds to a single step; '{last}' is none. Use Pattern.AllOf(...) for groups."),
        };
        return new Pattern<T>(WithLast(node), Span, After);
    }
}

/// <summary>A pattern whose last step or group is repeated: only then can it be said how.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class RepeatedPattern<T> : Pattern<T>
{
    internal RepeatedPattern(PatternNode<T>[] nodes, TimeSpan? span, After after)
        : base(nodes, span, after)
    {
    }

    /// <summary>Nothing stands between the repetitions.</summary>
    public RepeatedPattern<T> Consecutive() => Last(Nodes[^1] with { Inner = Contiguity.Next });

    /// <summary>Anything stands between the repetitions, also events that the step would take: every combination is a match.</summary>
    public RepeatedPattern<T> AllCombinations() => Last(Nodes[^1] with { Inner = Contiguity.FollowedByAny });

    /// <summary>
    /// It takes as much as it can: the pattern goes on behind it only with an event that it would not take itself. Where nothing is said it is reluctant: each
    /// number of repetitions that is allowed goes on.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is a group that is repeated: say Greedy of a step.</exception>
    public RepeatedPattern<T> Greedy() => Nodes[^1] is StepNode<T>
        ? Last(Nodes[^1] with { IsGreedy = true })
        : throw new InvalidOperationException($"The group '{Nodes[^1]}' can't be greedy: what it would take is known only behind its last event. Say Greedy of a step.");

    /// <summary>No repetition takes this event, or one behind it.</summary>
    /// <param name="condition">Which event ends the repetition.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> Until(Func<T, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Last(Nodes[^1] with { Until = Condition<T>.Of(condition, text) });

    /// <inheritdoc cref="Until(Func{T, bool}, string)"/>
    /// <param name="condition">Which event ends the repetition, by what the match has so far.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> Until(Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Last(Nodes[^1] with { Until = Condition<T>.Of(condition, text) });

    /// <inheritdoc cref="Pattern{T}.MaxGap(TimeSpan)"/>
    public new RepeatedPattern<T> MaxGap(TimeSpan span) => (RepeatedPattern<T>)base.MaxGap(span);

    private protected override Pattern<T> With(PatternNode<T> last) => Last(last);

    private RepeatedPattern<T> Last(PatternNode<T> last) => new(WithLast(last), Span, After);
}

/// <summary>A chain that ends in a negation: it goes on with a step, or waits for an absence with <c>Within</c> or <c>MaxGap</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class NegatedPattern<T> : PatternChain<T>
{
    internal NegatedPattern(PatternNode<T>[] nodes, TimeSpan? span, After after)
        : base(nodes, span, after)
    {
    }

    /// <summary>So long after the event of the step before it is known that nothing came: absence, counted from that event.</summary>
    /// <param name="span">The span; an event exactly that much later is too late to prevent the match.</param>
    public Pattern<T> MaxGap(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        return new Pattern<T>(WithLast(Nodes[^1] with { MaxGap = span.Ticks }), Span, After);
    }
}
