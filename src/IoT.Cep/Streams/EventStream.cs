namespace IoT.Cep;

/// <summary>A stream is its node and nothing else; subscribing compiles the node into operators.</summary>
internal class EventStream<T>(StreamNode<T> node) : IEventStream<T>
{
    StreamNode<T> IEventStream<T>.Node => node;

    public IDisposable Subscribe(IObserver<T> observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        node.RequireNoRetractions("An observer");
        return node.Engine is { } engine
            ? engine.Register(node, new ObserverSink<T>(observer), null, null)
            : Plan.Run(node, observer);
    }
}

internal sealed class KeyedStream<TKey, T>(StreamNode<T> node, KeySelector<TKey, T> key) : EventStream<T>(node), IKeyedStream<TKey, T>
    where TKey : notnull
{
    KeySelector<TKey, T> IKeyedStream<TKey, T>.Key => key;
}

internal static class StreamExtensions
{
    /// <summary>A text of this length was cut.</summary>
    internal const int MaxShortened = 100;

    internal static IEventStream<T> ToStream<T>(this StreamNode<T> node) => new EventStream<T>(node);

    /// <summary>All events under one key, for the verbs that keep something for each key.</summary>
    internal static IKeyedStream<Unit, T> Unkeyed<T>(this IEventStream<T> stream) => stream.KeyBy(static _ => default(Unit), text: "");

    /// <summary>The text of a lambda as the source has it, in one line and cut to a readable length.</summary>
    internal static string Shorten(string? text)
    {
        string line = string.Join(' ', (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= MaxShortened ? line : line[..(MaxShortened - 1)] + "…";
    }
}
