using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>What a pattern has so far, and everything that can follow. Immutable: each verb gives a new one.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <remarks>
/// A chain that ends in a negation is not yet a <see cref="Pattern{T}"/>: it needs a next step, or <c>Within</c>, so that it is known how long to wait.
/// </remarks>
public abstract partial class PatternChain<T>
{
    private protected PatternChain(PatternNode<T>[] nodes, TimeSpan? span, After after)
    {
        Nodes = nodes;
        Span = span;
        After = after;
    }

    internal PatternNode<T>[] Nodes { get; }

    internal TimeSpan? Span { get; }

    internal After After { get; }

    /// <summary>Then the very next event, for which the condition must be true.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> Next(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.Next, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="Next(out Step{T}, Func{T, bool}, string, string)"/>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes, by what the match has so far: <c>(r, m) =&gt; r.Celsius &gt; m[warm].Celsius</c>.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> Next(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.Next, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="Next(out Step{T}, Func{T, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> Next<TStep>(
        out Step<TStep> step, Func<TStep, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.Next, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="Next(out Step{T}, Func{T, PartialMatch{T}, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> Next<TStep>(
        out Step<TStep> step, Func<TStep, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.Next, out step, Condition<T>.Of(condition, text), name);

    /// <summary>Then, with anything in between, the next event for which the condition is true.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedBy(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedBy, out step, Condition<T>.Of(condition, text), name);

    /// <summary>Then the next event for which a condition on it and on the match so far is true.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes: <c>(r, m) =&gt; r.Celsius &gt; m[warm].Celsius + 15</c>.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedBy(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedBy, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedBy(out Step{T}, Func{T, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> FollowedBy<TStep>(
        out Step<TStep> step, Func<TStep, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedBy, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedBy(out Step{T}, Func{T, PartialMatch{T}, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> FollowedBy<TStep>(
        out Step<TStep> step, Func<TStep, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedBy, out step, Condition<T>.Of(condition, text), name);

    /// <summary>Then, with anything in between, any event for which the condition is true: each of them makes a match of its own.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedByAny(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedByAny, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedByAny(out Step{T}, Func{T, bool}, string, string)"/>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes, by what the match has so far.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedByAny(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedByAny, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedByAny(out Step{T}, Func{T, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> FollowedByAny<TStep>(
        out Step<TStep> step, Func<TStep, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedByAny, out step, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedByAny(out Step{T}, Func{T, PartialMatch{T}, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> FollowedByAny<TStep>(
        out Step<TStep> step, Func<TStep, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        One(Contiguity.FollowedByAny, out step, Condition<T>.Of(condition, text), name);

    /// <summary>A match is shorter than this, from its first event to its last. Partial matches are forgotten then.</summary>
    /// <param name="span">
    /// The span; an event exactly that much after the first is too late. A pattern that ends in a negation matches when so much has passed since its first event.
    /// </param>
    public Pattern<T> Within(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        return new Pattern<T>(Nodes, span, After);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        PatternText.Of(Nodes) + (Span is { } span ? $" within {span}" : "") + (After.Kind == AfterKind.NoSkip ? "" : $", then {After}");

    private protected Pattern<T> Then(PatternNode<T> node) => new([.. Nodes, node], Span, After);

    private protected PatternNode<T>[] WithLast(PatternNode<T> node) => [.. Nodes[..^1], node];

    private Pattern<T> One<TStep>(Contiguity how, out Step<TStep> step, Condition<T> condition, string name)
    {
        step = new Step<TStep>(name);
        return Then(new StepNode<T>(how, [new Choice<T>(step, condition)]));
    }
}
