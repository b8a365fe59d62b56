using System.ComponentModel;
using System.Reactive.Linq;

namespace IoT.Cep;

public static partial class EventStreamGuards
{
    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="accumulator">The accumulator.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Without a seed Rx's Scan takes events in order of arrival and loses their time. Give a seed: Scan(seed, (state, e) => ...), or use .AsObservable().Scan(...).", error: true)]
    public static IEventStream<T> Scan<T>(this IEventStream<T> stream, Func<T, T, T> accumulator) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...), or .AsObservable().GroupBy(...).", error: true)]
    public static IEventStream<T> GroupBy<T, TKey>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TElement">The element's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="elementSelector">The element.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...), or .AsObservable().GroupBy(...).", error: true)]
    public static IEventStream<TElement> GroupBy<T, TKey, TElement>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<T, TElement> elementSelector, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="capacity">How many keys to make room for.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...), or .AsObservable().GroupBy(...).", error: true)]
    public static IEventStream<T> GroupBy<T, TKey>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, int capacity, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TElement">The element's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="elementSelector">The element.</param>
    /// <param name="capacity">How many keys to make room for.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...), or .AsObservable().GroupBy(...).", error: true)]
    public static IEventStream<TElement> GroupBy<T, TKey, TElement>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<T, TElement> elementSelector, int capacity, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TDuration">The duration's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="durationSelector">How long a group lasts.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...) with Window(Window.Session(gap)) or Window.Between(...), or .AsObservable().GroupByUntil(...).", error: true)]
    public static IEventStream<T> GroupByUntil<T, TKey, TDuration>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<IGroupedObservable<TKey, T>, IObservable<TDuration>> durationSelector, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TElement">The element's type.</typeparam>
    /// <typeparam name="TDuration">The duration's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="elementSelector">The element.</param>
    /// <param name="durationSelector">How long a group lasts.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...) with Window(Window.Session(gap)) or Window.Between(...), or .AsObservable().GroupByUntil(...).", error: true)]
    public static IEventStream<TElement> GroupByUntil<T, TKey, TElement, TDuration>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<T, TElement> elementSelector, Func<IGroupedObservable<TKey, TElement>, IObservable<TDuration>> durationSelector, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TDuration">The duration's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="durationSelector">How long a group lasts.</param>
    /// <param name="capacity">How many keys to make room for.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...) with Window(Window.Session(gap)) or Window.Between(...), or .AsObservable().GroupByUntil(...).", error: true)]
    public static IEventStream<T> GroupByUntil<T, TKey, TDuration>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<IGroupedObservable<TKey, T>, IObservable<TDuration>> durationSelector, int capacity, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TElement">The element's type.</typeparam>
    /// <typeparam name="TDuration">The duration's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    /// <param name="elementSelector">The element.</param>
    /// <param name="durationSelector">How long a group lasts.</param>
    /// <param name="capacity">How many keys to make room for.</param>
    /// <param name="comparer">How keys are compared.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...) with Window(Window.Session(gap)) or Window.Between(...), or .AsObservable().GroupByUntil(...).", error: true)]
    public static IEventStream<TElement> GroupByUntil<T, TKey, TElement, TDuration>(
        this IEventStream<T> stream, Func<T, TKey> keySelector, Func<T, TElement> elementSelector, Func<IGroupedObservable<TKey, TElement>, IObservable<TDuration>> durationSelector, int capacity, IEqualityComparer<TKey>? comparer = null) => throw new NotSupportedException();
}
