namespace IoT.Cep;

/// <summary>
/// Events with event time. It is an <see cref="IObservable{T}"/>: subscribing runs the query in place, on the thread of
/// whoever feeds it, or registers it with the engine where the stream began with <see cref="ICep.From"/>.
/// </summary>
/// <typeparam name="T">The event's type.</typeparam>
public interface IEventStream<T> : IObservable<T>
{
    internal StreamNode<T> Node { get; }
}

/// <summary>Events that have a key: windows, patterns and absence are kept for each key apart.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The event's type.</typeparam>
public interface IKeyedStream<TKey, T> : IEventStream<T>
    where TKey : notnull
{
    internal KeySelector<TKey, T> Key { get; }
}
