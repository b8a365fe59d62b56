using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What a verb does with one event of a key, given what it remembers of that key. The state is a copy: it is kept only where nothing threw.
/// </summary>
internal interface IKeyedStep<T, TState, TResult>
{
    /// <summary>Looks at an event; user code runs here, before anything that the state refers to is changed.</summary>
    /// <returns>Whether there is a result.</returns>
    bool Take(in T value, long ticks, bool isFirst, ref TState state, out TResult result);

    /// <summary>The key is forgotten.</summary>
    void Forget(ref TState state);

    void Write(StateWriter writer, in TState state);

    TState Read(StateReader reader);
}

/// <summary>A keyed operator whose results are about several events, in order of time.</summary>
internal abstract record KeyedNode<TKey, T, TResult>(StreamNode<T> Source, KeySelector<TKey, T> Key) : StreamNode<T, TResult>(Source)
    where TKey : notnull
{
    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => false;

    internal override bool IsOrdered => Key.Timeline is null;
}

/// <summary>Applies a step to each event of a key in order of time. A key is forgotten when it had no event for so long.</summary>
internal sealed class KeyedStepOperator<TKey, T, TState, TResult, TStep>(
    Operator<TResult> next, QueryContext query, KeyedNode<TKey, T, TResult> node, TimeSpan forgetAfter, TStep step, KeyRange keys)
    : OrderedOperator<T, TResult>(next, query, node.Input.IsOrdered)
    where TKey : notnull
    where TStep : struct, IKeyedStep<T, TState, TResult>
{
    private readonly OrderedOutput<TResult> _output = new(next);

    // State that checkpoints save: each key's state, due to be forgotten.
    private readonly DueKeys<TKey, TState> _states = new(node.Key.MaxKeys);

    /// <summary>How many keys are remembered.</summary>
    internal int Keys => _states.Count;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            long ticks = batch.Ticks[i];
            ref readonly var value = ref batch.Events[i];

            // Whether a key is still known follows from the events' times alone, wherever the watermark stands.
            Forget(ticks);
            Take(in value, ticks);
        }
    }

    protected override void OnTime(long watermark)
    {
        Forget(watermark);
        _output.Flush();
    }

    protected override void OnEnd() => _output.Flush();

    protected override bool OwnsOnLoad(T value) => keys.Owns(node.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        var codec = StateCodec.Require<TKey>();
        writer.Int32(_states.Count);
        for (int i = _states.First; i >= 0; i = _states.NextOf(i))
        {
            codec.Write(writer, _states.KeyAt(i));
            writer.Int64(_states.DueAt(i));
            step.Write(writer, in _states.StateAt(i));
        }

        _output.Save(writer, static (w, value) => StateCodec.Require<TResult>().Write(w, value), static (_, _) => { });
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        var codec = StateCodec.Require<TKey>();
        var loaded = new List<(TKey, byte, long, TState)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var key = codec.Read(reader);
            long due = reader.Int64();
            var state = step.Read(reader);
            byte group = (byte)StableHash.GroupOf(key);
            if (keys.Contains(group))
            {
                loaded.Add((key, group, due, state));
            }
        }

        _states.Merge(loaded);
        _output.Load(reader, keys, static r => StateCodec.Require<TResult>().Read(r), static _ => null);
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
    }

    private void Take(in T value, long ticks)
    {
        var key = node.Key.Select(value);
        int index = _states.Find(key, out uint hash);
        bool isFirst = index < 0;
        if (isFirst)
        {
            _states.RequireRoom();
        }

        var state = isFirst ? default! : _states.StateAt(index);
        bool emits = step.Take(in value, ticks, isFirst, ref state, out var result);
        long due = Ticks.Plus(ticks, forgetAfter.Ticks);
        if (isFirst)
        {
            index = _states.Add(key, hash, (byte)StableHash.GroupOf(key), due);
        }
        else
        {
            _states.Postpone(index, due);
        }

        _states.StateAt(index) = state;
        if (emits)
        {
            _output.Add(result, ticks, _states.GroupAt(index));
        }
    }

    private void Forget(long time)
    {
        while (_states.IsDue(time))
        {
            int index = _states.First;
            step.Forget(ref _states.StateAt(index));
            _states.Remove(index);
        }
    }
}
