using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A verb that holds each key's latest event until it is due.</summary>
internal abstract record HeldLatestNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key) : KeyedNode<TKey, T, T>(Source, Key)
    where TKey : notnull
{
    /// <summary>Whether an event puts off when its key is due, or only the first of those held does.</summary>
    internal virtual bool Postpones => false;

    /// <summary>Whether the end of the input gives out what is held, as it fires open windows; a timer beyond the last event does not run then.</summary>
    internal virtual bool FiresAtEnd => false;

    /// <summary>When an event is due. Of a later event it is not earlier.</summary>
    internal abstract long DueOf(long ticks);

    /// <summary>The result's time: not before any watermark before the one at which it is due.</summary>
    internal virtual long ResultTimeOf(long due) => due;

    internal override void Build(Plan plan, Operator<T> next) =>
        plan.BuildKeyed(this, Input, Key, next, (output, keys) => new HeldLatestOperator<TKey, T>(output, plan.Query, this, keys));
}

internal sealed class HeldLatestOperator<TKey, T>(Operator<T> next, QueryContext query, HeldLatestNode<TKey, T> node, KeyRange keys)
    : OrderedOperator<T, T>(next, query, node.Input.IsOrdered)
    where TKey : notnull
{
    private readonly OrderedOutput<T> _output = new(next);

    // State that checkpoints save: each key's latest event, due to be given out.
    private readonly DueKeys<TKey, T> _latest = new(node.Key.MaxKeys);

    /// <summary>How many keys have an event that is not due yet.</summary>
    internal int Held => _latest.Count;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            Hold(in batch.Events[i], batch.Ticks[i]);
        }
    }

    protected override void OnTime(long watermark)
    {
        while (_latest.IsDue(watermark))
        {
            Emit(_latest.First);
            _latest.Remove(_latest.First);
        }

        _output.Flush();
    }

    protected override void OnEnd()
    {
        if (node.FiresAtEnd)
        {
            OnTime(long.MaxValue);
        }

        _output.Flush();
    }

    protected override bool OwnsOnLoad(T value) => keys.Owns(node.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        var (keyCodec, codec) = (StateCodec.Require<TKey>(), StateCodec.Require<T>());
        writer.Int32(_latest.Count);
        for (int i = _latest.First; i >= 0; i = _latest.NextOf(i))
        {
            keyCodec.Write(writer, _latest.KeyAt(i));
            codec.Write(writer, _latest.StateAt(i));
            writer.Int64(_latest.DueAt(i));
        }

        _output.Save(writer, static (w, value) => StateCodec.Require<T>().Write(w, value), static (_, _) => { });
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        var (keyCodec, codec) = (StateCodec.Require<TKey>(), StateCodec.Require<T>());
        var loaded = new List<(TKey, byte, long, T)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var (key, value, due) = (keyCodec.Read(reader), codec.Read(reader), reader.Int64());
            byte group = (byte)StableHash.GroupOf(key);
            if (keys.Contains(group))
            {
                loaded.Add((key, group, due, value));
            }
        }

        _latest.Merge(loaded);
        _output.Load(reader, keys, static r => StateCodec.Require<T>().Read(r), static _ => null);
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
    }

    /// <summary>Only the event's own key is looked at, so that what other keys' events do to it does not depend on which of them share a shard.</summary>
    private void Hold(in T value, long ticks)
    {
        var key = node.Key.Select(value);
        int index = _latest.Find(key, out uint hash);
        if (index < 0)
        {
            index = _latest.Add(key, hash, (byte)StableHash.GroupOf(key), node.DueOf(ticks));
        }
        else
        {
            bool isDue = _latest.DueAt(index) <= ticks;
            if (isDue)
            {
                Emit(index);
            }

            if (isDue || node.Postpones)
            {
                _latest.Postpone(index, node.DueOf(ticks));
            }
        }

        _latest.StateAt(index) = value;
    }

    private void Emit(int index) => _output.Add(_latest.StateAt(index), node.ResultTimeOf(_latest.DueAt(index)), _latest.GroupAt(index));
}
