using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The end of a query that an observer subscribed to in place.</summary>
internal sealed class ObserverOperator<T>(IObserver<T> observer, QueryContext query, Action<Exception>? failed = null, Action? completed = null)
    : Operator<T>, IStoppable
{
    private volatile bool _released;

    internal override void OnEvents(in Batch<T> batch)
    {
        // An observer may unsubscribe at any result; the buffers behind the others have gone back then.
        for (int i = 0; i < batch.Length && !_released; i++)
        {
            try
            {
                observer.OnNext(batch.Events[i]);
            }
            catch (Exception error) when (error is not QueryException)
            {
                query.Fail(error, this, batch.Events[i], batch.Ticks[i]);
            }
        }
    }

    internal override void OnWatermark(long watermark)
    {
    }

    internal override void OnCompleted()
    {
        completed?.Invoke();
        Tell(static (told, _) => told.OnCompleted(), null);
    }

    internal override void OnError(Exception error)
    {
        failed?.Invoke(error);
        Tell(static (told, e) => told.OnError(e!), error);
    }

    public void Stop() => _released = true;

    protected override void Release() => _released = true;

    /// <summary>
    /// In an engine the query's own state says how it ended, so an observer that throws once more (Rx's does where no OnError was given) stops nothing
    /// else. In place the exception is the caller's.
    /// </summary>
    private void Tell(Action<IObserver<T>, Exception?> tell, Exception? error)
    {
        if (_released)
        {
            return;
        }

        try
        {
            tell(observer, error);
        }
        catch (Exception thrown) when (failed is not null && thrown is not OutOfMemoryException)
        {
            failed(thrown);
        }
    }
}

/// <summary>The end of a query that gives nothing more from one moment on, whatever is still on its way.</summary>
internal interface IStoppable
{
    void Stop();
}

/// <summary>An observer as the sink of a query in an engine: called on the shard's thread.</summary>
internal sealed class ObserverSink<T>(IObserver<T> observer) : ISink<T>
{
    public string Name => "observer";

    internal IObserver<T> Observer => observer;
}

/// <summary>The end of a query whose sink is called on the shard's thread.</summary>
internal sealed class InlineSinkOperator<T>(IInlineSink<T> sink, QueryContext query, Action<Exception> failed, Action completed) : Operator<T>
{
    internal override void OnEvents(in Batch<T> batch)
    {
        try
        {
            sink.Write(in batch);
        }
        catch (Exception error) when (error is not QueryException)
        {
            Recover(in batch, error);
        }
    }

    internal override void OnWatermark(long watermark)
    {
        try
        {
            sink.Advance(watermark);
        }
        catch (Exception error) when (error is not QueryException)
        {
            query.Fail(error, this, null, 0);
        }
    }

    internal override void OnCompleted()
    {
        completed();
        try
        {
            sink.Complete();
        }
        catch (Exception error) when (error is not QueryException)
        {
            query.Fail(error, this, null, 0);
        }
    }

    /// <summary>A batch that failed is given again, result by result, so that one alone is left out.</summary>
    private void Recover(in Batch<T> batch, Exception error)
    {
        if (batch.Length == 1)
        {
            query.Fail(error, this, batch.Events[0], batch.Ticks[0]);
            return;
        }

        for (int i = 0; i < batch.Length; i++)
        {
            OnEvents(batch.Slice(i, 1));
        }
    }

    internal override void OnError(Exception error) => failed(error);
}
