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
    /// although nothing more comes; 10 s by default.
    /// </param>
    /// <param name="maxFuture">A live source's event further ahead of the clock becomes a dead letter and moves no watermark; 5 minutes by default.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<T> WithEventTime<T>(
        this IEventStream<T> stream, Func<T, DateTimeOffset> time, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null,
        TimeSpan? maxFuture = null, [CallerArgumentExpression(nameof(time))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDisorder, TimeSpan.Zero);
        return WithTime(stream.Node, new EventTimeSpec<T>(
            time, maxDisorder, Positive(idleAfter ?? EventTimeSpec<T>.DefaultIdleAfter), Positive(maxFuture ?? EventTimeSpec<T>.DefaultMaxFuture), StreamExtensions.Shorten(text)));
    }

    /// <summary>Events have the time at which they arrive: nothing is late, and nothing is out of order.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="idleAfter">After so long without an event time goes on by itself; 1 s by default.</param>
    public static IEventStream<T> WithArrivalTime<T>(this IEventStream<T> stream, TimeSpan? idleAfter = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return WithTime(stream.Node, EventTimeSpec<T>.Default with
        {
            IsArrival = true,
            IdleAfter = Positive(idleAfter ?? TimeSpan.FromSeconds(1)),
        });
    }

    private static IEventStream<T> WithTime<T>(StreamNode<T> node, EventTimeSpec<T> spec)
    {
        if (node is SourceNode<T> source)
        {
            return (source with { Time = spec }).ToStream();
        }

        if (node.Engine is not null)
        {
            throw new ArgumentException(
                "Put WithEventTime(...) or WithArrivalTime() right behind cep.From(...): idle time and the bound on the future belong to the source. To make "
                + "other events of a payload first, do it in the decoder.");
        }

        return new EventTimeNode<T>(node, spec).ToStream();
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
    internal override string Text => Time.Describe();

    internal override bool IsOrdered => Time.IsArrival || Time.MaxDisorder == TimeSpan.Zero;

    internal override object Origin => this;

    internal override void Build(Plan plan, Operator<T> next) => Input.Build(
        plan, plan.Add(this, new EventTimeOperator<T>(next, plan.Query, Time, plan.Clock, isLive: false, isSorted: false), next));
}
