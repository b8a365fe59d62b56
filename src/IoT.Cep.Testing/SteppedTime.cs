namespace IoT.Cep.Testing;

/// <summary>A clock that stands still until a contract moves it, and that knows which timers wait.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<Timer> _timers = [];
    private long _now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;
    private long _changes;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Counts each timer that was set or taken back: when it stands still, nobody is about to set one.</summary>
    internal long Changes => Interlocked.Read(ref _changes);

    /// <summary>How long until the first timer is due; null: none waits.</summary>
    internal TimeSpan? NextDue
    {
        get
        {
            lock (_gate)
            {
                long due = _timers.Count == 0 ? long.MaxValue : _timers.Min(t => t.Due);
                return due == long.MaxValue ? null : TimeSpan.FromTicks(due - _now);
            }
        }
    }

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _now), TimeSpan.Zero);

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    internal void Advance(TimeSpan by)
    {
        long end = GetTimestamp() + by.Ticks;
        while (true)
        {
            Timer? due;
            lock (_gate)
            {
                due = _timers.Where(t => t.Due <= end).MinBy(t => t.Due);
                Interlocked.Exchange(ref _now, due is null ? end : Math.Max(_now, due.Due));
                due?.Next();
            }

            if (due is null)
            {
                return;
            }

            due.Fire();
        }
    }

    private sealed class Timer(SteppedTime clock, TimerCallback callback, object? state) : ITimer
    {
        private long _period;

        internal long Due { get; private set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                Due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock._now + dueTime.Ticks;
                _period = period == Timeout.InfiniteTimeSpan ? 0 : period.Ticks;
                clock._timers.Remove(this);
                if (Due != long.MaxValue)
                {
                    clock._timers.Add(this);
                }

                Interlocked.Increment(ref clock._changes);
            }

            return true;
        }

        public void Dispose()
        {
            lock (clock._gate)
            {
                clock._timers.Remove(this);
                Interlocked.Increment(ref clock._changes);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        internal void Next()
        {
            if (_period > 0)
            {
                Due += _period;
            }
            else
            {
                Due = long.MaxValue;
                clock._timers.Remove(this);
            }
        }

        internal void Fire() => callback(state);
    }
}
