using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Begins patterns: what must follow what.</summary>
public static class Pattern
{
    /// <summary>Begins a pattern with a step that takes one event.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="step">The step's handle: <c>out var warm</c>.</param>
    /// <param name="condition">Which event the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static Pattern<T> Begin<T>(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Pattern<T>.Empty.FollowedBy(out step, condition, name, text);

    /// <summary>Begins a pattern with a step that takes several events.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static RepeatedPattern<T> Begin<T>(
        out Steps<T> steps, Times times, Func<T, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Pattern<T>.Empty.FollowedBy(out steps, times, condition, name, text);

    /// <inheritdoc cref="Begin{T}(out Steps{T}, Times, Func{T, bool}, string, string)"/>
    /// <param name="steps">The step's handle: <c>out var rises</c>; <c>m[rises]</c> is a list.</param>
    /// <param name="times">How many.</param>
    /// <param name="condition">Which events the step takes, by those that it has so far: <c>m.Taken</c>, empty at the first.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static RepeatedPattern<T> Begin<T>(
        out Steps<T> steps, Times times, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Pattern<T>.Empty.FollowedBy(out steps, times, condition, name, text);

    /// <summary>Begins a pattern with a group.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="group">The group: <see cref="AnyOf{T}"/>, <see cref="AllOf{T}"/>, or a pattern without a <c>Within</c> of its own.</param>
    public static Pattern<T> Begin<T>(Pattern<T> group) => Pattern<T>.Empty.FollowedBy(group);

    /// <summary>Begins a pattern with a repeated group.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="groups">The group's handle: <c>out var flaps</c>; <c>m[flaps]</c> is a list of its matches.</param>
    /// <param name="times">How often.</param>
    /// <param name="group">The group: a pattern without a <c>Within</c> of its own.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public static RepeatedPattern<T> Begin<T>(
        out Group<T> groups, Times times, Pattern<T> group, [CallerArgumentExpression(nameof(groups))] string name = "") =>
        Pattern<T>.Empty.FollowedBy(out groups, times, group, name);

    /// <summary>One of several patterns. All of them are looked for side by side, and each gives matches of its own.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="alternatives">At least two patterns, without a <c>Within</c> of their own.</param>
    public static Pattern<T> AnyOf<T>(params ReadOnlySpan<Pattern<T>> alternatives) => Pattern<T>.Of(alternatives, isAllOf: false);

    /// <summary>All of several patterns, one behind the other in any order: each order is looked for.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="parts">From two to sixteen patterns, without a <c>Within</c> of their own. How each follows the one before it is as the whole follows.</param>
    public static Pattern<T> AllOf<T>(params ReadOnlySpan<Pattern<T>> parts) => Pattern<T>.Of(parts, isAllOf: true);

    /// <summary>Begins a pattern over a stream's events, whose type need not be written: also for anonymous types.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    public static PatternOver<T> Over<T>(IEventStream<T> stream) => default;

    /// <summary>Begins a pattern over a stream of two types of events, each step over one of them.</summary>
    /// <typeparam name="TFirst">One type.</typeparam>
    /// <typeparam name="TSecond">The other.</typeparam>
    /// <param name="stream">The stream.</param>
    public static PatternOver<Either<TFirst, TSecond>> Over<TFirst, TSecond>(IEventStream<Either<TFirst, TSecond>> stream)
    {
        Cases<Either<TFirst, TSecond>>.Known ??= new EitherCases<TFirst, TSecond>();
        return default;
    }
}

/// <summary>Begins a pattern whose event type is known from a stream.</summary>
/// <typeparam name="T">The event's type.</typeparam>
#pragma warning disable CA1822 // called on the value, whose type is what matters
public readonly record struct PatternOver<T>
{
    /// <inheritdoc cref="Pattern.Begin{T}(out Step{T}, Func{T, bool}, string, string)"/>
    public Pattern<T> Begin(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") => Pattern.Begin(out step, condition, name, text);

    /// <inheritdoc cref="Pattern.Begin{T}(out Step{T}, Func{T, bool}, string, string)"/>
    /// <typeparam name="TStep">The type of the events that the step takes: read them with <c>m.Get(step)</c>.</typeparam>
    public Pattern<T> Begin<TStep>(
        out Step<TStep> step, Func<TStep, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") => Pattern<T>.Empty.FollowedBy(out step, condition, name, text);

    /// <inheritdoc cref="Pattern.Begin{T}(out Steps{T}, Times, Func{T, bool}, string, string)"/>
    public RepeatedPattern<T> Begin(
        out Steps<T> steps, Times times, Func<T, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") => Pattern.Begin(out steps, times, condition, name, text);

    /// <inheritdoc cref="Pattern.Begin{T}(out Steps{T}, Times, Func{T, PartialMatch{T}, bool}, string, string)"/>
    public RepeatedPattern<T> Begin(
        out Steps<T> steps, Times times, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(steps))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") => Pattern.Begin(out steps, times, condition, name, text);
}
#pragma warning restore CA1822
