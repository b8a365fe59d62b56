using System.ComponentModel;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Rx's verbs that mean another thing (the wall clock, or no event time) on an event stream, and ours on a plain observable, are
/// compile errors that name the remedy: falling through silently would be a trap.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class EventStreamGuards
{
    private const string LostTime =
        "An Rx operator before this one dropped the event time. Do the Rx part after the event-stream verbs, or call .ToEventStream(e => e.Time) again.";

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Throttle waits for silence on the wall clock. Use Debounce(quiet) or AtMostOncePer(interval) in event time, or .AsObservable().Throttle(...).", error: true)]
    public static IEventStream<T> Throttle<T>(this IEventStream<T> stream, TimeSpan dueTime) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(this IEventStream<T> stream, TimeSpan timeSpan) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(this IEventStream<T> stream, TimeSpan timeSpan) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="keySelector">The key.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's groups know no event time. Use KeyBy(...), or .AsObservable().GroupBy(...).", error: true)]
    public static IEventStream<T> GroupBy<T, TKey>(this IEventStream<T> stream, Func<T, TKey> keySelector) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="count">The count.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(this IEventStream<T> stream, TimeSpan timeSpan, int count) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="timeShift">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan, TimeSpan) cuts by the wall clock. Use a window of event time, or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(this IEventStream<T> stream, TimeSpan timeSpan, TimeSpan timeShift) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="count">The count.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(this IEventStream<T> stream, TimeSpan timeSpan, int count) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="timeShift">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan, TimeSpan) cuts by the wall clock. Use a window of event time, or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(this IEventStream<T> stream, TimeSpan timeSpan, TimeSpan timeShift) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time, or .AsObservable().Timeout(...).", error: true)]
    public static IEventStream<T> Timeout<T>(this IEventStream<T> stream, TimeSpan dueTime) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Delay waits on the wall clock, and event time does not move with it. Put it at the end: .AsObservable().Delay(...).", error: true)]
    public static IEventStream<T> Delay<T>(this IEventStream<T> stream, TimeSpan dueTime) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timestamp gives the wall clock's time. The event's own time is a member of the event; for the wall clock's use .AsObservable().Timestamp().", error: true)]
    public static IEventStream<T> Timestamp<T>(this IEventStream<T> stream) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TimeInterval measures the wall clock. Use WithPrevious((previous, current) => current.Time - previous.Time), or .AsObservable().TimeInterval().", error: true)]
    public static IEventStream<T> TimeInterval<T>(this IEventStream<T> stream) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Take(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().Take(...).", error: true)]
    public static IEventStream<T> Take<T>(this IEventStream<T> stream, TimeSpan duration) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Skip(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().Skip(...).", error: true)]
    public static IEventStream<T> Skip<T>(this IEventStream<T> stream, TimeSpan duration) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TakeLast(TimeSpan) measures the wall clock. Use a window, or .AsObservable().TakeLast(...).", error: true)]
    public static IEventStream<T> TakeLast<T>(this IEventStream<T> stream, TimeSpan duration) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's SkipLast(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().SkipLast(...).", error: true)]
    public static IEventStream<T> SkipLast<T>(this IEventStream<T> stream, TimeSpan duration) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="accumulator">The accumulator.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Without a seed Rx's Scan takes events in order of arrival and loses their time. Give a seed: Scan(seed, (state, e) => ...), or use .AsObservable().Scan(...).", error: true)]
    public static IEventStream<T> Scan<T>(this IEventStream<T> stream, Func<T, T, T> accumulator) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="key">The key.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IKeyedStream<TKey, T> KeyBy<T, TKey>(this IObservable<T> source, Func<T, TKey> key)
        where TKey : notnull => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="window">The window.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IWindowedStream<Unit, T> Window<T>(this IObservable<T> source, WindowSpec window) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="pattern">The pattern.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Match<T>> Match<T>(this IObservable<T> source, Pattern<T> pattern) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="silentFor">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Silence<string>> Silent<T>(this IObservable<T> source, TimeSpan silentFor) => throw new NotSupportedException();

    /// <summary>Not without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="silentFor">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Silent watches each key apart: say which with KeyBy(e => e.Device) before it.", error: true)]
    public static IEventStream<Silence<string>> Silent<T>(this IEventStream<T> stream, TimeSpan silentFor) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="sink">The sink.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("An Rx operator before this one left the event stream. Put To(...) before the Rx part, or Subscribe to the observable.", error: true)]
    public static Query To<T>(this IObservable<T> source, ISink<T> sink) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TRow">The row's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="table">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="result">The result.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> Enrich<T, TKey, TRow, TResult>(
        this IObservable<T> source, ITable<TKey, TRow> table, Func<T, TKey> key, Func<T, TRow?, TResult> result)
        where TKey : notnull
        where TRow : class => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="quiet">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Debounce<T>(this IObservable<T> source, TimeSpan quiet) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="interval">How long.</param>
    /// <param name="keep">Which.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> AtMostOncePer<T>(this IObservable<T> source, TimeSpan interval, Keep keep = Keep.First) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TId">The id's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="by">The id.</param>
    /// <param name="within">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Deduplicate<T, TId>(this IObservable<T> source, Func<T, TId> by, TimeSpan within) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="result">The result.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> WithPrevious<T, TResult>(this IObservable<T> source, Func<T, T, TResult> result) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Reorder<T>(this IObservable<T> source) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="predicate">The predicate.</param>
    /// <param name="rest">The rest.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Split<T>(this IObservable<T> source, Func<T, bool> predicate, out IEventStream<T> rest) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="TRow">The row's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="table">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="result">The result.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> Enrich<T, TKey, TRow, TResult>(
        this IObservable<T> source, ValueTable<TKey, TRow> table, Func<T, TKey> key, Func<T, TRow?, TResult> result)
        where TKey : notnull
        where TRow : struct => throw new NotSupportedException();
}
