namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Names the operator before it: metrics, <c>Explain</c> and saved state go by the name, so that state is found again after the query
    /// around it changed.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="name">A name that is used once in the query.</param>
    public static IEventStream<T> Named<T>(this IEventStream<T> stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return (stream.Node with { Name = name }).ToStream();
    }

    /// <inheritdoc cref="Named{T}(IEventStream{T}, string)"/>
    /// <typeparam name="TKey">The key's type; the stream stays keyed.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Named<TKey, T>(this IKeyedStream<TKey, T> stream, string name)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new KeyedStream<TKey, T>(stream.Node with { Name = name }, stream.Key);
    }

    /// <summary>From here on plain Rx, on the wall clock: hides the verbs of event streams.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    public static IObservable<T> AsObservable<T>(this IEventStream<T> stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new Hidden<T>(stream);
    }

    private sealed class Hidden<T>(IEventStream<T> stream) : IObservable<T>
    {
        public IDisposable Subscribe(IObserver<T> observer) => stream.Subscribe(observer);
    }
}
