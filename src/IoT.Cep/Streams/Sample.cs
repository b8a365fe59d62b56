using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// The latest event of each key at each boundary of event time: once for each interval in which the key had an event, when the watermark reaches
    /// the interval's end. Intervals are aligned to 1970-01-01 UTC, start inclusive, end exclusive; the result's time is the interval's last instant,
    /// as a window's. Remembers one event for each key until then. Late events are left out and counted. At the end of the input the open interval
    /// is given out, as a window is. (Rx's <c>Sample</c> of the same form looks at the wall clock: <c>.AsObservable().Sample(...)</c>.)
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="every">The length of an interval.</param>
    public static IKeyedStream<TKey, T> Sample<TKey, T>(this IKeyedStream<TKey, T> stream, TimeSpan every)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        Positive(every);
        TimeWindows.ThrowIfTooLong(every, nameof(every));
        stream.Node.RequireAppendOnly("Sample");
        return new KeyedStream<TKey, T>(new SampleNode<TKey, T>(stream.Node, stream.Key, every), stream.Key.InSourceTime);
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="Sample{TKey, T}"/>
    public static IEventStream<T> Sample<T>(this IEventStream<T> stream, TimeSpan every) => stream.Unkeyed().Sample(every);
}

internal sealed record SampleNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan Every) : HeldLatestNode<TKey, T>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"Sample {Every} {Key.ByTime}";

    internal override bool FiresAtEnd => true;

    internal override long DueOf(long ticks) => Ticks.Plus(Ticks.Floor(ticks, Every.Ticks, 0), Every.Ticks);

    internal override long ResultTimeOf(long due) => due - 1;
}
