using System.Runtime.CompilerServices;

namespace IoT.Cep;

public abstract partial class PatternChain<T>
{

    /// <summary>And not: where the next event is one for which the condition is true, there is no match.</summary>
    /// <param name="condition">Which event must not come. One that it is true of ends the partial match even where the next step would take it.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public NegatedPattern<T> NotNext(Func<T, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.Next, Condition<T>.Of(condition, text));

    /// <inheritdoc cref="NotNext(Func{T, bool}, string)"/>
    /// <param name="condition">Which event must not come, by what the match has so far.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public NegatedPattern<T> NotNext(Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.Next, Condition<T>.Of(condition, text));

    /// <inheritdoc cref="NotNext(Func{T, bool}, string)"/>
    /// <typeparam name="TStep">The type of the events that must not come.</typeparam>
    public NegatedPattern<T> NotNext<TStep>(Func<TStep, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.Next, Condition<T>.Of(condition, text));

    /// <summary>And not: where, before the next step takes an event, one comes for which the condition is true, there is no match; at the end, with <c>Within</c>: absence.</summary>
    /// <param name="condition">Which event must not come. One that it is true of ends the partial match even where the next step would take it.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public NegatedPattern<T> NotFollowedBy(Func<T, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.FollowedBy, Condition<T>.Of(condition, text));

    /// <inheritdoc cref="NotFollowedBy(Func{T, bool}, string)"/>
    /// <param name="condition">Which event must not come, by what the match has so far.</param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public NegatedPattern<T> NotFollowedBy(Func<T, PartialMatch<T>, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.FollowedBy, Condition<T>.Of(condition, text));

    /// <inheritdoc cref="NotFollowedBy(Func{T, bool}, string)"/>
    /// <typeparam name="TStep">The type of the events that must not come.</typeparam>
    public NegatedPattern<T> NotFollowedBy<TStep>(Func<TStep, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Not(Contiguity.FollowedBy, Condition<T>.Of(condition, text));

    private NegatedPattern<T> Not(Contiguity how, Condition<T> condition) => new([.. Nodes, new NotNode<T>(how, condition)], Span, After);
}
