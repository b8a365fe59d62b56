using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Runs a keyed operator in the time of each key: each key has an operator of its own, which is told the key's watermark as if it were a source's. So any verb
/// keeps a time for each key, at the price of an operator's state for each. Results go out at the source's next watermark, in order of time and key group.
/// </summary>
/// <remarks>Tumbling windows have an operator that keeps all keys in one table (<see cref="KeyedTimelineOperator{TKey, T, TState, TValue, TKernel, TResult}"/>).</remarks>
internal class OperatorPerKey<TKey, T, TResult> : Operator<T, TResult>
    where TKey : notnull
{
    private readonly KeySelector<TKey, T> _key;
    private readonly KeyTimelineSpec _time;
    private readonly KeyRange _owned;
    private readonly WindowSpec? _windows;
    private readonly Func<Operator<TResult>, Operator<T>> _make;
    private readonly OrderedOutput<TResult> _output;
    private readonly Collector _collector;
    private readonly List<Life> _due = [];
    private long _nextLook;

    // State that checkpoints save: each key's time and its operator's state, and results that wait.
    private readonly KeyedMap<TKey, Life?> _keys;
    private long _running;
    private long _newestSequence;

    /// <param name="next">Where results go.</param>
    /// <param name="query">The query.</param>
    /// <param name="key">The key, with its timeline.</param>
    /// <param name="owned">The key groups of this shard.</param>
    /// <param name="make">Makes a key's operator in front of where its results go.</param>
    /// <param name="windows">The windows that it runs: a key with one open is not forgotten. Null where it runs none.</param>
    internal OperatorPerKey(
        Operator<TResult> next, QueryContext query, KeySelector<TKey, T> key, KeyRange owned, Func<Operator<TResult>, Operator<T>> make, WindowSpec? windows)
        : base(next, query)
    {
        (_key, _time, _owned, _make, _windows) = (key, key.Timeline!, owned, make, windows);
        _keys = new KeyedMap<TKey, Life?>(key.MaxKeys);
        _output = new OrderedOutput<TResult>(next);
        _collector = new Collector(_output, next);
    }

    internal override bool IsStateful => true;

    internal override void OnRunningTime(long running) => _running = running;

    protected override void Process(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            var id = _key.Select(batch.Events[i]);
            var life = LifeOf(id);
            if (life.Time.Advance(_running, _time))
            {
                Tell(life);
            }

            if (IsSpent(life))
            {
                End(id, life);
                life = LifeOf(id);
            }

            long watermark = life.Time.Observe(batch.Ticks[i], _running, _time.MaxDisorder.Ticks);
            _collector.Group = life.Group;
            life.Operator.OnEvents(batch.Slice(i, 1));

            // Told again where it stands as well: corrections go out behind it.
            life.Operator.OnWatermark(watermark);
        }
    }

    protected override void Advance(long watermark)
    {
        if (_running >= _nextLook)
        {
            _nextLook = Ticks.Plus(_running, _time.LookEvery);
            LookForSilence();
        }

        _output.Flush();
        Next.OnWatermark(watermark);
    }

    protected override void Complete()
    {
        foreach (var life in InOrder(static _ => true))
        {
            Finish(life);
        }

        _output.Flush();
        Next.OnCompleted();
    }

    internal override void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<TKey>();
        writer.Int64(_running);
        writer.Int64(_nextLook);
        writer.Int32(_keys.Count);
        foreach (ref var entry in _keys.Entries)
        {
            var life = entry.State!;
            codec.Write(writer, entry.Key);
            life.Time.Save(writer);
            writer.Int64(life.Sequence);
            var state = new StateWriter();
            life.Operator.Save(state);
            writer.Bytes(state.Written.Span);
        }

        _output.Save(writer, static (w, value) => StateCodec.Require<TResult>().Write(w, value), static (w, id) => StateCodec.Require<TKey>().Write(w, (TKey)id!));
    }

    internal override void Load(StateReader reader)
    {
        var codec = StateCodec.Require<TKey>();
        _running = Math.Max(_running, reader.Int64());
        _nextLook = Math.Max(_nextLook, reader.Int64());
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = codec.Read(reader);
            var time = KeyTimeline.Load(reader);
            long sequence = reader.Int64();
            var state = reader.Bytes();
            _newestSequence = Math.Max(_newestSequence, sequence);
            if (_owned.Contains(StableHash.GroupOf(id)))
            {
                var life = LifeOf(id);
                (life.Time, life.Sequence) = (time, sequence);
                life.Operator.Load(new StateReader(state));
            }
        }

        _output.Load(reader, _owned, static r => StateCodec.Require<TResult>().Read(r), static r => StateCodec.Require<TKey>().Read(r));
    }

    protected override void Release()
    {
        foreach (ref var entry in _keys.Entries)
        {
            entry.State!.Operator.Dispose();
        }

        _output.Dispose();
    }

    /// <summary>A key has begun.</summary>
    private protected virtual void Began(TKey id, Operator<T> made)
    {
    }

    /// <summary>A key has ended.</summary>
    private protected virtual void Ended(TKey id)
    {
    }

    private Life LifeOf(TKey id)
    {
        ref var known = ref _keys.Find(id);
        if (!Unsafe.IsNullRef(ref known))
        {
            return known!;
        }

        if (_keys.Count >= _key.MaxKeys)
        {
            ForgetSpent();
        }

        ref var added = ref _keys.GetOrAdd(id, out _);
        var made = _make(_collector);
        made.StandFor(this);
        Began(id, made);
        return added = new Life(made, (byte)StableHash.GroupOf(id), ++_newestSequence);
    }

    /// <summary>Silence moves the time of keys on, and ends those that were silent for long.</summary>
    private void LookForSilence()
    {
        foreach (var life in InOrder(life => life.Time.Advance(_running, _time)))
        {
            Tell(life);
        }

        ForgetSpent();
    }

    private void ForgetSpent()
    {
        var spent = new List<(TKey Id, Life Life)>();
        foreach (ref var entry in _keys.Entries)
        {
            if (IsSpent(entry.State!))
            {
                spent.Add((entry.Key, entry.State!));
            }
        }

        spent.Sort(static (a, b) => a.Life.Sequence.CompareTo(b.Life.Sequence));
        foreach (var (id, life) in spent)
        {
            End(id, life);
        }
    }

    private bool IsSpent(Life life) => _windows is null
        ? life.Time.HasBegun && life.Time.IsSilent(_running, _time.ForgetAfter.Ticks)
        : life.Time.IsSpent(_running, _time, _windows);

    /// <summary>The key's events are over: what is open goes out, as at the end of an input.</summary>
    private void End(TKey id, Life life)
    {
        Finish(life);
        _keys.Remove(id);
        Ended(id);
        life.Operator.Dispose();
    }

    // No event comes any more, so time is where the latest one stood, as at the end of a source.
    private void Finish(Life life)
    {
        _collector.Group = life.Group;
        life.Operator.OnWatermark(Math.Max(life.Time.Watermark, life.Time.Latest));
        life.Operator.OnCompleted();
    }

    private void Tell(Life life)
    {
        _collector.Group = life.Group;
        life.Operator.OnWatermark(life.Time.Watermark);
    }

    /// <summary>Some keys in the order in which they began, whichever way they came into the map.</summary>
    private List<Life> InOrder(Func<Life, bool> isOne)
    {
        _due.Clear();
        foreach (ref var entry in _keys.Entries)
        {
            if (isOne(entry.State!))
            {
                _due.Add(entry.State!);
            }
        }

        _due.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        return _due;
    }

    /// <summary>A key from its first event to its end.</summary>
    private sealed class Life(Operator<T> made, byte group, long sequence)
    {
        internal KeyTimeline Time;

        internal Operator<T> Operator => made;

        internal byte Group => group;

        /// <summary>Which key began first.</summary>
        internal long Sequence { get; set; } = sequence;
    }

    /// <summary>Gathers the results of all keys. Their watermarks and ends are theirs alone.</summary>
    private sealed class Collector(OrderedOutput<TResult> output, Operator<TResult> next) : Operator<TResult>
    {
        internal byte Group { get; set; }

        internal override void OnEvents(in Batch<TResult> batch)
        {
            for (int i = 0; i < batch.Length; i++)
            {
                if (batch.Ids.IsEmpty)
                {
                    output.Add(batch.Events[i], batch.Ticks[i], Group);
                }
                else
                {
                    output.Add(batch.Events[i], batch.Ticks[i], Group, in batch.Ids[i], batch.Kinds.IsEmpty ? EventKind.Insert : batch.Kinds[i]);
                }
            }
        }

        internal override void OnWatermark(long watermark)
        {
        }

        internal override void OnCompleted()
        {
        }

        internal override void OnError(Exception error) => next.OnError(error);
    }
}

/// <summary>The same for patterns, which can be asked why they did not match.</summary>
internal sealed class MatcherPerKey<TKey, T, TResult> : OperatorPerKey<TKey, T, TResult>, ITellsWhyNot
    where TKey : notnull
{
    // Asked by any thread.
    private readonly ConcurrentDictionary<TKey, ITellsWhyNot> _asked = new();
    private readonly ITellsWhyNot _model;

    internal MatcherPerKey(
        Operator<TResult> next, QueryContext query, KeySelector<TKey, T> key, KeyRange owned, Func<Operator<TResult>, Operator<T>> make, ITellsWhyNot model)
        : base(next, query, key, owned, make, null) => _model = model;

    public bool Remembers => _model.Remembers;

    public IEnumerable<object> Shapes => _model.Shapes;

    public (int Length, WhyNot Why)? WhyNot(object key, long from, long to) =>
        key is TKey id && _asked.TryGetValue(id, out var one) ? one.WhyNot(key, from, to) : null;

    private protected override void Began(TKey id, Operator<T> made)
    {
        if (_model.Remembers)
        {
            _asked[id] = (ITellsWhyNot)made;
        }
    }

    private protected override void Ended(TKey id) => _asked.TryRemove(id, out _);
}
