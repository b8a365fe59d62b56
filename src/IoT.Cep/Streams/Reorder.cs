using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What <c>Reorder</c> does with one more event when it holds as many as allowed.</summary>
public enum ReorderOverflow
{
    /// <summary>The earliest one is given out before its time. Those still to come that are earlier than it are late then.</summary>
    ReleaseOldest,

    /// <summary>The event that came is left out; the late stream gives it, where there is one.</summary>
    DropNewest,

    /// <summary>The event that came fails, under the query's error policy: the query stops, or the event becomes a dead letter.</summary>
    Fail,
}

public static partial class EventStreamExtensions
{
    /// <summary>How many events <c>Reorder</c> holds where nothing else is said.</summary>
    public const int DefaultMaxReorderedEvents = 100_000;

    /// <summary>
    /// Puts events in order of time, ties in order of arrival: an event is held until the watermark reaches it, and the end of the input gives out
    /// what is held. Holds at most <paramref name="maxEvents"/>. Late events are left out and counted. What comes out is in order, so the verbs
    /// behind it that need order hold nothing more. A stream that is in order passes through. The events lose their identity.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="maxEvents">How many events are held at a time; an event and 28 bytes each.</param>
    /// <param name="whenFull">What happens to one more; each is counted in <see cref="Query.OverflowedEvents"/>.</param>
    public static IEventStream<T> Reorder<T>(
        this IEventStream<T> stream, int maxEvents = DefaultMaxReorderedEvents, ReorderOverflow whenFull = ReorderOverflow.ReleaseOldest) =>
        stream.Reorder(out _, maxEvents, whenFull);

    /// <summary>The same, and the events that came too late, in the order in which they came.</summary>
    /// <inheritdoc cref="Reorder{T}(IEventStream{T}, int, ReorderOverflow)"/>
    /// <param name="stream">The stream.</param>
    /// <param name="late">The events that are left out. A query over these alone holds the others as well, to know which are late.</param>
    /// <param name="maxEvents">How many events are held at a time; an event and 28 bytes each.</param>
    /// <param name="whenFull">What happens to one more; each is counted in <see cref="Query.OverflowedEvents"/>.</param>
    public static IEventStream<T> Reorder<T>(
        this IEventStream<T> stream, out IEventStream<T> late, int maxEvents = DefaultMaxReorderedEvents,
        ReorderOverflow whenFull = ReorderOverflow.ReleaseOldest)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var fork = new ReorderFork<T>(stream.Node, AtLeastOne(maxEvents), Defined(whenFull));
        late = new ReorderNode<T>(fork, IsLate: true).ToStream();
        return new ReorderNode<T>(fork, IsLate: false).ToStream();
    }

    /// <inheritdoc cref="Reorder{T}(IEventStream{T}, int, ReorderOverflow)"/>
    /// <typeparam name="TKey">The key's type; the stream stays keyed. All keys are put in one order.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Reorder<TKey, T>(
        this IKeyedStream<TKey, T> stream, int maxEvents = DefaultMaxReorderedEvents, ReorderOverflow whenFull = ReorderOverflow.ReleaseOldest)
        where TKey : notnull => stream.Reorder(out _, maxEvents, whenFull);

    /// <inheritdoc cref="Reorder{T}(IEventStream{T}, out IEventStream{T}, int, ReorderOverflow)"/>
    /// <typeparam name="TKey">The key's type; both streams stay keyed. All keys are put in one order.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Reorder<TKey, T>(
        this IKeyedStream<TKey, T> stream, out IKeyedStream<TKey, T> late, int maxEvents = DefaultMaxReorderedEvents,
        ReorderOverflow whenFull = ReorderOverflow.ReleaseOldest)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        var fork = new ReorderFork<T>(stream.Node, AtLeastOne(maxEvents), Defined(whenFull));
        late = new KeyedStream<TKey, T>(new ReorderNode<T>(fork, IsLate: true), stream.Key);
        return new KeyedStream<TKey, T>(new ReorderNode<T>(fork, IsLate: false), stream.Key);
    }
}

internal sealed class ReorderFork<T> : Fork<T>
{
    internal ReorderFork(StreamNode<T> input, int maxEvents, ReorderOverflow whenFull)
        : base(input)
    {
        input.RequireAppendOnly("Reorder");
        (MaxEvents, WhenFull) = (maxEvents, whenFull);
    }

    internal int MaxEvents { get; }

    internal ReorderOverflow WhenFull { get; }

    internal override string Text => FormattableString.Invariant($"Reorder, at most {MaxEvents:N0} events, then {WhenFull}");

    internal override ForkOperator<T> Make(Operator<T> first, QueryContext query) => new ReorderOperator<T>(first, query, this);
}

