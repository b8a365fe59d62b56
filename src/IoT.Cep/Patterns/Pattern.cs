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
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(name);
        step = new Step<T>(name, 0);
        return new Pattern<T>([new StepNode<T>(step, condition, null, StreamExtensions.Shorten(text ?? ""))], null);
    }

    /// <summary>Begins a pattern over a stream's events, whose type need not be written: also for anonymous types.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    public static PatternOver<T> Over<T>(IEventStream<T> stream) => default;
}

/// <summary>Begins a pattern whose event type is known from a stream.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly record struct PatternOver<T>
{
    /// <inheritdoc cref="Pattern.Begin{T}"/>
#pragma warning disable CA1822 // called on the value, whose type is what matters
    public Pattern<T> Begin(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "") => Pattern.Begin(out step, condition, name, text);
#pragma warning restore CA1822
}

/// <summary>An immutable pattern: each verb gives a new one.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Pattern<T>
{
    internal Pattern(StepNode<T>[] steps, TimeSpan? span)
    {
        Steps = steps;
        Span = span;
    }

    internal StepNode<T>[] Steps { get; }

    internal TimeSpan? Span { get; }

    /// <summary>Then, with anything in between, the next event for which the condition is true.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedBy(
        out Step<T> step, Func<T, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(name);
        step = new Step<T>(name, Steps.Length);
        return Then(new StepNode<T>(step, condition, null, StreamExtensions.Shorten(text ?? "")));
    }

    /// <summary>Then the next event for which a condition on it and on the match so far is true.</summary>
    /// <param name="step">The step's handle: <c>out var hot</c>.</param>
    /// <param name="condition">Which event the step takes: <c>(r, m) =&gt; r.Celsius &gt; m[warm].Celsius + 15</c>.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public Pattern<T> FollowedBy(
        out Step<T> step, Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(step))] string name = "",
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(name);
        step = new Step<T>(name, Steps.Length);
        return Then(new StepNode<T>(step, null, condition, StreamExtensions.Shorten(text ?? "")));
    }

    /// <summary>A match is shorter than this, from its first event to its last. Partial matches are forgotten then.</summary>
    /// <param name="span">The span; an event exactly that much after the first is too late.</param>
    public Pattern<T> Within(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        return new Pattern<T>(Steps, span);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(" -> ", Steps.Select(s => $"{s.Handle} ({s.Text})")) + (Span is { } span ? $" within {span}" : "");

    private Pattern<T> Then(StepNode<T> step)
    {
        if (Steps.Length == 64)
        {
            throw new InvalidOperationException("A pattern has at most 64 steps.");
        }

        return new Pattern<T>([.. Steps, step], Span);
    }
}

/// <summary>One step: either a condition on the event alone, which is evaluated once for each event, or one on the match so far as well.</summary>
internal sealed record StepNode<T>(Step<T> Handle, Func<T, bool>? Simple, Func<T, PartialMatch<T>, bool>? Dependent, string Text);
