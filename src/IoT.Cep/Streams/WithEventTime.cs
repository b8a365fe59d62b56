using System.Runtime.CompilerServices;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>Says which time events have, and how far out of order they may come.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="maxDisorder">
    /// How much earlier than the latest event an event may be and still be on time; zero by default: time only goes up. Windows close that
    /// much later. An event that is earlier still is late: windows whose end has passed do not take it.
    /// </param>
    /// <param name="idleAfter">
    /// After so long without an event, while the source is connected and running, time goes on by the time elapsed, so that windows close
    /// although nothing more comes; 10 s by default, <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </param>
    /// <param name="maxFuture">A live source's event further ahead of the clock becomes a dead letter and moves no watermark; 5 minutes by default.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">Events got their time by such a call right before, or it does not stand right behind the source.</exception>
    public static IEventStream<T> WithEventTime<T>(
        this IEventStream<T> stream, Func<T, DateTimeOffset> time, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null,
        TimeSpan? maxFuture = null, [CallerArgumentExpression(nameof(time))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDisorder, TimeSpan.Zero);
        return WithTime(stream.Node, Spec(time, maxDisorder, idleAfter, maxFuture, text));
    }

    /// <summary>Says which time events have, and which strategy tells when no earlier event is expected any more.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="watermarks">
    /// The strategy: <c>Watermarks.Monotonic</c>, <c>Watermarks.BoundedDisorder(...)</c>, <c>Watermarks.Punctuated((Reading r) =&gt; r.CompleteUpTo)</c>
    /// or <c>Watermarks.From(() =&gt; new MyStrategy())</c>.
    /// </param>
    /// <param name="idleAfter">
    /// After so long without an event, while the source is connected and running, the watermark goes on by the time elapsed since that event; 10 s by
    /// default, <see cref="Timeout.InfiniteTimeSpan"/> for never: right where a strategy knows more than the clock does.
    /// </param>
    /// <param name="maxFuture">A live source's event further ahead of the clock becomes a dead letter and moves no watermark; 5 minutes by default.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">Events got their time by such a call right before, or it does not stand right behind the source.</exception>
    public static IEventStream<T> WithEventTime<T>(
        this IEventStream<T> stream, Func<T, DateTimeOffset> time, Watermarks<T> watermarks, TimeSpan? idleAfter = null,
        TimeSpan? maxFuture = null, [CallerArgumentExpression(nameof(time))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(watermarks);
        return WithTime(stream.Node, Spec(time, watermarks.MaxDisorder, idleAfter, maxFuture, text) with
        {
            Marker = watermarks.Marker,
            Strategy = watermarks.Create,
            StrategyText = watermarks.Text,
        });
    }

    /// <summary>Events have the time at which they arrive: nothing is late, and nothing is out of order.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="idleAfter">After so long without an event time goes on by itself; 1 s by default.</param>
    /// <exception cref="ArgumentException">Events got their time by such a call right before, or it does not stand right behind the source.</exception>
    public static IEventStream<T> WithArrivalTime<T>(this IEventStream<T> stream, TimeSpan? idleAfter = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return WithTime(stream.Node, EventTimeSpec<T>.Default with
        {
            IsArrival = true,
            IdleAfter = Idle(idleAfter, TimeSpan.FromSeconds(1)),
        });
    }

    private static EventTimeSpec<T> Spec<T>(Func<T, DateTimeOffset> time, TimeSpan maxDisorder, TimeSpan? idleAfter, TimeSpan? maxFuture, string text) => new(
        time, maxDisorder, Idle(idleAfter, EventTimeSpec<T>.DefaultIdleAfter), Positive(maxFuture ?? EventTimeSpec<T>.DefaultMaxFuture, nameof(maxFuture)),
        StreamExtensions.Shorten(text));

    private static TimeSpan Idle(TimeSpan? idleAfter, TimeSpan usual) =>
        idleAfter == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : Positive(idleAfter ?? usual, nameof(idleAfter));

    private static IEventStream<T> WithTime<T>(StreamNode<T> node, EventTimeSpec<T> spec)
    {
        if (node is SourceNode<T> { IsTimeDeclared: true } or EventTimeNode<T> { IsTimeDeclared: true })
        {
            throw new ArgumentException(
                $"The events have a time already, which '{spec.Describe()}' would overrule with all its settings: '{node.Text}'. Give one WithEventTime(...) or "
                + "WithArrivalTime() with all settings; for a second timing of one source, begin with what cep.From(...) returned.");
        }

        if (node is SourceNode<T> source)
        {
            return (source with { Time = spec, IsTimeDeclared = true }).ToStream();
        }

        if (node.Engine is not null)
        {
            throw new ArgumentException(
                "Put WithEventTime(...) or WithArrivalTime() right behind cep.From(...): idle time and the bound on the future belong to the source. To make "
                + "other events of a payload first, do it in the decoder.");
        }

        // Right behind ToEventStream it takes the place of the time given there, which nobody has seen.
        return new EventTimeNode<T>(node is EventTimeNode<T> given ? given.Source : node, spec) { IsTimeDeclared = true }.ToStream();
    }

    private static TimeSpan Positive(TimeSpan span, [CallerArgumentExpression(nameof(span))] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero, name);
        return span;
    }
}

/// <summary>Time given anew in the middle of a stream. At a source, the source's own node holds the specification.</summary>
internal sealed record EventTimeNode<T>(StreamNode<T> Source, EventTimeSpec<T> Time) : StreamNode<T, T>(Source)
{
    /// <summary>Whether WithEventTime or WithArrivalTime said so: a second one in the same place is a mistake.</summary>
    internal bool IsTimeDeclared { get; init; }

    internal override string Text => Time.Describe();

    internal override bool IsOrdered => Time.IsOrdered;

    internal override object Origin => this;

    internal override void Build(Plan plan, Operator<T> next) => Input.Build(
        plan, plan.Add(this, new EventTimeOperator<T>(next, plan.Query, Time, plan.Clock, isLive: false, isSorted: false), next));
}