internal sealed record ReorderNode<T>(ReorderFork<T> Fork, bool IsLate) : StreamNode<T, T>(Fork.Input)
{
    internal override string Text => IsLate ? $"Late for {Fork.Text}" : Fork.Text;

    internal override bool IsOrdered => !IsLate;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => false;

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildOutput(this, Fork, IsLate ? ReorderOperator<T>.Late : ReorderOperator<T>.Ordered, next);
}

internal sealed class ReorderOperator<T>(Operator<T> first, QueryContext query, ReorderFork<T> fork) : ForkOperator<T>(2, first, query)
{
    internal const int Ordered = 0;
    internal const int Late = 1;

    private readonly BatchBuilder<T> _released = new();
    private readonly BatchBuilder<T> _late = new();

    // State that checkpoints save: what is held, and the time before which nothing may come out any more.
    private readonly TimeHeap<T> _held = new();
    private long _frontier = long.MinValue;

    internal override bool IsStateful => true;

    /// <summary>How many events are held.</summary>
    internal int Held => _held.Count;

    protected override void Process(in Batch<T> batch)
    {
        if (fork.Input.IsOrdered && _held.Count == 0 && !batch.Ticks.ContainsAnyExceptInRange(_frontier, long.MaxValue))
        {
            Emit(Ordered, new Batch<T>(batch.Events, batch.Ticks) { IsSorted = batch.IsSorted });
            return;
        }

        _released.Begin(0);
        _late.Begin(batch.Length);
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            Take(in batch.Events[i], batch.Ticks[i]);
        }

        GiveOut();
    }

    protected override void Advance(long watermark)
    {
        _released.Begin(0);
        Release(watermark);
        _frontier = Math.Max(_frontier, watermark);
        base.Advance(_frontier);
    }

    protected override void Complete()
    {
        _released.Begin(0);
        Release(long.MaxValue);
        base.Complete();
    }

    internal override void Save(StateWriter writer)
    {
        var codec = _held.Count > 0 ? StateCodec.Require<T>() : null;
        writer.Int64(_frontier);
        writer.Int32(_held.Count);
        foreach (var (value, ticks) in _held.InOrder())
        {
            writer.Int64(ticks);
            codec!.Write(writer, value);
        }
    }

    internal override void Load(StateReader reader)
    {
        _frontier = reader.Int64();
        for (int count = reader.Int32(); count > 0; count--)
        {
            long ticks = reader.Int64();
            _held.Add(StateCodec.Require<T>().Read(reader), ticks);
        }
    }

    protected override void Release()
    {
        _released.Dispose();
        _late.Dispose();
    }

    private void Take(in T value, long ticks)
    {
        if (ticks < _frontier)
        {
            // A query over the late events alone is not the one that could not use them.
            if (IsUsed(Ordered))
            {
                Interlocked.Increment(ref Query.LateEvents);
            }

            LeaveOut(in value, ticks);
        }
        else if (_held.Count < fork.MaxEvents)
        {
            _held.Add(value, ticks);
        }
        else
        {
            Overflow(in value, ticks);
        }
    }

    private void Overflow(in T value, long ticks)
    {
        Interlocked.Increment(ref Query.OverflowedEvents);
        switch (fork.WhenFull)
        {
            case ReorderOverflow.ReleaseOldest:
                _held.Add(value, ticks);
                ReleaseFirst();
                break;
            case ReorderOverflow.DropNewest:
                LeaveOut(in value, ticks);
                break;
            default:
                GiveOut();
                throw new InvalidOperationException(
                    $"Reorder holds {fork.MaxEvents:N0} events, as many as allowed: the watermark does not reach them. Raise maxEvents, lower maxDisorder, or choose another ReorderOverflow.");
        }
    }

    private void LeaveOut(in T value, long ticks)
    {
        _late.Events[_late.Count] = value;
        _late.Ticks[_late.Count++] = ticks;
    }

    private void ReleaseFirst()
    {
        _released.Ensure(_released.Count + 1);
        _released.Events[_released.Count] = _held.RemoveFirst(out _frontier);
        _released.Ticks[_released.Count++] = _frontier;
    }

    private void Release(long watermark)
    {
        while (_held.Count > 0 && _held.FirstTicks <= watermark)
        {
            ReleaseFirst();
            if (_released.Count == EventBuffer<T>.DefaultCapacity)
            {
                Emit(Ordered, _released.Batch);
                _released.Clear();
            }
        }

        Emit(Ordered, _released.Batch);
        _released.Clear();
    }

    /// <summary>What was released early is followed by a watermark: nothing before it comes out any more, whatever the source says.</summary>
    private void GiveOut()
    {
        Emit(Late, _late.Batch);
        _late.Clear();
        if (_released.Count > 0)
        {
            Emit(Ordered, _released.Batch);
            _released.Clear();
            base.Advance(_frontier);
        }
    }
}
