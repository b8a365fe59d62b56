using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Gives a key's event once the key has been quiet for so long in event time: an event is replaced by the next one of its key unless that comes
    /// <paramref name="quiet"/> or more after it. Emits when the watermark reaches the end of the quiet time, which is the result's time. Remembers
    /// one event for each key until then. Late events are left out and counted. At the end of the input an event whose quiet time has not passed is
    /// not given out. (Rx calls the like on the wall clock <c>Throttle</c>.)
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="quiet">How long.</param>
    public static IKeyedStream<TKey, T> Debounce<TKey, T>(this IKeyedStream<TKey, T> stream, TimeSpan quiet)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        Positive(quiet);
        TimeWindows.ThrowIfTooLong(quiet, nameof(quiet));
        stream.Node.RequireAppendOnly("Debounce");
        return new KeyedStream<TKey, T>(new DebounceNode<TKey, T>(stream.Node, stream.Key, quiet), stream.Key.InSourceTime);
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="Debounce{TKey, T}"/>
    public static IEventStream<T> Debounce<T>(this IEventStream<T> stream, TimeSpan quiet) => stream.Unkeyed().Debounce(quiet);
}

internal sealed record DebounceNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan Quiet) : HeldLatestNode<TKey, T>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"Debounce {Quiet} {Key.ByTime}";

    internal override bool Postpones => true;

    internal override long DueOf(long ticks) => Ticks.Plus(ticks, Quiet.Ticks);
}
