using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Gives events their time and derives the watermark: the latest time seen less the allowed disorder. An event below the watermark
/// is preceded by that watermark, wherever a batch was cut, so results do not depend on batch borders.
/// </summary>
internal sealed class EventTimeOperator<T>(Operator<T> next, QueryContext query, EventTimeSpec<T> spec, TimeProvider clock, bool isLive, bool isSorted)
    : Operator<T, T>(next, query)
{
    private readonly BatchBuilder<T> _kept = new();
    private long[] _ticks = [];

    // State that checkpoints save.
    private long _latest = long.MinValue;
    private long _watermark = long.MinValue;

    internal long Late { get; private set; }

    internal long FarFuture { get; private set; }

    /// <summary>Called for an event too far ahead, before it is left out.</summary>
    internal Action<T, long>? OnFarFuture { get; init; }

    internal long Watermark => _watermark;

    internal long Latest => _latest;

    internal override bool IsStateful => true;

    /// <summary>Selectors run over the whole batch before time moves.</summary>
    protected override bool IsAtomic => true;

    /// <summary>Lets time go on after silence.</summary>
    /// <param name="silentFor">Connected running time since the last event.</param>
    /// <remarks>
    /// With a transmission delay that varies by at most the disorder, no event still to come is before the latest time less the
    /// disorder plus the silence: the last event had at least the least delay, a later one has at most that plus the disorder.
    /// </remarks>
    internal void AdvanceIdle(TimeSpan silentFor)
    {
        if (_latest != long.MinValue && silentFor >= spec.IdleAfter)
        {
            RaiseWatermark(Ticks.Minus(_latest, spec.MaxDisorder.Ticks) + silentFor.Ticks);
        }
    }

    protected override void Process(in Batch<T> batch)
    {
        if (spec.Select is null && !spec.IsArrival)
        {
            PushInOrder(in batch);
            return;
        }

        AssignTicks(in batch);
        var timed = new Batch<T>(batch.Events, _ticks.AsSpan(0, batch.Length)) { Ids = batch.Ids, Kinds = batch.Kinds };
        long limit = isLive && !spec.IsArrival ? Ticks.Plus(Ticks.From(clock.GetUtcNow()), spec.MaxFuture.Ticks) : long.MaxValue;
        if (timed.Ticks.ContainsAnyExceptInRange(long.MinValue, limit))
        {
            LeaveOutFuture(in timed, limit);
            PushInOrder(_kept.Batch);
            return;
        }

        PushInOrder(in timed);
    }

    protected override void Advance(long watermark)
    {
        // Whoever assigns time makes the watermarks as well; those of the input belong to another time.
    }

    protected override void Complete()
    {
        if (_latest != long.MinValue)
        {
            RaiseWatermark(_latest);
        }

        Next.OnCompleted();
    }

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_latest);
        writer.Int64(_watermark);
    }

    internal override void Load(StateReader reader)
    {
        _latest = reader.Int64();
        _watermark = reader.Int64();
    }

    protected override void Release()
    {
        _kept.Dispose();
        Pooled.Return(ref _ticks, 0);
    }

    private void AssignTicks(in Batch<T> batch)
    {
        if (_ticks.Length < batch.Length)
        {
            Pooled.Grow(ref _ticks, 0, Math.Max(batch.Length, 1024));
        }

        if (spec.IsArrival)
        {
            // Arrival never steps back, even where the wall clock does.
            _ticks.AsSpan(0, batch.Length).Fill(Math.Max(Ticks.From(clock.GetUtcNow()), _latest));
            return;
        }

        var select = spec.Select!;
        var events = batch.Events;
        var ticks = _ticks.AsSpan(0, events.Length);
        for (int i = 0; i < events.Length; i++)
        {
            ticks[i] = Ticks.From(select(events[i]));
        }
    }

    private void LeaveOutFuture(in Batch<T> batch, long limit)
    {
        _kept.Begin(in batch);
        for (int i = 0; i < batch.Length; i++)
        {
            if (batch.Ticks[i] > limit)
            {
                FarFuture++;
                OnFarFuture?.Invoke(batch.Events[i], batch.Ticks[i]);
                continue;
            }

            _kept.Events[_kept.Count] = batch.Events[i];
            _kept.Ticks[_kept.Count] = batch.Ticks[i];
            _kept.CopyOptional(in batch, i, _kept.Count++);
        }
    }

    private void PushInOrder(in Batch<T> batch)
    {
        if (batch.Length == 0)
        {
            return;
        }

        long disorder = spec.MaxDisorder.Ticks;
        if (_latest == long.MinValue)
        {
            // The first watermark is that of the first event alone, wherever the first batch ends.
            _latest = batch.Ticks[0];
            RaiseWatermark(Ticks.Minus(_latest, disorder));
        }

        if (isSorted)
        {
            _latest = Math.Max(_latest, batch.Ticks[^1]);
            Next.OnEvents(new Batch<T>(batch.Events, batch.Ticks) { IsSorted = true });
        }
        else
        {
            int pushed = PushBeforeLate(in batch, disorder);
            Next.OnEvents(pushed == 0 ? batch : batch.Slice(pushed, batch.Length - pushed));
        }

        RaiseWatermark(Ticks.Minus(_latest, disorder));
    }

    private int PushBeforeLate(in Batch<T> batch, long disorder)
    {
        int pushed = 0;
        long latest = _latest, watermark = Ticks.Minus(latest, disorder);
        var ticks = batch.Ticks;
        for (int i = 0; i < ticks.Length; i++)
        {
            if (ticks[i] > latest)
            {
                latest = ticks[i];
                watermark = Ticks.Minus(latest, disorder);
            }
            else if (ticks[i] < watermark)
            {
                Late++;
                if (i > pushed && watermark > _watermark)
                {
                    Next.OnEvents(batch.Slice(pushed, i - pushed));
                    pushed = i;
                    RaiseWatermark(watermark);
                }
            }
        }

        _latest = latest;
        return pushed;
    }

    private void RaiseWatermark(long watermark)
    {
        if (watermark > _watermark)
        {
            _watermark = watermark;
            Next.OnWatermark(watermark);
        }
    }
}
