using System.ComponentModel;
using System.Reactive.Concurrency;

namespace IoT.Cep;

public static partial class EventStreamGuards
{
    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Take(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().Take(...).", error: true)]
    public static IEventStream<T> Take<T>(this IEventStream<T> stream, TimeSpan duration, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Skip(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().Skip(...).", error: true)]
    public static IEventStream<T> Skip<T>(this IEventStream<T> stream, TimeSpan duration, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TakeLast(TimeSpan) measures the wall clock. Use a window, or .AsObservable().TakeLast(...).", error: true)]
    public static IEventStream<T> TakeLast<T>(this IEventStream<T> stream, TimeSpan duration, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="timerScheduler">Whose clock.</param>
    /// <param name="loopScheduler">Where results are given out.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TakeLast(TimeSpan) measures the wall clock. Use a window, or .AsObservable().TakeLast(...).", error: true)]
    public static IEventStream<T> TakeLast<T>(
        this IEventStream<T> stream, TimeSpan duration, IScheduler timerScheduler, IScheduler loopScheduler) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's SkipLast(TimeSpan) measures the wall clock. Use Where on the event's time, or .AsObservable().SkipLast(...).", error: true)]
    public static IEventStream<T> SkipLast<T>(this IEventStream<T> stream, TimeSpan duration, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="duration">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TakeLastBuffer(TimeSpan) measures the wall clock. Use a window, or .AsObservable().TakeLastBuffer(...).", error: true)]
    public static IEventStream<IList<T>> TakeLastBuffer<T>(
        this IEventStream<T> stream, TimeSpan duration, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="endTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TakeUntil(DateTimeOffset) ends by the wall clock. Use Where on the event's time, or .AsObservable().TakeUntil(...).", error: true)]
    public static IEventStream<T> TakeUntil<T>(this IEventStream<T> stream, DateTimeOffset endTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="startTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's SkipUntil(DateTimeOffset) begins by the wall clock. Use Where on the event's time, or .AsObservable().SkipUntil(...).", error: true)]
    public static IEventStream<T> SkipUntil<T>(this IEventStream<T> stream, DateTimeOffset startTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="window">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Replay(TimeSpan) keeps events by the wall clock. Use .AsObservable().Replay(...).", error: true)]
    public static IEventStream<T> Replay<T>(this IEventStream<T> stream, TimeSpan window, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="bufferSize">How many to keep.</param>
    /// <param name="window">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Replay(TimeSpan) keeps events by the wall clock. Use .AsObservable().Replay(...).", error: true)]
    public static IEventStream<T> Replay<T>(
        this IEventStream<T> stream, int bufferSize, TimeSpan window, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="selector">What to make of it.</param>
    /// <param name="window">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Replay(TimeSpan) keeps events by the wall clock. Use .AsObservable().Replay(...).", error: true)]
    public static IEventStream<TResult> Replay<T, TResult>(
        this IEventStream<T> stream, Func<IObservable<T>, IObservable<TResult>> selector, TimeSpan window, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="selector">What to make of it.</param>
    /// <param name="bufferSize">How many to keep.</param>
    /// <param name="window">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Replay(TimeSpan) keeps events by the wall clock. Use .AsObservable().Replay(...).", error: true)]
    public static IEventStream<TResult> Replay<T, TResult>(
        this IEventStream<T> stream, Func<IObservable<T>, IObservable<TResult>> selector, int bufferSize, TimeSpan window, IScheduler? scheduler = null) => throw new NotSupportedException();
}
