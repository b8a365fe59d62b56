using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The events that no window of their key takes any more, where each key keeps a time of its own: the same rule as the windows', from a time beside theirs.</summary>
internal sealed record LateOfKeyNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, WindowSpec Spec) : StreamNode<T, T>(Source)
    where TKey : notnull
{
    internal override string Text => $"Late for {Spec} {Key.By} in its own time";

    internal override bool IsOrdered => false;

    internal override bool BeginsAtOneSource => false;

    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildKeyed(
        this, Input, Key, next, (output, keys) => new LateOfKeyOperator<TKey, T>(output, plan.Query, this, keys), usesKeyTime: true);
}

internal sealed class LateOfKeyOperator<TKey, T>(Operator<T> next, QueryContext query, LateOfKeyNode<TKey, T> node, KeyRange keys) : Operator<T, T>(next, query)
    where TKey : notnull
{
    private readonly KeyTimelineSpec _time = node.Key.Timeline!;
    private readonly OrderedOutput<T> _output = new(next);
    private long _nextForget;

    // State that checkpoints save.
    private readonly KeyedMap<TKey, KeyTimeline> _keys = new(node.Key.MaxKeys);
    private long _running;

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            var id = node.Key.Select(batch.Events[i]);
            if (_keys.Count >= node.Key.MaxKeys && _running >= _nextForget && Unsafe.IsNullRef(ref _keys.Find(id)))
            {
                Forget();
            }

            ref var time = ref _keys.GetOrAdd(id, out _);
            time.Advance(_running, _time);
            time = time.IsSpent(_running, _time, node.Spec) ? default : time;
            bool isLate = node.Spec.IsPast(batch.Ticks[i], time.Watermark);
            time.Observe(batch.Ticks[i], _running, _time.MaxDisorder.Ticks);
            if (isLate)
            {
                _output.Add(batch.Events[i], batch.Ticks[i], (byte)StableHash.GroupOf(id));
            }
        }
    }

    internal override void OnRunningTime(long running) => _running = running;

    protected override void Advance(long watermark)
    {
        _output.Flush();
        Next.OnWatermark(watermark);
    }

    protected override void Complete()
    {
        _output.Flush();
        Next.OnCompleted();
    }

    internal override void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<TKey>();
        writer.Int64(_running);
        writer.Int32(_keys.Count);
        foreach (ref var entry in _keys.Entries)
        {
            codec.Write(writer, entry.Key);
            entry.State.Save(writer);
        }

        _output.Save(writer, static (w, value) => StateCodec.Require<T>().Write(w, value), static (_, _) => { });
    }

    internal override void Load(StateReader reader)
    {
        var codec = StateCodec.Require<TKey>();
        _running = Math.Max(_running, reader.Int64());
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = codec.Read(reader);
            var time = KeyTimeline.Load(reader);
            if (keys.Contains(StableHash.GroupOf(id)))
            {
                _keys.GetOrAdd(id, out _) = time;
            }
        }

        _output.Load(reader, keys, static r => StateCodec.Require<T>().Read(r), static _ => null);
    }

    protected override void Release() => _output.Dispose();

    /// <summary>There is no room: the keys that are to be forgotten make it.</summary>
    private void Forget()
    {
        _nextForget = Ticks.Plus(_running, _time.LookEvery);
        var kept = new List<(TKey Key, KeyTimeline Time)>();
        foreach (ref var entry in _keys.Entries)
        {
            var time = entry.State;
            time.Advance(_running, _time);
            if (!time.IsSpent(_running, _time, node.Spec))
            {
                kept.Add((entry.Key, entry.State));
            }
        }

        _keys.Clear();
        kept.ForEach(key => _keys.GetOrAdd(key.Key, out _) = key.Time);
    }
}
