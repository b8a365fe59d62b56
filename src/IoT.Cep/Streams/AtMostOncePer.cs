using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Which event of an interval stands for it.</summary>
public enum Keep
{
    /// <summary>The first, as soon as it is there; those behind it are left out.</summary>
    First,

    /// <summary>The last, at the interval's end.</summary>
    Last,
}

public static partial class EventStreamExtensions
{
    /// <summary>
    /// At most one event of each key per interval of event time. An interval begins with the first event behind the one before it. The first event
    /// passes when the watermark reaches it and keeps its time; the last one is given out when the watermark reaches the interval's end, which is
    /// its time then. Remembers a key (with <see cref="Keep.Last"/> its event too) for as long as an interval. Late events are left out and
    /// counted. At the end of the input an interval that has not ended gives nothing more.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="interval">How long. An event exactly that much after the one that began it begins the next.</param>
    /// <param name="keep">Which event stands for the interval: the first by default.</param>
    public static IKeyedStream<TKey, T> AtMostOncePer<TKey, T>(this IKeyedStream<TKey, T> stream, TimeSpan interval, Keep keep = Keep.First)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        Positive(interval);
        TimeWindows.ThrowIfTooLong(interval, nameof(interval));
        stream.Node.RequireAppendOnly("AtMostOncePer");
        StreamNode<T> node = Defined(keep) == Keep.First
            ? new AtMostOncePerNode<TKey, T>(stream.Node, stream.Key, interval)
            : new LastOncePerNode<TKey, T>(stream.Node, stream.Key, interval);
        return new KeyedStream<TKey, T>(node, stream.Key.InSourceTime);
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="AtMostOncePer{TKey, T}"/>
    public static IEventStream<T> AtMostOncePer<T>(this IEventStream<T> stream, TimeSpan interval, Keep keep = Keep.First) =>
        stream.Unkeyed().AtMostOncePer(interval, keep);
}

/// <summary>The first event of an interval is the one that has no duplicate before it, where any event of the key is a duplicate.</summary>
internal sealed record AtMostOncePerNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan Interval)
    : DeduplicateNode<TKey, Unit, T>(
        Source, Key, null, new DeduplicateLimits(Interval, Key.MaxKeys, DeduplicateOverflow.Fail) { IsOfIds = false }, $"AtMostOncePer {Interval} {Key.ByTime}")
    where TKey : notnull;

internal sealed record LastOncePerNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan Interval)
    : HeldLatestNode<TKey, T>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"AtMostOncePer {Interval} keep last {Key.ByTime}";

    internal override long DueOf(long ticks) => Ticks.Plus(ticks, Interval.Ticks);
}
