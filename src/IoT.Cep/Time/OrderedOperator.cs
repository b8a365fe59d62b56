using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// An operator that sees events in order of time, ties in order of arrival: an event is held until the watermark reaches it. Where the stream is
/// in order already, events pass without being held. Of more than are allowed the earliest is taken before its time, as <c>Reorder</c> releases it.
/// </summary>
internal abstract class OrderedOperator<T, TResult>(Operator<TResult> next, QueryContext query, bool isOrdered)
    : Operator<T, TResult>(next, query), IHoldsEvents<T>
{
    private readonly BatchBuilder<T> _released = new();
    private long _watermark = long.MinValue;

    // State that checkpoints save: what is held, and the time before which nothing is taken any more: the watermark's, or that of what was released early.
    private readonly OrderBuffer<T> _held = new();
    private long _time = long.MinValue;

    protected long Watermark => _watermark;

    internal override bool IsStateful => true;

    int IHoldsEvents<T>.HeldEvents => _held.Count;

    (T Value, long Ticks) IHoldsEvents<T>.HeldAt(int index) => _held.At(index);

    protected override void Process(in Batch<T> batch)
    {
        if (_held.Count + batch.Length > Query.MaxHeldEvents && !(isOrdered && _held.Count == 0))
        {
            TakeMany(in batch);
            return;
        }

        if (batch.IsSorted ? batch.Ticks[0] >= _time : !batch.Ticks.ContainsAnyExceptInRange(_time, long.MaxValue))
        {
            Take(in batch);
            return;
        }

        for (int i = 0; i < batch.Length; i++)
        {
            if (batch.Ticks[i] < _time)
            {
                Interlocked.Increment(ref Query.LateEvents);
            }
            else
            {
                Take(batch.Slice(i, 1));
            }
        }
    }

    protected override void Advance(long watermark)
    {
        _time = Math.Max(_time, watermark);
        Release(_time);
        _watermark = Math.Max(_watermark, watermark);
        OnTime(_time);
        Next.OnWatermark(_time);
    }

    protected override void Complete()
    {
        Release(long.MaxValue);
        OnEnd();
        Next.OnCompleted();
    }

    /// <summary>Processes events in order of time. Sets <c>Position</c> before user code runs, and lets it run before state is touched.</summary>
    protected abstract void ProcessOrdered(in Batch<T> batch);

    /// <summary>All events up to this time have been processed; timers up to it are due.</summary>
    protected abstract void OnTime(long watermark);

    /// <summary>All events have been processed, and no more will come.</summary>
    protected abstract void OnEnd();

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_time);
        _held.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        _time = _watermark = Math.Max(_time, reader.Int64());
        _held.Load(reader, OwnsOnLoad);
    }

    /// <summary>Whether a held event of saved state belongs to this shard.</summary>
    protected abstract bool OwnsOnLoad(T value);

    protected override void Release()
    {
        _held.Dispose();
        _released.Dispose();
    }

    private void Take(in Batch<T> batch)
    {
        if (isOrdered && _held.Count == 0)
        {
            ProcessRecovering(in batch);
        }
        else
        {
            // Identity and kind end here: what comes out is about several events.
            _held.Add(in batch);
        }
    }

    /// <summary>One event after the other, so that what is released early, and what is late for it, does not depend on batch borders.</summary>
    private void TakeMany(in Batch<T> batch)
    {
        _released.Begin(0);
        for (int i = 0; i < batch.Length; i++)
        {
            if (batch.Ticks[i] < _time)
            {
                Interlocked.Increment(ref Query.LateEvents);
                continue;
            }

            _held.Add(in batch.Events[i], batch.Ticks[i]);
            while (_held.Count > Query.MaxHeldEvents)
            {
                Interlocked.Increment(ref Query.OverflowedEvents);
                _released.Ensure(_released.Count + 1);
                _released.Events[_released.Count] = _held.RemoveFirst(out long ticks);
                _released.Ticks[_released.Count++] = ticks;
                _time = Math.Max(_time, ticks);
            }
        }

        if (_released.Count > 0)
        {
            ProcessRecovering(_released.Batch);
        }

        _released.Clear();
    }

    private void Release(long watermark)
    {
        while (_held.Take(watermark, out var ready))
        {
            ProcessRecovering(in ready);
        }
    }

    private void ProcessRecovering(in Batch<T> batch)
    {
        // User errors recover here: positions are in this batch, not in the one that came in.
        var rest = batch;
        while (true)
        {
            try
            {
                Position = 0;
                ProcessOrdered(in rest);
                return;
            }
            catch (Exception error) when (error is not QueryException)
            {
                if (IsGivingOut)
                {
                    // Also where no event is left: the same event may have other results, which are given out now.
                    SkipResult(error);
                    rest = rest.Slice(Position, rest.Length - Position);
                    continue;
                }

                if (IsAtomic && rest.Length > 1)
                {
                    for (int i = 0; i < rest.Length; i++)
                    {
                        ProcessRecovering(rest.Slice(i, 1));
                    }

                    return;
                }

                Query.Fail(error, this, rest.Events[Position], rest.Ticks[Position]);
                rest = rest.Slice(Position + 1, rest.Length - Position - 1);
                if (rest.Length == 0)
                {
                    return;
                }
            }
        }
    }
}

/// <summary>An operator whose saved state has events that it has not processed yet.</summary>
internal interface IHoldsEvents<T>
{
    int HeldEvents { get; }

    (T Value, long Ticks) HeldAt(int index);
}
