using System.ComponentModel;
using System.Reactive.Concurrency;

namespace IoT.Cep;

public static partial class EventStreamGuards
{
    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Throttle waits for silence on the wall clock. Use Debounce(quiet) or AtMostOncePer(interval) in event time, or .AsObservable().Throttle(...).", error: true)]
    public static IEventStream<T> Throttle<T>(this IEventStream<T> stream, TimeSpan dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="interval">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Sample(TimeSpan, IScheduler) samples by a scheduler's clock. Use Sample(every) in event time, or .AsObservable().Sample(...).", error: true)]
    public static IEventStream<T> Sample<T>(this IEventStream<T> stream, TimeSpan interval, IScheduler scheduler) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(this IEventStream<T> stream, TimeSpan timeSpan, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="count">The count.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(
        this IEventStream<T> stream, TimeSpan timeSpan, int count, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="timeShift">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Buffer(TimeSpan, TimeSpan) cuts by the wall clock. Use a window of event time, or .AsObservable().Buffer(...).", error: true)]
    public static IEventStream<IList<T>> Buffer<T>(
        this IEventStream<T> stream, TimeSpan timeSpan, TimeSpan timeShift, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(
        this IEventStream<T> stream, TimeSpan timeSpan, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="count">The count.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(
        this IEventStream<T> stream, TimeSpan timeSpan, int count, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="timeSpan">The wall clock's time.</param>
    /// <param name="timeShift">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Window(TimeSpan, TimeSpan) cuts by the wall clock. Use a window of event time, or .AsObservable().Window(...).", error: true)]
    public static IEventStream<IEventStream<T>> Window<T>(
        this IEventStream<T> stream, TimeSpan timeSpan, TimeSpan timeShift, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time, or .AsObservable().Timeout(...).", error: true)]
    public static IEventStream<T> Timeout<T>(this IEventStream<T> stream, TimeSpan dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="other">What to go on with.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time, or .AsObservable().Timeout(...).", error: true)]
    public static IEventStream<T> Timeout<T>(
        this IEventStream<T> stream, TimeSpan dueTime, IObservable<T> other, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time, or .AsObservable().Timeout(...).", error: true)]
    public static IEventStream<T> Timeout<T>(this IEventStream<T> stream, DateTimeOffset dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="other">What to go on with.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time, or .AsObservable().Timeout(...).", error: true)]
    public static IEventStream<T> Timeout<T>(
        this IEventStream<T> stream, DateTimeOffset dueTime, IObservable<T> other, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Delay waits on the wall clock, and event time does not move with it. Put it at the end: .AsObservable().Delay(...).", error: true)]
    public static IEventStream<T> Delay<T>(this IEventStream<T> stream, TimeSpan dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Delay waits on the wall clock, and event time does not move with it. Put it at the end: .AsObservable().Delay(...).", error: true)]
    public static IEventStream<T> Delay<T>(this IEventStream<T> stream, DateTimeOffset dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's DelaySubscription waits on the wall clock. Start the engine when its input is wanted, or use .AsObservable().DelaySubscription(...).", error: true)]
    public static IEventStream<T> DelaySubscription<T>(this IEventStream<T> stream, TimeSpan dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="dueTime">The wall clock's time.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's DelaySubscription waits on the wall clock. Start the engine when its input is wanted, or use .AsObservable().DelaySubscription(...).", error: true)]
    public static IEventStream<T> DelaySubscription<T>(
        this IEventStream<T> stream, DateTimeOffset dueTime, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's Timestamp gives the wall clock's time. The event's own time is a member of the event; for the wall clock's use .AsObservable().Timestamp().", error: true)]
    public static IEventStream<T> Timestamp<T>(this IEventStream<T> stream, IScheduler? scheduler = null) => throw new NotSupportedException();

    /// <summary>Not on an event stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="scheduler">Whose clock.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("Rx's TimeInterval measures the wall clock. Use WithPrevious((previous, current) => current.Time - previous.Time), or .AsObservable().TimeInterval().", error: true)]
    public static IEventStream<T> TimeInterval<T>(this IEventStream<T> stream, IScheduler? scheduler = null) => throw new NotSupportedException();
}
