using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A key fell silent, or came back.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <param name="Key">The key.</param>
/// <param name="Since">When it was last heard of before it fell silent; for a return, the time of the event that ended the silence.</param>
/// <param name="Returned">False when it falls silent, true when it comes back.</param>
public readonly record struct Silence<TKey>(TKey Key, DateTimeOffset Since, bool Returned);

/// <summary>The verbs of absence.</summary>
public static class SilenceExtensions
{
    /// <summary>
    /// Tells when a key has been silent: no event for so long after its last one, in event time. Emits once when the watermark has passed that
    /// time, and once when the key comes back. Remembers the last time of each key. Late events are not heard.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="silentFor">How long. An event exactly that much after the last one comes too late to prevent it.</param>
    /// <param name="expected">Keys that are missed even if they were never heard of; their time runs from the first watermark.</param>
    /// <param name="forgetAfter">A key silent for so long is forgotten: its return is not told. 7 days by default; it bounds the state.</param>
    public static IEventStream<Silence<TKey>> Silent<TKey, T>(
        this IKeyedStream<TKey, T> stream, TimeSpan silentFor, IReadOnlyCollection<TKey>? expected = null, TimeSpan? forgetAfter = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(silentFor, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(silentFor, nameof(silentFor));
        var forget = forgetAfter ?? TimeSpan.FromTicks(Math.Max(TimeSpan.FromDays(7).Ticks, silentFor.Ticks * 2));
        if (forget <= silentFor)
        {
            throw new ArgumentOutOfRangeException(nameof(forgetAfter), forget, "A key can be forgotten only after it has fallen silent: forgetAfter must be longer than silentFor.");
        }

        stream.Node.RequireAppendOnly("Silent");
        if (stream.Key.Timeline is not null && expected is { Count: > 0 })
        {
            throw new NotSupportedException(
                "A key that was never heard of has no time of its own: leave 'expected' out, or key the stream without TimelinePerKey for Silent.");
        }

        SilenceCodec<TKey>.Register();
        return new SilentNode<TKey, T>(stream.Node, stream.Key, silentFor, forget, [.. expected ?? []]).ToStream();
    }
}

/// <summary>How silences are saved that wait for a watermark, in the operator or in one behind it.</summary>
internal static class SilenceCodec<TKey>
    where TKey : notnull
{
    internal static void Register()
    {
        if (StateCodec.Find<TKey>() is { } key)
        {
            StateCodec.Register<Silence<TKey>>((writer, silence) => Write(writer, key, silence), reader => Read(reader, key));
        }
    }

    internal static void Write(StateWriter writer, StateCodec<TKey> key, Silence<TKey> silence)
    {
        key.Write(writer, silence.Key);
        writer.Int64(Ticks.From(silence.Since));
        writer.Boolean(silence.Returned);
    }

    internal static Silence<TKey> Read(StateReader reader, StateCodec<TKey> key) => new(key.Read(reader), Ticks.ToTime(reader.Int64()), reader.Boolean());
}

internal sealed record SilentNode<TKey, T>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan SilentFor, TimeSpan ForgetAfter, TKey[] Expected) : StreamNode<T, Silence<TKey>>(Source)
    where TKey : notnull
{
    internal override string Text => $"Silent {SilentFor} {Key.ByTime}{(Expected.Length == 0 ? "" : $", {Expected.Length} expected")}";

    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => true;

    internal override void Build(Plan plan, Operator<Silence<TKey>> next) => plan.BuildKeyed(
        this, Input, Key, next, (output, keys) => new SilentOperator<TKey, T>(output, plan.Query, this, keys, plan.WantsIdentity));
}

