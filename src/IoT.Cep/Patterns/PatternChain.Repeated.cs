using System.Runtime.CompilerServices;

namespace IoT.Cep;

public abstract partial class PatternChain<T>
{
    /// <summary>Then several events, the first of them the very next one.</summary>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> Next(
        out Steps<T> steps, Times times, Func<T, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.Next, out steps, times, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="Next(out Steps{T}, Times, Func{T, bool}, string, string)"/>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes, by what the match has so far; <c>m.Taken</c> is what this step has.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> Next(
        out Steps<T> steps, Times times, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.Next, out steps, times, Condition<T>.Of(condition, text), name);

    /// <summary>Then, with anything in between, several events for which the condition is true.</summary>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedBy(
        out Steps<T> steps, Times times, Func<T, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.FollowedBy, out steps, times, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedBy(out Steps{T}, Times, Func{T, bool}, string, string)"/>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes, by what the match has so far; <c>m.Taken</c> is what this step has.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedBy(
        out Steps<T> steps, Times times, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.FollowedBy, out steps, times, Condition<T>.Of(condition, text), name);

    /// <summary>Then several events, the first of them any for which the condition is true: each makes a match of its own.</summary>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedByAny(
        out Steps<T> steps, Times times, Func<T, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.FollowedByAny, out steps, times, Condition<T>.Of(condition, text), name);

    /// <inheritdoc cref="FollowedByAny(out Steps{T}, Times, Func{T, bool}, string, string)"/>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes, by what the match has so far; <c>m.Taken</c> is what this step has.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedByAny(
        out Steps<T> steps, Times times, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Many(Contiguity.FollowedByAny, out steps, times, Condition<T>.Of(condition, text), name);

    private RepeatedPattern<T> Many(Contiguity how, out Steps<T> steps, Times times, Condition<T> condition, string name)
    {
        steps = new Steps<T>(name);
        return ThenRepeated(new StepNode<T>(how, [new Choice<T>(steps, condition)]), times);
    }

    private RepeatedPattern<T> ThenRepeated(PatternNode<T> node, Times times)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times.Min, 1, nameof(times));
        return new RepeatedPattern<T>([.. Nodes, node with { Times = times }], Span, After);
    }
}
