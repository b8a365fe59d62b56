using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// An operator that sees events in order of time, ties in order of arrival: an event is held until the watermark reaches it. Where the stream is
/// in order already, events pass without being held.
/// </summary>
internal abstract class OrderedOperator<T, TResult>(Operator<TResult> next, QueryContext query, bool isOrdered)
    : Operator<T, TResult>(next, query), IHoldsEvents<T>
{
    private BatchBuilder<T>? _sorted;
    private (long Ticks, int Index)[] _order = [];

    // State that checkpoints save: what is held, and the time.
    private readonly BatchBuilder<T> _held = new();
    private long _watermark = long.MinValue;
    private bool _heldInOrder = true;

    protected long Watermark => _watermark;

    internal override bool IsStateful => true;

    int IHoldsEvents<T>.HeldEvents => _held.Count;

    (T Value, long Ticks) IHoldsEvents<T>.HeldAt(int index) => (_held.Events[index], _held.Ticks[index]);

    protected override void Process(in Batch<T> batch)
    {
        if (batch.IsSorted ? batch.Ticks[0] >= _watermark : !batch.Ticks.ContainsAnyExceptInRange(_watermark, long.MaxValue))
        {
            Take(in batch);
            return;
        }

        for (int i = 0; i < batch.Length; i++)
        {
            if (batch.Ticks[i] < _watermark)
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
        if (watermark > _watermark)
        {
            Release(watermark);
            _watermark = watermark;
        }

        OnTime(watermark);
        Next.OnWatermark(watermark);
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
        var codec = _held.Count > 0 ? StateCodec.Require<T>() : null;
        writer.Int64(_watermark);
        writer.Int32(_held.Count);
        for (int i = 0; i < _held.Count; i++)
        {
            writer.Int64(_held.Ticks[i]);
            codec!.Write(writer, _held.Events[i]);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        int count = reader.Int32();
        for (; count > 0; count--)
        {
            long ticks = reader.Int64();
            var value = StateCodec.Require<T>().Read(reader);
            if (OwnsOnLoad(value))
            {
                Hold(new Batch<T>(new ReadOnlySpan<T>(in value), new ReadOnlySpan<long>(in ticks)));
            }
        }
    }

    /// <summary>Whether a held event of saved state belongs to this shard.</summary>
    protected abstract bool OwnsOnLoad(T value);

    protected override void Release()
    {
        _held.Dispose();
        _sorted?.Dispose();
    }

    private void Take(in Batch<T> batch)
    {
        if (isOrdered && _held.Count == 0)
        {
            ProcessRecovering(in batch);
        }
        else
        {
            Hold(in batch);
        }
    }

    private void Hold(in Batch<T> batch)
    {
        if (_held.Count == 0)
        {
            _held.Begin(batch.Length);
            _heldInOrder = true;
        }

        long last = _held.Count > 0 ? _held.Ticks[_held.Count - 1] : long.MinValue;
        foreach (long ticks in batch.Ticks)
        {
            _heldInOrder &= ticks >= last;
            last = ticks;
        }

        // Identity and kind end here: what comes out is about several events.
        _held.Append(new Batch<T>(batch.Events, batch.Ticks));
    }

    private void Release(long watermark)
    {
        if (_held.Count == 0)
        {
            return;
        }

        var ready = _heldInOrder ? _held : Sort();
        int count = ready.Ticks.AsSpan(0, ready.Count).BinarySearch(new Bound(watermark));
        count = count < 0 ? ~count : count;
        if (count > 0)
        {
            ProcessRecovering(ready.Batch.Slice(0, count));
        }

        Keep(ready, count);
    }

    private void ProcessRecovering(in Batch<T> batch)
    {
        // User errors recover here: positions are in this batch, not in the one that came in.
        var rest = batch;
        while (rest.Length > 0)
        {
            try
            {
                Position = 0;
                ProcessOrdered(in rest);
                return;
            }
            catch (Exception error) when (error is not QueryException)
            {
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
            }
        }
    }

    private void Keep(BatchBuilder<T> ready, int from)
    {
        var rest = ready.Batch.Slice(from, ready.Count - from);
        if (ReferenceEquals(ready, _held))
        {
            int count = rest.Length;
            rest.Events.CopyTo(_held.Events);
            rest.Ticks.CopyTo(_held.Ticks);
            _held.Events.AsSpan(count, _held.Count - count).Clear();
            _held.Count = count;
            return;
        }

        _held.Clear();
        _held.Begin(rest.Length);
        _held.Append(in rest);
        _heldInOrder = true;
        ready.Clear();
    }

    private BatchBuilder<T> Sort()
    {
        if (_order.Length < _held.Count)
        {
            _order = new (long, int)[Math.Max(_held.Count, _order.Length * 2)];
        }

        var order = _order.AsSpan(0, _held.Count);
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = (_held.Ticks[i], i);
        }

        order.Sort(static (a, b) => a.Ticks != b.Ticks ? a.Ticks.CompareTo(b.Ticks) : a.Index.CompareTo(b.Index));
        var sorted = _sorted ??= new BatchBuilder<T>();
        sorted.Begin(_held.Count);
        foreach (var (ticks, index) in order)
        {
            sorted.Events[sorted.Count] = _held.Events[index];
            sorted.Ticks[sorted.Count++] = ticks;
        }

        return sorted;
    }

    /// <summary>Finds the end of those at or before a time: nothing is equal to the bound.</summary>
    private readonly struct Bound(long ticks) : IComparable<long>
    {
        public int CompareTo(long other) => ticks < other ? -1 : 1;
    }
}

/// <summary>An operator whose saved state has events that it has not processed yet.</summary>
internal interface IHoldsEvents<T>
{
    int HeldEvents { get; }

    (T Value, long Ticks) HeldAt(int index);
}
