using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The end of a query that an observer subscribed to in place.</summary>
internal sealed class ObserverOperator<T>(IObserver<T> observer, QueryContext query, Action<Exception>? failed = null, Action? completed = null)
    : Operator<T>
{
    internal override void OnEvents(in Batch<T> batch)
    {
        foreach (ref readonly var value in batch.Events)
        {
            try
            {
                observer.OnNext(value);
            }
            catch (Exception error) when (error is not QueryException)
            {
                query.Fail(error, this, value, 0);
            }
        }
    }

    internal override void OnWatermark(long watermark)
    {
    }

    internal override void OnCompleted()
    {
        completed?.Invoke();
        observer.OnCompleted();
    }

    internal override void OnError(Exception error)
    {
        failed?.Invoke(error);
        observer.OnError(error);
    }
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
            query.Fail(error, this, null, 0);
        }
    }

    internal override void OnWatermark(long watermark) => sink.Advance(watermark);

    internal override void OnCompleted()
    {
        completed();
        sink.Complete();
    }

    internal override void OnError(Exception error) => failed(error);
}
