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
    private readonly List<Partition> _partitions = [];

    internal long Latest => _all.Length == 0 ? long.MinValue : _all.Max(t => t.Time.Latest);

    /// <summary>The watermark of the timing that is furthest behind.</summary>
    internal long Watermark => _all.Length == 0 ? long.MinValue : _all.Min(t => t.Time.Watermark);

    internal long Late => _all.Length == 0 ? 0 : _all.Max(t => t.Closed.Late + t.Lanes.Sum(lane => lane.Time.Late));

    /// <summary>Events too far ahead, and events whose time selector threw.</summary>
    internal long DeadLetters => _all.Concat(_retired).Sum(t =>
        t.Closed.FarFuture + t.Lanes.Sum(lane => lane.Time.FarFuture) + Volatile.Read(ref t.Context.SkippedEvents));

    /// <summary>Whether a query has keys that keep a time of their own.</summary>
    internal bool WantsRunningTime { get; private set; }

    internal void OnRunningTime(long running)
    {
        foreach (var timeline in _all)
        {
            timeline.Queries.OnRunningTime(running);
        }
    }

    /// <summary>
    /// Keys of their own time, corrections and early results have something to give although the source's watermark stands: those queries are told it once
    /// more, and it goes out.
    /// </summary>
    internal void RepeatWatermark()
    {
        foreach (var timeline in _all)
        {
            if (timeline.Time.Watermark > long.MinValue)
            {
                timeline.Queries.RepeatWatermark(timeline.Time.Watermark);
            }
        }
    }

    /// <summary>Hangs a query on the source. The caller holds the stage's gate.</summary>
    internal Action Add(EventTimeSpec<T> time, QueryEntry<T> query)
    {
        var timeline = Array.Find(_all, t => t.Spec == time);
        if (timeline is null)
        {
            timeline = Make(time);
            foreach (var partition in _partitions)
            {
                partition.Lanes = [.. partition.Lanes, Open(timeline)];
            }

            _all = [.. _all, timeline];
        }

        timeline.Queries.Add(query);

        // It may read sources that said so before it came.
        query.OnReleased(timeline.Time.IsReleased);
        WantsRunningTime |= query.WantsRunningTime;
        return () =>
        {
            timeline.Queries.Remove(query);
            WantsRunningTime = Array.Exists(_all, t => t.Queries.WantsRunningTime);
            if (timeline.Queries.IsEmpty && _all.Contains(timeline))
            {
                // Its buffers may be in use further up; they go back with the engine.
                int index = Array.IndexOf(_all, timeline);
                _all = [.. _all.Where((_, i) => i != index)];
                _partitions.ForEach(partition => partition.Lanes = [.. partition.Lanes.Where((_, i) => i != index)]);
                _retired.Add(timeline);
            }
        };
    }

    /// <summary>How long no partition has had a connection.</summary>
    internal void Look(TimeSpan awayFor)
    {
        foreach (var timeline in _all)
        {
            timeline.Time.Look(awayFor);
        }
    }

    /// <summary>A partition begins: it has its own watermark in every timing.</summary>
    internal Partition Open()
    {
        var partition = new Partition { Lanes = [.. _all.Select(Open)] };
        _partitions.Add(partition);
        return partition;
    }

    internal void Close(Partition partition)
    {
        _partitions.Remove(partition);
        for (int i = 0; i < _all.Length; i++)
        {
            var lane = partition.Lanes[i];
            _all[i].Closed = (_all[i].Closed.Late + lane.Time.Late, _all[i].Closed.FarFuture + lane.Time.FarFuture);
            _all[i].Lanes.Remove(lane);
            _all[i].Time.Close(lane);
            lane.Time.Dispose();
        }
    }

    internal void OnCompleted()
    {
        foreach (var timeline in _all)
        {
            timeline.Time.Complete();
        }
    }

    internal void OnError(Exception error)
    {
        foreach (var timeline in _all)
        {
            timeline.Queries.OnError(error);
        }
    }

    public void Dispose()
    {
        foreach (var lane in _all.Concat(_retired).SelectMany(t => t.Lanes))
        {
            lane.Time.Dispose();
        }
    }

    private SourceTime<T>.Lane Open(Timeline timeline)
    {
        var time = timeline.Spec;
        var lane = timeline.Time.Open(next => new EventTimeOperator<T>(next, timeline.Context, time, engine.Clock, isLive, isSorted && time.Select is null)
        {
            Source = timeline.Time,
            Info = new OperatorInfo(0, "EventTime", time.Describe(), "ingress", []),
            Queries = timeline.Queries,
            OnFarFuture = (value, ticks) => engine.AddDeadLetter(
                DeadLetterReason.FarFuture, source, $"Its time {Ticks.ToTime(ticks):O} is more than {time.MaxFuture} ahead of the clock.", value),
        });
        timeline.Lanes.Add(lane);
        return lane;
    }

    private Timeline Make(EventTimeSpec<T> time)
    {
        var queries = new FanOut<T>();
        return new Timeline(
            time, queries, new SourceTime<T>(queries, time.IdleAfter), new QueryContext($"source {source}", ErrorPolicy.Skip, engine.AddDeadLetter));
    }

    /// <summary>A partition's place in each timing.</summary>
    internal sealed class Partition
    {
        internal SourceTime<T>.Lane[] Lanes { get; set; } = [];

        internal long Latest => Lanes.Length == 0 ? long.MinValue : Lanes.Max(lane => lane.Time.Latest);

        internal long Watermark => Lanes.Length == 0 ? long.MinValue : Lanes.Min(lane => lane.Watermark);

        /// <summary>How far its time is ahead of the others', in the timing where it is furthest.</summary>
        internal long Lead
        {
            get
            {
                long lead = 0;
                foreach (var lane in Lanes)
                {
                    lead = Math.Max(lead, lane.Source.LeadOf(lane));
                }

                return lead;
            }
        }

        internal void OnEvents(in Batch<T> batch)
        {
            foreach (var lane in Lanes)
            {
                lane.Source.Hear(lane);
                lane.Time.OnEvents(in batch);
            }
        }

        /// <summary>Lets time go on where it is silent or away.</summary>
        internal void Look(TimeSpan silentFor, TimeSpan awayFor)
        {
            foreach (var lane in Lanes)
            {
                lane.Source.Look(lane, silentFor, awayFor);
            }
        }
    }

    private sealed record Timeline(EventTimeSpec<T> Spec, FanOut<T> Queries, SourceTime<T> Time, QueryContext Context)
    {
        internal List<SourceTime<T>.Lane> Lanes { get; } = [];

        /// <summary>What partitions counted that have closed since.</summary>
        internal (long Late, long FarFuture) Closed { get; set; }
    }
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

    internal void RepeatWatermark(long watermark)
    {
        foreach (var query in _queries)
        {
            query.RepeatWatermark(watermark);
        }
    }

    /// <summary>Whether late events may correct the results of a query.</summary>
    internal bool HasCorrections => Array.Exists(_queries, query => query.HasCorrections);

    /// <summary>A late event was given out: what it corrects goes out.</summary>
    internal void RepeatBehindLate(long watermark)
    {
        foreach (var query in _queries)
        {
            if (query.HasCorrections)
            {
                query.OnWatermark(watermark);
            }
        }
    }

    /// <summary>Whether a query has keys that keep a time of their own.</summary>
    internal bool WantsRunningTime => Array.Exists(_queries, query => query.WantsRunningTime);

    internal override void OnRunningTime(long running)
    {
        foreach (var query in _queries)
        {
            query.OnRunningTime(running);
        }
    }

    internal override void OnReleased(bool isReleased)
    {
        foreach (var query in _queries)
        {
            query.OnReleased(isReleased);
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
