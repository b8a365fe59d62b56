using System.ComponentModel;

namespace IoT.Cep;

public static partial class EventStreamGuards
{
    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxPartialMatches">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    /// <param name="remember">How many are remembered.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> Match<T>(
        this IObservable<T> source, Pattern<T> pattern, int maxPartialMatches = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, int remember = 0) =>
        throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="timeouts">None.</param>
    /// <param name="maxPartialMatches">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> Match<T>(
        this IObservable<T> source, Pattern<T> pattern, out IEventStream<Timeout<T>> timeouts, int maxPartialMatches = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="result">What is made of a match.</param>
    /// <param name="maxPartialMatches">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> Match<T, TResult>(
        this IObservable<T> source, Pattern<T> pattern, Func<PartialMatch<T>, TResult> result, int maxPartialMatches = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="patterns">The patterns.</param>
    /// <param name="maxPartialMatches">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> Match<T>(
        this IObservable<T> source, IReadOnlyList<Pattern<T>> patterns, int maxPartialMatches = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> Match<T>(this IObservable<T> source, NegatedPattern<T> pattern) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxRows">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> MatchRows<T>(
        this IObservable<T> source, RowPattern<T> pattern, int maxRows = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="measures">What is made of a match.</param>
    /// <param name="maxRows">How many.</param>
    /// <param name="whenFull">Which one gives way.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> MatchRows<T, TResult>(
        this IObservable<T> source, RowPattern<T> pattern, Func<PartialMatch<T>, TResult> measures, int maxRows = 0, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        throw new NotSupportedException();
}
