namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>Pushes an array's events into an observer: the cheapest source that Rx can have.</summary>
internal sealed class ArrayObservable<T>(T[] events, int count) : IObservable<T>, IDisposable
{
    public IDisposable Subscribe(IObserver<T> observer)
    {
        foreach (ref readonly var value in events.AsSpan(0, count))
        {
            observer.OnNext(value);
        }

        observer.OnCompleted();
        return this;
    }

    public void Dispose()
    {
        // All has been pushed by the time anybody could dispose of it.
    }
}