/// <summary>Keys in two lists by last time, those heard of and those silent: what is due is always at the head, so no timer is searched for.</summary>
internal sealed class SilentOperator<TKey, T>(
    Operator<Silence<TKey>> next, QueryContext query, SilentNode<TKey, T> node, KeyRange keys, bool identity)
    : OrderedOperator<T, Silence<TKey>>(next, query, node.Input.IsOrdered)
    where TKey : notnull
{
    private readonly OrderedOutput<Silence<TKey>> _output = new(next);

    // State that checkpoints save: each key with its last time and whether it is silent, in the order of the lists.
    private readonly KeyedMap<TKey, Seen> _keys = new(node.Key.MaxKeys);
    private Ends _heard = Ends.Empty;
    private Ends _silent = Ends.Empty;
    private bool _started;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            var key = node.Key.Select(batch.Events[i]);
            long ticks = batch.Ticks[i];
            FallSilent(ticks);
            ref var seen = ref _keys.GetOrAdd(key, out bool added);
            int index = _keys.IndexOf(key);
            if (!added)
            {
                Unlink(ref seen.IsSilent ? ref _silent : ref _heard, index);

                // One that is due to be forgotten is forgotten, wherever the watermark stands.
                if (seen.IsSilent && ticks - seen.Last < node.ForgetAfter.Ticks)
                {
                    Emit(key, ticks, ticks, returned: true);
                }
            }

            seen.Last = ticks;
            seen.IsSilent = false;
            Append(ref _heard, index);
        }
    }

    protected override void OnTime(long watermark)
    {
        if (!_started)
        {
            _started = true;
            Expect(watermark);
        }

        FallSilent(watermark);
        Forget(watermark);
        _output.Flush();
    }

    protected override void OnEnd() => _output.Flush();

    protected override bool OwnsOnLoad(T value) => keys.Owns(node.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        var codec = StateCodec.Require<TKey>();
        writer.Boolean(_started);
        writer.Int32(_keys.Count);
        foreach (var list in new[] { _silent, _heard })
        {
            for (int i = list.First; i >= 0; i = _keys.Entries[i].State.Next)
            {
                ref var entry = ref _keys.Entries[i];
                codec.Write(writer, entry.Key);
                writer.Int64(entry.State.Last);
                writer.Boolean(entry.State.IsSilent);
            }
        }

        _output.Save(writer, (w, silence) => SilenceCodec<TKey>.Write(w, codec, silence), (w, key) => codec.Write(w, (TKey)key!));
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        var codec = StateCodec.Require<TKey>();
        _started |= reader.Boolean();
        var loaded = new List<(TKey Key, long Last, bool IsSilent)>();
        for (int i = 0; i < _keys.Count; i++)
        {
            ref var entry = ref _keys.Entries[i];
            loaded.Add((entry.Key, entry.State.Last, entry.State.IsSilent));
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            loaded.Add((codec.Read(reader), reader.Int64(), reader.Boolean()));
        }

        Rebuild(loaded);
        _output.Load(reader, keys, r => SilenceCodec<TKey>.Read(r, codec), r => codec.Read(r));
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
    }

    /// <summary>Several shards' saved lists, each in order, become one list in order.</summary>
    private void Rebuild(List<(TKey Key, long Last, bool IsSilent)> loaded)
    {
        _keys.Clear();
        (_heard, _silent) = (Ends.Empty, Ends.Empty);
        foreach (var (key, last, isSilent) in loaded.OrderBy(k => k.Last))
        {
            if (!keys.Contains(StableHash.GroupOf(key)))
            {
                continue;
            }

            ref var seen = ref _keys.GetOrAdd(key, out _);
            (seen.Last, seen.IsSilent) = (last, isSilent);
            Append(ref isSilent ? ref _silent : ref _heard, _keys.IndexOf(key));
        }
    }

    private void Expect(long since)
    {
        foreach (var key in node.Expected)
        {
            if (!keys.Contains(StableHash.GroupOf(key)))
            {
                continue;
            }

            ref var seen = ref _keys.GetOrAdd(key, out bool added);
            if (added)
            {
                seen.Last = since;
                Append(ref _heard, _keys.IndexOf(key));
            }
        }
    }

    private void FallSilent(long time)
    {
        while (_heard.First >= 0)
        {
            int index = _heard.First;
            ref var entry = ref _keys.Entries[index];
            long due = entry.State.Last + node.SilentFor.Ticks;
            if (due > time)
            {
                return;
            }

            Emit(entry.Key, entry.State.Last, due, returned: false);
            Unlink(ref _heard, index);
            entry.State.IsSilent = true;
            Append(ref _silent, index);
        }
    }

    private void Forget(long time)
    {
        while (_silent.First >= 0)
        {
            int index = _silent.First;
            ref var entry = ref _keys.Entries[index];
            if (entry.State.Last + node.ForgetAfter.Ticks > time)
            {
                return;
            }

            Unlink(ref _silent, index);
            int moved = _keys.Remove(entry.Key);
            if (moved != index)
            {
                Relink(moved, index);
            }
        }
    }

    private void Emit(TKey key, long since, long ticks, bool returned)
    {
        var silence = new Silence<TKey>(key, Ticks.ToTime(since), returned);
        byte group = (byte)StableHash.GroupOf(key);
        if (identity)
        {
            _output.Add(silence, ticks, group, new ResultId(key, since, ticks, returned ? 1 : 0), EventKind.Insert);
        }
        else
        {
            _output.Add(silence, ticks, group);
        }
    }

    private void Append(ref Ends list, int index)
    {
        ref var seen = ref _keys.Entries[index].State;
        (seen.Previous, seen.Next) = (list.Last, -1);
        if (list.Last >= 0)
        {
            _keys.Entries[list.Last].State.Next = index;
        }
        else
        {
            list.First = index;
        }

        list.Last = index;
    }

    private void Unlink(ref Ends list, int index)
    {
        ref var seen = ref _keys.Entries[index].State;
        if (seen.Previous >= 0)
        {
            _keys.Entries[seen.Previous].State.Next = seen.Next;
        }
        else
        {
            list.First = seen.Next;
        }

        if (seen.Next >= 0)
        {
            _keys.Entries[seen.Next].State.Previous = seen.Previous;
        }
        else
        {
            list.Last = seen.Previous;
        }
    }

    /// <summary>The map moved an entry: its neighbours point at the new place.</summary>
    private void Relink(int from, int to)
    {
        ref var seen = ref _keys.Entries[to].State;
        ref var list = ref seen.IsSilent ? ref _silent : ref _heard;
        if (seen.Previous >= 0)
        {
            _keys.Entries[seen.Previous].State.Next = to;
        }

        if (seen.Next >= 0)
        {
            _keys.Entries[seen.Next].State.Previous = to;
        }

        list.First = list.First == from ? to : list.First;
        list.Last = list.Last == from ? to : list.Last;
    }

    private struct Seen
    {
        internal long Last;
        internal int Previous;
        internal int Next;
        internal bool IsSilent;
    }

    private struct Ends
    {
        internal int First;
        internal int Last;

        internal static Ends Empty => new() { First = -1, Last = -1 };
    }
}
