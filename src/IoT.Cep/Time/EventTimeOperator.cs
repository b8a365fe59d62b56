using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Gives events their time and derives the watermark, of one source partition or in the middle of a stream. An event below the watermark
/// is preceded by that watermark, wherever a batch was cut, so results do not depend on batch borders.
/// </summary>
internal sealed class EventTimeOperator<T>(Operator<T> next, QueryContext query, EventTimeSpec<T> spec, TimeProvider clock, bool isLive, bool isSorted)
    : Operator<T, T>(next, query)
{
    /// <summary>
    /// A strategy's "nothing comes any more": behind the end of every window, and far enough from the last tick, which is nobody's watermark, that times can
    /// be added to it.
    /// </summary>
    private static readonly long _endOfTime = Ticks.Max + TimeWindows.Longest.Ticks + 1;

    private readonly BatchBuilder<T> _kept = new();
    private readonly WatermarkStrategy<T>? _strategy = spec.Strategy is { } create
        ? create() ?? throw new InvalidOperationException($"The watermark strategy is null: {spec.StrategyText}.")
        : null;

    private long[] _ticks = [];
    private long[] _marks = [];
    private long[] _keptMarks = [];
    private int _sinceWatermark;

    // State that checkpoints save: the latest time, the watermark that the events gave, and what silence made of it.
    private long _latest = long.MinValue;
    private long _given = long.MinValue;
    private long _watermark = long.MinValue;

    /// <summary>Events behind the watermark that the queries have seen.</summary>
    internal long Late { get; private set; }

    internal long FarFuture { get; private set; }

    /// <summary>Called for an event too far ahead, before it is left out.</summary>
    internal Action<T, long>? OnFarFuture { get; init; }

    /// <summary>The source's watermark, where this partition is one of several.</summary>
    internal SourceTime<T>? Source { get; init; }

    /// <summary>The queries on that source.</summary>
    internal FanOut<T>? Queries { get; init; }

    internal long Watermark => _watermark;

    internal long Latest => _latest;

    internal override bool IsStateful => true;

    /// <summary>Selectors and the strategy run over the whole batch before time moves.</summary>
    protected override bool IsAtomic => true;

    private bool HasCorrections => Queries?.HasCorrections ?? Query.HasCorrections;

    private bool HasMarks => spec.Marker is not null || _strategy is not null;

    /// <summary>Below this an event is late to whoever reads the stream.</summary>
    private long Floor => Source?.Watermark ?? _watermark;

    /// <summary>Lets time go on after silence.</summary>
    /// <param name="silentFor">Connected running time since the last event.</param>
    /// <remarks>
    /// With a transmission delay that varies by at most the disorder, no event still to come is before the latest time less the
    /// disorder plus the silence: the last event had at least the least delay, a later one has at most that plus the disorder.
    /// </remarks>
    internal void AdvanceIdle(TimeSpan silentFor)
    {
        if (_given != long.MinValue && silentFor >= spec.IdleAfter)
        {
            RaiseWatermark(Ticks.Plus(_given, silentFor.Ticks));
        }
    }

    protected override void Process(in Batch<T> batch)
    {
        var timed = batch;
        if (spec.Select is not null || spec.IsArrival)
        {
            AssignTicks(in batch);
            timed = new Batch<T>(batch.Events, _ticks.AsSpan(0, batch.Length)) { Ids = batch.Ids, Kinds = batch.Kinds };
        }

        SelectMarkers(batch.Events);
        long limit = isLive && !spec.IsArrival ? Ticks.Plus(Ticks.From(clock.GetUtcNow()), spec.MaxFuture.Ticks) : long.MaxValue;
        if (isLive && HasFuture(in timed, limit))
        {
            LeaveOutFuture(in timed, limit);
            Observe(_kept.Batch, _keptMarks, limit);
            ReportFuture(in timed, limit);
            Push(_kept.Batch, _keptMarks);
            return;
        }

        Observe(in timed, _marks, limit);
        Push(in timed, _marks);
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
        writer.Int64(_given);
        writer.Int64(_watermark);
        _strategy?.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        _latest = reader.Int64();
        _given = reader.Int64();
        _watermark = reader.Int64();
        _strategy?.Load(reader);
    }

    protected override void Release()
    {
        _kept.Dispose();
        Pooled.Return(ref _ticks, 0);
        Pooled.Return(ref _marks, 0);
        Pooled.Return(ref _keptMarks, 0);
    }

    private void AssignTicks(in Batch<T> batch)
    {
        Pooled.Ensure(ref _ticks, batch.Length);
        if (spec.IsArrival)
        {
            // Arrival never steps back, even where the wall clock does.
            _ticks.AsSpan(0, batch.Length).Fill(Math.Max(Ticks.From(clock.GetUtcNow()), Math.Max(_latest, Source?.Latest ?? long.MinValue)));
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

    private void SelectMarkers(ReadOnlySpan<T> events)
    {
        if (!HasMarks)
        {
            return;
        }

        Pooled.Ensure(ref _marks, events.Length);
        if (spec.Marker is { } marker)
        {
            for (int i = 0; i < events.Length; i++)
            {
                _marks[i] = marker(events[i]) is { } time ? Ticks.From(time) : long.MinValue;
            }
        }
    }

    private bool HasFuture(in Batch<T> batch, long limit) => batch.Ticks.ContainsAnyExceptInRange(long.MinValue, limit)
        || (spec.Marker is not null && _marks.AsSpan(0, batch.Length).ContainsAnyExceptInRange(long.MinValue, limit));

    private bool IsFuture(in Batch<T> batch, int i, long limit) => batch.Ticks[i] > limit || (spec.Marker is not null && _marks[i] > limit);

    private void LeaveOutFuture(in Batch<T> batch, long limit)
    {
        _kept.Begin(in batch);
        if (HasMarks)
        {
            Pooled.Ensure(ref _keptMarks, batch.Length);
        }

        for (int i = 0; i < batch.Length; i++)
        {
            if (IsFuture(in batch, i, limit))
            {
                continue;
            }

            _kept.Events[_kept.Count] = batch.Events[i];
            _kept.Ticks[_kept.Count] = batch.Ticks[i];
            if (spec.Marker is not null)
            {
                _keptMarks[_kept.Count] = _marks[i];
            }

            _kept.CopyOptional(in batch, i, _kept.Count++);
        }
    }

    /// <summary>Once no user code of this batch can throw any more: a batch that is entered again must not report twice.</summary>
    private void ReportFuture(in Batch<T> batch, long limit)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            if (IsFuture(in batch, i, limit))
            {
                FarFuture++;
                OnFarFuture?.Invoke(batch.Events[i], Math.Max(batch.Ticks[i], spec.Marker is null ? long.MinValue : _marks[i]));
            }
        }
    }

    private void Observe(in Batch<T> batch, long[] marks, long limit)
    {
        if (_strategy is null || batch.Length == 0)
        {
            return;
        }

        var watermarks = marks.AsSpan(0, batch.Length);
        watermarks.Fill(long.MinValue);
        _strategy.Observe(in batch, watermarks);
        foreach (ref long watermark in watermarks)
        {
            watermark = Math.Min(watermark, Math.Min(limit, _endOfTime));
        }
    }

    private void Push(in Batch<T> batch, long[] marks)
    {
        if (batch.Length == 0)
        {
            return;
        }

        if (HasMarks)
        {
            PushMarked(in batch, marks.AsSpan(0, batch.Length));
        }
        else
        {
            PushBounded(in batch);
        }

        _sinceWatermark += batch.Length;
        RaiseWatermark(_given);

        // A source says it itself, to each query apart, once all its partitions are looked at.
        if (Source is null && _sinceWatermark >= Query.EventsPerWatermark && _watermark > long.MinValue)
        {
            _sinceWatermark = 0;
            Next.OnWatermark(_watermark);
        }
    }

    private void PushBounded(in Batch<T> batch)
    {
        long disorder = spec.MaxDisorder.Ticks;
        if (_latest == long.MinValue)
        {
            // The first watermark is that of the first event alone, wherever the first batch ends.
            _latest = batch.Ticks[0];
            RaiseWatermark(Ticks.Minus(_latest, disorder));
        }

        bool repeats = HasCorrections;
        if (isSorted && !(repeats && batch.Ticks[0] < Floor))
        {
            _latest = Math.Max(_latest, batch.Ticks[^1]);
            _given = Ticks.Minus(_latest, disorder);
            Next.OnEvents(new Batch<T>(batch.Events, batch.Ticks) { IsSorted = true });
            return;
        }

        int pushed = 0;
        long latest = _latest, watermark = Ticks.Minus(latest, disorder), late = Math.Max(watermark, Floor);
        var ticks = batch.Ticks;
        for (int i = 0; i < ticks.Length; i++)
        {
            if (ticks[i] > latest)
            {
                latest = ticks[i];
                watermark = Ticks.Minus(latest, disorder);
                late = Math.Max(watermark, late);
            }

            if (ticks[i] < late)
            {
                pushed = PushBefore(in batch, pushed, i, watermark);
                pushed = repeats ? PushLate(in batch, pushed, i) : pushed;
                late = Math.Max(watermark, Floor);
            }
        }

        _latest = latest;
        _given = watermark;
        if (pushed < batch.Length)
        {
            Next.OnEvents(pushed == 0 ? batch : batch.Slice(pushed, batch.Length - pushed));
        }
    }

    private void PushMarked(in Batch<T> batch, ReadOnlySpan<long> marks)
    {
        int pushed = 0;
        bool repeats = HasCorrections;
        long latest = _latest, watermark = _given, floor = Floor;
        var ticks = batch.Ticks;
        for (int i = 0; i < ticks.Length; i++)
        {
            latest = Math.Max(latest, ticks[i]);
            if (ticks[i] < watermark || ticks[i] < floor)
            {
                pushed = PushBefore(in batch, pushed, i, watermark);
                pushed = repeats ? PushLate(in batch, pushed, i) : pushed;
                floor = Floor;
            }

            watermark = Math.Max(watermark, marks[i]);
            if (_watermark == long.MinValue && watermark > long.MinValue)
            {
                // The first watermark stands behind the event that gave it, wherever the batch ends.
                if (i >= pushed)
                {
                    Next.OnEvents(batch.Slice(pushed, i + 1 - pushed));
                    pushed = i + 1;
                }

                RaiseWatermark(watermark);
            }
        }

        _latest = latest;
        _given = watermark;
        if (pushed < batch.Length)
        {
            Next.OnEvents(batch.Slice(pushed, batch.Length - pushed));
        }
    }

    /// <summary>An event below the watermark is preceded by it, and by what came before; gives the index of the first event not pushed.</summary>
    private int PushBefore(in Batch<T> batch, int pushed, int i, long watermark)
    {
        if (i > pushed && watermark > _watermark)
        {
            Next.OnEvents(batch.Slice(pushed, i - pushed));
            pushed = i;
            RaiseWatermark(watermark);
        }

        Late += batch.Ticks[i] < Floor ? 1 : 0;
        return pushed;
    }

    /// <summary>A late event is followed by the watermark below which it is, so that what it corrects goes out, and before what the next one corrects.</summary>
    private int PushLate(in Batch<T> batch, int pushed, int i)
    {
        if (batch.Ticks[i] >= Floor)
        {
            return pushed;
        }

        Next.OnEvents(batch.Slice(pushed, i + 1 - pushed));
        if (Queries is not null)
        {
            Queries.RepeatBehindLate(Floor);
        }
        else
        {
            Next.OnWatermark(Floor);
        }

        return i + 1;
    }

    private void RaiseWatermark(long watermark)
    {
        if (watermark > _watermark)
        {
            _watermark = watermark;
            _sinceWatermark = 0;
            Next.OnWatermark(watermark);
        }
    }
}
