namespace IoT.Reference.Access;

/// <summary>Tells all that listen, in order, on the thread that tells. A listener must not block.</summary>
internal sealed class Broadcast<T> : IObservable<T>
{
    private readonly Lock _gate = new();
    private volatile IObserver<T>[] _observers = [];

    public IDisposable Subscribe(IObserver<T> observer)
    {
        lock (_gate)
        {
            _observers = [.. _observers, observer];
        }

        return new Subscription(this, observer);
    }

    internal void Tell(T value)
    {
        foreach (var observer in _observers)
        {
            observer.OnNext(value);
        }
    }

    private void Remove(IObserver<T> observer)
    {
        lock (_gate)
        {
            _observers = [.. _observers.Where(o => o != observer)];
        }
    }

    private sealed class Subscription(Broadcast<T> broadcast, IObserver<T> observer) : IDisposable
    {
        public void Dispose() => broadcast.Remove(observer);
    }
}
