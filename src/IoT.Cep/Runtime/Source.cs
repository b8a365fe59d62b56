using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Makes sources.</summary>
public static partial class Source
{
    /// <summary>A source whose messages come from a transport and are decoded into events.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="transport">The transport.</param>
    /// <param name="decoder">The decoder.</param>
    public static ISource<T> FromTransport<T>(ITransport transport, Decoder<T> decoder)
    {
        ArgumentNullException.ThrowIfNull(transport);
        ArgumentNullException.ThrowIfNull(decoder);
        return new TransportSource<T>(transport, decoder);
    }

    /// <summary>A bounded source of events in memory, in batches, without a copy. The arrays must not change while it runs.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="events">The events.</param>
    /// <param name="ticks">Their times: 100 ns ticks since 1970-01-01 UTC, one for each event.</param>
    public static ISource<T> FromMemory<T>(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks)
    {
        if (events.Length != ticks.Length)
        {
            throw new ArgumentException($"There are {events.Length} events and {ticks.Length} times: give one time for each event.", nameof(ticks));
        }

        return new MemorySource<T>(events, ticks);
    }

    /// <summary>
    /// A source of an observable's events. It ends with the observable; an error of it stops the queries. <see cref="CepEngine.StartAsync"/> completes when it
    /// has subscribed (or an observable that emits while it is being subscribed to has given its first event), so nothing that is emitted from there on is lost.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="observable">The observable; it is slowed down by blocking its thread where the queries do not keep up.</param>
    /// <param name="name">The source's name.</param>
    public static ISource<T> FromObservable<T>(IObservable<T> observable, string name = "observable")
    {
        ArgumentNullException.ThrowIfNull(observable);
        return new ObservableSource<T>(observable, name);
    }

    private sealed class TransportSource<T>(ITransport transport, Decoder<T> decoder) : ISource<T>
    {
        public string Name => transport.Name;

        public bool IsBounded => false;

        public bool IsPartitioned => transport.IsPartitioned;

        public Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop) =>
            transport.RunAsync(writer.Decode(decoder), context, stop);
    }

    private sealed class MemorySource<T>(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks) : ISource<T>, ISortedSource
    {
        public string Name => "memory";

        public bool IsBounded => true;

        // Looked at once, before anything runs: a column in order needs no look for late events later.
        public bool IsSorted { get; } = IsInOrder(ticks.Span);

        public async Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop)
        {
            for (int start = 0; start < events.Length; start += EventBuffer<T>.DefaultCapacity)
            {
                stop.ThrowIfCancellationRequested();
                int length = Math.Min(EventBuffer<T>.DefaultCapacity, events.Length - start);
                await writer.WriteAsync(events.Slice(start, length), ticks.Slice(start, length)).ConfigureAwait(false);
            }
        }

        private static bool IsInOrder(ReadOnlySpan<long> ticks)
        {
            for (int i = 1; i < ticks.Length; i++)
            {
                if (ticks[i] < ticks[i - 1])
                {
                    return false;
                }
            }

            return true;
        }
    }

    private sealed class ObservableSource<T>(IObservable<T> observable, string name) : ISource<T>, IAwaitedSource
    {
        public string Name => name;

        public bool IsBounded => false;

        public int Subscriptions => 1;

        public async Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop)
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var stopping = stop.Register(() => ended.TrySetCanceled(stop));
            var observer = new Observer(writer, ended);
            using var subscription = observable.Subscribe(observer);
            observer.Listens();
            await ended.Task.ConfigureAwait(false);
        }

        private sealed class Observer(SourceWriter<T> writer, TaskCompletionSource ended) : IObserver<T>
        {
            private readonly T[] _one = new T[1];
            private int _listens;

            public void OnNext(T value)
            {
                if (_listens == 0)
                {
                    Listens();
                }

                _one[0] = value;
                var written = writer.WriteAsync(_one, default);
                if (!written.IsCompletedSuccessfully)
                {
                    written.AsTask().GetAwaiter().GetResult();
                }
            }

            public void OnError(Exception error) => ended.TrySetException(error);

            public void OnCompleted() => ended.TrySetResult();

            // By its first event as well: a cold observable may emit all it has, or go on for ever, before Subscribe returns.
            internal void Listens()
            {
                if (Interlocked.Exchange(ref _listens, 1) == 0)
                {
                    writer.OnListening();
                }
            }
        }
    }
}

/// <summary>A source that is awaited when the engine starts: it tells by <see cref="SourceWriter{T}.OnListening"/>, so many times, that it loses nothing from there on.</summary>
internal interface IAwaitedSource
{
    int Subscriptions { get; }
}

/// <summary>A source that knows its times are in order.</summary>
internal interface ISortedSource
{
    bool IsSorted { get; }
}
