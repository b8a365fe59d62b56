using System.ComponentModel;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Rx's verbs that mean another thing (the wall clock, or no event time) on an event stream, and ours on a plain observable, are
/// compile errors that name the remedy: falling through silently would be a trap.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static partial class EventStreamGuards
{
    private const string LostTime =
        "An Rx operator before this one dropped the event time. Do the Rx part after the event-stream verbs, or call .ToEventStream(e => e.Time) again.";

    private const string LeftStream =
        "An Rx operator before this one left the event stream. Put To(...) before the Rx part, or Subscribe to the observable.";

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="key">The key.</param>
    /// <param name="maxKeys">How many keys.</param>
    /// <param name="whenFull">What happens to one more.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IKeyedStream<TKey, T> KeyBy<T, TKey>(this IObservable<T> source, Func<T, TKey> key, int maxKeys = 0, WhenKeysFull whenFull = default)
        where TKey : notnull => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="window">The windows.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IWindowedStream<Unit, T> Window<T>(this IObservable<T> source, WindowSpec window) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="window">The windows.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IWindowedStream<Unit, T> Window<T>(this IObservable<T> source, WindowSpec<T> window) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="silentFor">How long.</param>
    /// <param name="expected">The keys that are expected.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Silence<TKey>> Silent<T, TKey>(
        this IObservable<T> source, TimeSpan silentFor, IReadOnlyCollection<TKey> expected, TimeSpan? forgetAfter = null)
        where TKey : notnull => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="silentFor">How long.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Silence<string>> Silent<T>(
        this IObservable<T> source, TimeSpan silentFor, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="sink">The sink.</param>
    /// <param name="name">The name.</param>
    /// <param name="onError">What happens then.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LeftStream, error: true)]
    public static Query To<T>(this IObservable<T> source, ISink<T> sink, string? name = null, ErrorPolicy? onError = null) => throw new NotSupportedException();

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

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="maxDisorder">How late.</param>
    /// <param name="idleAfter">How long.</param>
    /// <param name="maxFuture">How far ahead.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> WithEventTime<T>(
        this IObservable<T> source, Func<T, DateTimeOffset> time, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null, TimeSpan? maxFuture = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="watermarks">The strategy.</param>
    /// <param name="idleAfter">How long.</param>
    /// <param name="maxFuture">How far ahead.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> WithEventTime<T>(
        this IObservable<T> source, Func<T, DateTimeOffset> time, Watermarks<T> watermarks, TimeSpan? idleAfter = null, TimeSpan? maxFuture = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="idleAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> WithArrivalTime<T>(this IObservable<T> source, TimeSpan? idleAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="maxDisorder">How late.</param>
    /// <param name="idleAfter">How long.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> TimelinePerKey<T>(
        this IObservable<T> source, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="value">The value.</param>
    /// <param name="band">How far.</param>
    /// <param name="atLeastEvery">How long.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> DeadBand<T>(
        this IObservable<T> source, Func<T, double> value, double band, TimeSpan? atLeastEvery = null, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="step">How far apart.</param>
    /// <param name="value">The value.</param>
    /// <param name="maxGap">The longest gap.</param>
    /// <param name="interpolation">How.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<Filled<string>> FillGaps<T>(
        this IObservable<T> source, TimeSpan step, Func<T, double> value, TimeSpan maxGap, Interpolation interpolation = Interpolation.Step) => throw new NotSupportedException();

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
    /// <param name="maxIds">How many ids.</param>
    /// <param name="whenFull">What happens to one more.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Deduplicate<T, TId>(
        this IObservable<T> source, Func<T, TId> by, TimeSpan within, int maxIds = 0, DeduplicateOverflow whenFull = default) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="result">The result.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> WithPrevious<T, TResult>(
        this IObservable<T> source, Func<T, T, TResult> result, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="count">The count.</param>
    /// <param name="result">The result.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<TResult> WithPrevious<T, TResult>(
        this IObservable<T> source, int count, Func<ReadOnlySpan<T>, T, TResult> result, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="maxEvents">How many events.</param>
    /// <param name="whenFull">What happens to one more.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Reorder<T>(this IObservable<T> source, int maxEvents = 0, ReorderOverflow whenFull = default) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="late">The late events.</param>
    /// <param name="maxEvents">How many events.</param>
    /// <param name="whenFull">What happens to one more.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Reorder<T>(
        this IObservable<T> source, out IEventStream<T> late, int maxEvents = 0, ReorderOverflow whenFull = default) => throw new NotSupportedException();

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
    /// <param name="source">The observable.</param>
    /// <param name="predicate">The predicate.</param>
    /// <param name="rest">The rest.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Split<T>(this IObservable<T> source, Predicate<T> predicate, out IEventStream<T> rest) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="predicate">The predicate.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Where<T>(this IObservable<T> source, Predicate<T> predicate) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="others">The others.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Union<T>(this IObservable<T> source, params IObservable<T>[] others) => throw new NotSupportedException();

    /// <summary>Not on a plain observable.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="name">The name.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete(LostTime, error: true)]
    public static IEventStream<T> Named<T>(this IObservable<T> source, string name) => throw new NotSupportedException();

    /// <summary>Not without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="silentFor">How long.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Silent watches each key apart: say which with KeyBy(e => e.Device) before it.", error: true)]
    public static IEventStream<Silence<string>> Silent<T>(
        this IEventStream<T> stream, TimeSpan silentFor, TimeSpan? forgetAfter = null) => throw new NotSupportedException();

    /// <summary>Not without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="silentFor">How long.</param>
    /// <param name="expected">The keys that are expected.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Silent watches each key apart: say which with KeyBy(e => e.Device) before it.", error: true)]
    public static IEventStream<Silence<TKey>> Silent<T, TKey>(
        this IEventStream<T> stream, TimeSpan silentFor, IReadOnlyCollection<TKey> expected, TimeSpan? forgetAfter = null)
        where TKey : notnull => throw new NotSupportedException();

    /// <summary>Not without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="step">How far apart.</param>
    /// <param name="value">The value.</param>
    /// <param name="maxGap">The longest gap.</param>
    /// <param name="interpolation">How.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("FillGaps fills each key's gaps apart: say which with KeyBy(e => e.Device) before it.", error: true)]
    public static IEventStream<Filled<string>> FillGaps<T>(
        this IEventStream<T> stream, TimeSpan step, Func<T, double> value, TimeSpan maxGap, Interpolation interpolation = Interpolation.Step) => throw new NotSupportedException();

    /// <summary>Not without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="maxDisorder">How late.</param>
    /// <param name="idleAfter">How long.</param>
    /// <param name="forgetAfter">How long.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("TimelinePerKey keeps a time for each key: say which with KeyBy(e => e.Device) before it.", error: true)]
    public static IEventStream<T> TimelinePerKey<T>(
        this IEventStream<T> stream, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null, TimeSpan? forgetAfter = null) => throw new NotSupportedException();
}
