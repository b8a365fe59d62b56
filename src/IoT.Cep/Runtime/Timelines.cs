using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The ways in which a source's events are timed. Queries with the same timing share one assignment of times.</summary>
/// <param name="source">The source's name.</param>
/// <param name="engine">The engine.</param>
/// <param name="isLive">Whether the source has a present, and so a future to be bounded.</param>
/// <param name="isSorted">Whether the times that come with the events are in order.</param>
internal sealed class Timelines<T>(string source, CepEngine engine, bool isLive, bool isSorted) : IDisposable
{
    // Copied when it changes: a query may leave while its events are given out.
    private Timeline[] _all = [];
    private readonly List<Timeline> _retired = [];

    internal long Latest => _all.Length == 0 ? long.MinValue : _all.Max(t => t.Operator.Latest);

    internal long Late => _all.Length == 0 ? 0 : _all.Max(t => t.Operator.Late);

    /// <summary>Events too far ahead, and events whose time selector threw.</summary>
    internal long DeadLetters => _all.Concat(_retired).Sum(t => t.Operator.FarFuture + Volatile.Read(ref t.Context.SkippedEvents));

    /// <summary>Hangs a query on the source. The caller holds the stage's gate.</summary>
    internal Action Add(EventTimeSpec<T> time, QueryEntry<T> query)
    {
        var timeline = Array.Find(_all, t => t.Time == time);
        if (timeline is null)
        {
            timeline = Make(time);
            _all = [.. _all, timeline];
        }

        timeline.Queries.Add(query);
        return () =>
        {
            timeline.Queries.Remove(query);
            if (timeline.Queries.IsEmpty && _all.Contains(timeline))
            {
                // Its buffers may be in use further up; they go back with the engine.
                _all = [.. _all.Where(t => t != timeline)];
                _retired.Add(timeline);
            }
        };
    }

    internal void OnEvents(in Batch<T> batch)
    {
        foreach (var timeline in _all)
        {
            timeline.Operator.OnEvents(in batch);
        }
    }

    internal void AdvanceIdle(TimeSpan silentFor)
    {
        foreach (var timeline in _all)
        {
            timeline.Operator.AdvanceIdle(silentFor);
        }
    }

    internal void OnCompleted()
    {
        foreach (var timeline in _all)
        {
            timeline.Operator.OnCompleted();
        }
    }

    internal void OnError(Exception error)
    {
        foreach (var timeline in _all)
        {
            timeline.Operator.OnError(error);
        }
    }

    public void Dispose()
    {
        foreach (var timeline in _all.Concat(_retired))
        {
            timeline.Operator.Dispose();
        }
    }

    private Timeline Make(EventTimeSpec<T> time)
    {
        var context = new QueryContext($"source {source}", ErrorPolicy.Skip, engine.AddDeadLetter);
        var queries = new FanOut<T>();
        var assign = new EventTimeOperator<T>(queries, context, time, engine.Clock, isLive, isSorted && time.Select is null)
        {
            OnFarFuture = (value, ticks) => engine.AddDeadLetter(
                DeadLetterReason.FarFuture, source, $"Its time {Ticks.ToTime(ticks):O} is more than {time.MaxFuture} ahead of the clock.", value),
        };
        return new Timeline(time, queries, assign, context);
    }

    private sealed record Timeline(EventTimeSpec<T> Time, FanOut<T> Queries, EventTimeOperator<T> Operator, QueryContext Context);
}

/// <summary>Hands everything to each of several queries.</summary>
internal sealed class FanOut<T> : Operator<T>
{
    private QueryEntry<T>[] _queries = [];

    internal bool IsEmpty => _queries.Length == 0;

    internal void Add(QueryEntry<T> query) => _queries = [.. _queries, query];

    internal void Remove(QueryEntry<T> query) => _queries = [.. _queries.Where(q => q != query)];

    internal override void OnEvents(in Batch<T> batch)
    {
        foreach (var query in _queries)
        {
            query.OnEvents(in batch);
        }
    }

    internal override void OnWatermark(long watermark)
    {
        foreach (var query in _queries)
        {
            query.OnWatermark(watermark);
        }
    }

    internal override void OnCompleted()
    {
        foreach (var query in _queries)
        {
            query.OnCompleted();
        }
    }

    internal override void OnError(Exception error)
    {
        foreach (var query in _queries)
        {
            query.OnError(error);
        }
    }
}
