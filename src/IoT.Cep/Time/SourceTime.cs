namespace IoT.Cep;

/// <summary>
/// The time of a source: the least watermark of its partitions. A partition has no say before its first event (but where it was there before the
/// source's time began, the others wait for it for the idle bound), while it has been without a connection for the idle bound, and once it has ended.
/// </summary>
internal sealed class SourceTime<T>(Operator<T> next, TimeSpan idleAfter)
{
    private readonly List<Lane> _lanes = [];
    private long _watermark = long.MinValue;
    private long _latest = long.MinValue;
    private long _began = long.MinValue;
    private bool _isGone;

    internal long Watermark => _watermark;

    /// <summary>Whether it has no say beside other sources: nothing was heard of it since it began, or none of its partitions has had a connection, for the idle bound.</summary>
    internal bool IsReleased { get; private set; }

    /// <summary>The latest event time of all partitions, those that have ended included.</summary>
    internal long Latest
    {
        get
        {
            long latest = _latest;
            foreach (var lane in _lanes)
            {
                latest = Math.Max(latest, lane.Time.Latest);
            }

            return latest;
        }
    }

    internal Lane Open(Func<Operator<T>, EventTimeOperator<T>> make)
    {
        var lane = new Lane(this, next) { IsAwaited = _watermark == long.MinValue };
        lane.Time = make(lane);
        _lanes.Add(lane);
        return lane;
    }

    /// <summary>A partition has ended: the others no longer wait for it.</summary>
    internal void Close(Lane lane)
    {
        _latest = Math.Max(_latest, lane.Time.Latest);
        _lanes.Remove(lane);
        Update();
    }

    /// <summary>How long a partition has been silent, or away: connected running time, or time without a connection.</summary>
    internal void Look(Lane lane, TimeSpan silentFor, TimeSpan awayFor)
    {
        (lane.IsSilent, lane.IsAway) = (silentFor >= idleAfter, awayFor >= idleAfter);
        lane.Time.AdvanceIdle(silentFor);
        Update();
    }

    /// <summary>How long no partition has had a connection. Whoever was away for so long has a say again when something was heard of it, not before.</summary>
    internal void Look(TimeSpan awayFor)
    {
        _isGone |= awayFor >= idleAfter;
        Tell();
    }

    /// <summary>Events of a partition are about to come.</summary>
    internal void Hear(Lane lane)
    {
        (lane.IsSilent, lane.IsAway) = (false, false);
        _isGone = false;
        if (IsReleased)
        {
            Tell();
        }
    }

    /// <summary>
    /// How far a partition's time is ahead of the slowest other one that is neither silent nor away. One that is awaited is taken to begin where the
    /// first one began.
    /// </summary>
    internal long LeadOf(Lane ahead)
    {
        long least = long.MaxValue;
        foreach (var lane in _lanes)
        {
            if (lane != ahead && !lane.IsSilent && !lane.IsAway && (lane.IsAwaited || lane.Watermark > long.MinValue))
            {
                least = Math.Min(least, Math.Max(lane.Watermark, _began));
            }
        }

        return least >= ahead.Watermark ? 0 : Difference(ahead.Watermark, least);
    }

    internal void Complete()
    {
        long latest = Latest;
        if (latest > _watermark)
        {
            _watermark = latest;
            next.OnWatermark(latest);
        }

        next.OnCompleted();
    }

    private static long Difference(long later, long earlier) => later - earlier is var span && span < 0 ? long.MaxValue : span;

    private void Update()
    {
        long least = long.MaxValue;
        foreach (var lane in _lanes)
        {
            if (!lane.IsAway && (lane.Watermark > long.MinValue || (lane.IsAwaited && !lane.IsSilent)))
            {
                least = Math.Min(least, lane.Watermark);
            }
        }

        if (least > _watermark && least != long.MaxValue)
        {
            _watermark = least;
            next.OnWatermark(least);
        }
    }

    private void Tell()
    {
        bool isReleased = _isGone || _lanes.Count > 0;
        foreach (var lane in _lanes)
        {
            isReleased &= _isGone || lane.IsAway || (lane.Watermark == long.MinValue && lane.IsSilent);
        }

        if (isReleased != IsReleased)
        {
            IsReleased = isReleased;
            next.OnReleased(isReleased);
        }
    }

    /// <summary>One partition's way to those who read the source.</summary>
    internal sealed class Lane(SourceTime<T> source, Operator<T> next) : Operator<T>
    {
        internal SourceTime<T> Source => source;

        internal EventTimeOperator<T> Time { get; set; } = null!;

        internal long Watermark { get; private set; } = long.MinValue;

        /// <summary>Whether it was there before the source's time began, so that its first event is waited for.</summary>
        internal bool IsAwaited { get; init; }

        internal bool IsSilent { get; set; }

        internal bool IsAway { get; set; }

        internal override void OnEvents(in Extensibility.Batch<T> batch) => next.OnEvents(in batch);

        internal override void OnWatermark(long watermark)
        {
            Watermark = watermark;
            source._began = source._began == long.MinValue ? watermark : source._began;
            source.Update();
        }

        internal override void OnCompleted() => throw new System.Diagnostics.UnreachableException();

        internal override void OnError(Exception error) => next.OnError(error);
    }
}
