using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The beginning of a stream in an engine: a source, and how its events get their time.</summary>
internal sealed record SourceNode<T>(CepEngine Owner, Ingress<T> Ingress, EventTimeSpec<T> Time) : StreamNode<T>
{
    /// <summary>Whether WithEventTime or WithArrivalTime said so: a second one is a mistake.</summary>
    internal bool IsTimeDeclared { get; init; }

    internal override string Text => $"Source {Ingress.Name}, {Time.Describe()}";

    internal override CepEngine Engine => Owner;

    internal override object Origin => Ingress;

    // Partitions are each in order, not one with the other.
    internal override bool IsOrdered => Time.IsOrdered && (Time.IsArrival || !Ingress.Source.IsPartitioned);

    internal override bool BeginsAtOneSource => true;

    internal override void Build(Plan plan, Operator<T> next)
    {
        var entry = plan.Add(this, new QueryEntry<T>(next, plan.Query) { WantsRunningTime = plan.WantsRunningTime }, next);
        plan.AddStart(() => Ingress.Attach(Time, entry));
        plan.AddInput(Ingress);
    }
}

/// <summary>Where a query hangs on its source: an error in the query ends the query here, and nothing else.</summary>
internal sealed class QueryEntry<T>(Operator<T> next, QueryContext query) : Operator<T>
{
    private bool _stopped;
    private int _sinceWatermark;

    /// <summary>Whether a key of it keeps a time of its own.</summary>
    internal bool WantsRunningTime { get; init; }

    internal override void OnRunningTime(long running)
    {
        if (_stopped || !WantsRunningTime)
        {
            return;
        }

        try
        {
            next.OnRunningTime(running);
        }
        catch (QueryException error)
        {
            OnError(error);
        }
    }

    internal override void OnEvents(in Batch<T> batch)
    {
        if (_stopped)
        {
            return;
        }

        _sinceWatermark += batch.Length;
        try
        {
            next.OnEvents(in batch);
        }
        catch (QueryException error)
        {
            OnError(error);
        }
    }

    /// <summary>Whether late events may correct its results.</summary>
    internal bool HasCorrections => query.HasCorrections;

    /// <summary>The source's time stands at this watermark behind a batch: it is told once more where results wait for it.</summary>
    internal void RepeatWatermark(long watermark)
    {
        if (WantsRunningTime || _sinceWatermark >= query.EventsPerWatermark)
        {
            OnWatermark(watermark);
        }
    }

    internal override void OnWatermark(long watermark)
    {
        if (_stopped)
        {
            return;
        }

        _sinceWatermark = 0;
        try
        {
            next.OnWatermark(watermark);
        }
        catch (QueryException error)
        {
            OnError(error);
        }
    }

    internal override void OnReleased(bool isReleased)
    {
        if (_stopped)
        {
            return;
        }

        try
        {
            next.OnReleased(isReleased);
        }
        catch (QueryException error)
        {
            OnError(error);
        }
    }

    internal override void OnCompleted()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        try
        {
            next.OnCompleted();
        }
        catch (QueryException error)
        {
            next.OnError(error);
        }
    }

    internal override void OnError(Exception error)
    {
        _stopped = true;
        next.OnError(error);
    }
}
