using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Tumbling windows for each key: one keyed map of states for each open window, of which there are usually one or two.</summary>
internal sealed class TumblingOperator<TKey, T, TState, TValue, TKernel, TResult>(
    Operator<TResult> next, QueryContext query, WindowSpec spec, KeySelector<TKey, T> key, TKernel kernel,
    IWindowResult<TKey, TState, TResult> result, KeyRange keys, bool identity) : Operator<T, TResult>(next, query)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<TKey, T, TState, TValue>
{
    private const int MaxFreePanes = 4;

    private readonly OrderedOutput<TResult> _output = new(next);
    private readonly Stack<Pane> _free = new();
    private int[] _fireOrder = [];
    private TKey[] _keys = [];
    private TValue[] _values = [];
    private bool _selecting;

    // State that checkpoints save: the open windows by start, and the time.
    private readonly List<Pane> _panes = [];
    private long _watermark = long.MinValue;

    // Where firing stands, so that it goes on behind a projection that threw.
    private int _fireIndex = -1;

    internal override bool IsStateful => true;

    /// <summary>While the user's selectors run over a batch, nothing of it has been applied.</summary>
    protected override bool IsAtomic => _selecting;

    protected override void Process(in Batch<T> batch)
    {
        SelectAll(batch.Events);
        var ticks = batch.Ticks[..batch.Length];
        for (int i = 0; i < ticks.Length;)
        {
            Position = i;
            if (!TryOpen(in batch.Events[i], ticks[i], out var pane))
            {
                i++;
                continue;
            }

            long last = pane!.Start + spec.Size.Ticks - 1;
            int run = batch.IsSorted && ticks[^1] <= last ? -1 : ticks[i..].IndexOfAnyExceptInRange(pane.Start, last);
            int end = run < 0 ? ticks.Length : i + run;
            AddRun(batch.Events[..end], i, pane.Map);
            i = end;
        }
    }

    /// <summary>
    /// Runs the selectors over the whole batch, before anything of it is applied: a loop without look-ups is short enough for the compiler to
    /// inline the delegates, and reads events ahead while the other loop's look-ups would wait.
    /// </summary>
    private void SelectAll(ReadOnlySpan<T> events)
    {
        Pooled.Ensure(ref _keys, events.Length);
        Pooled.Ensure(ref _values, events.Length);
        _selecting = true;
        kernel.Select(events, key.Select, _keys.AsSpan(0, events.Length), _values.AsSpan(0, events.Length));
        _selecting = false;
    }

    /// <summary>Adds a run of events of one window. This is the loop that keyed windows spend their time in.</summary>
    private void AddRun(ReadOnlySpan<T> events, int start, KeyedMap<TKey, TState> map)
    {
        var fused = kernel;
        var ids = _keys.AsSpan(0, events.Length);
        var values = _values.AsSpan(0, events.Length);
        var view = new KeyedMap<TKey, TState>.View(map);
        for (int i = start; i < ids.Length; i++)
        {
            Position = i;
            int index = view.IndexOf(ids[i], out uint hash);
            if (index < 0)
            {
                index = map.Add(ids[i], hash);
                view = new KeyedMap<TKey, TState>.View(map);
            }

            fused.Add(ref view.StateAt(index), in events[i], in values[i]);
        }
    }

    protected override void Advance(long watermark)
    {
        _watermark = Math.Max(_watermark, watermark);
        FireDue(_watermark);
        Next.OnWatermark(_watermark);
    }

    protected override void Complete()
    {
        FireDue(long.MaxValue);
        Next.OnCompleted();
    }

    protected override void DropResult()
    {
        // A late event's correction is projected while the event is processed, which recovers by position.
        _fireIndex++;
    }

    internal override void Save(StateWriter writer)
    {
        var keyCodec = StateCodec.Require<TKey>();
        var stateCodec = StateCodec.Require<TState>();
        writer.Int64(_watermark);
        writer.Int32(_panes.Count);
        foreach (var pane in _panes)
        {
            writer.Int64(pane.Start);
            writer.Boolean(pane.HasFired);
            writer.Int32(pane.Map.Count);
            foreach (ref var entry in pane.Map.Entries)
            {
                keyCodec.Write(writer, entry.Key);
                stateCodec.Write(writer, entry.State);
            }
        }

        // Corrections wait for the next watermark.
        _output.Save(writer, static (w, value) => StateCodec.Require<TResult>().Write(w, value), static (w, id) => StateCodec.Require<TKey>().Write(w, (TKey)id!));
    }

    internal override void Load(StateReader reader)
    {
        var keyCodec = StateCodec.Require<TKey>();
        var stateCodec = StateCodec.Require<TState>();
        _watermark = Math.Max(_watermark, reader.Int64());
        for (int panes = reader.Int32(); panes > 0; panes--)
        {
            var pane = PaneAt(reader.Int64());
            pane.HasFired = reader.Boolean();
            for (int entries = reader.Int32(); entries > 0; entries--)
            {
                var id = keyCodec.Read(reader);
                var state = stateCodec.Read(reader);
                if (keys.Contains(StableHash.GroupOf(id)))
                {
                    pane.Map.GetOrAdd(id, out _) = state;
                }
            }
        }

        _output.Load(reader, keys, static r => StateCodec.Require<TResult>().Read(r), static r => StateCodec.Require<TKey>().Read(r));
    }

    protected override void Release()
    {
        _output.Dispose();
        Pooled.Return(ref _fireOrder, 0);
        Pooled.Return(ref _keys, _keys.Length);
        Pooled.Return(ref _values, _values.Length);
    }

    /// <summary>Finds an event's window. False where the event has been dealt with: it is late, or it corrected a window that has fired.</summary>
    private bool TryOpen(in T value, long ticks, out Pane? pane)
    {
        if (spec.IsPast(ticks, _watermark))
        {
            Query.LateEvents++;
            pane = null;
            return false;
        }

        pane = PaneAt(spec.StartOf(ticks));
        if (!pane.HasFired && EndOf(pane) > _watermark)
        {
            return true;
        }

        // A window that had no event by its end has nothing more to fire: this one is its first result.
        pane.HasFired = true;
        Correct(pane, in value);
        return false;
    }

    private void Correct(Pane pane, in T value)
    {
        var id = _keys[Position];
        ref var state = ref pane.Map.GetOrAdd(id, out _);
        bool isUpdate = kernel.HasEvents(in state);
        var corrected = state;
        kernel.Add(ref corrected, in value, in _values[Position]);
        Emit(pane, id, (byte)StableHash.GroupOf(id), ref corrected, isUpdate);

        // Only now: an event whose correction can't be projected becomes a dead letter, and is in no later result.
        state = corrected;
    }

    private Pane PaneAt(long start)
    {
        int at = _panes.Count;
        while (at > 0 && _panes[at - 1].Start >= start)
        {
            at--;
        }

        if (at < _panes.Count && _panes[at].Start == start)
        {
            return _panes[at];
        }

        var pane = _free.Count > 0 ? _free.Pop() : new Pane(new KeyedMap<TKey, TState>(key.MaxKeys));
        (pane.Start, pane.HasFired) = (start, false);
        _panes.Insert(at, pane);
        return pane;
    }

    private void FireDue(long time)
    {
        foreach (var pane in _panes)
        {
            if (!pane.HasFired && EndOf(pane) <= time)
            {
                Fire(pane);
            }
        }

        _output.Flush();
        while (_panes.Count > 0 && (time == long.MaxValue || spec.GoneAt(_panes[0].Start) <= time))
        {
            Release(_panes[0]);
            _panes.RemoveAt(0);
        }
    }

    private long EndOf(Pane pane) => spec.EndOf(pane.Start);

    private void Fire(Pane pane)
    {
        var entries = pane.Map.Entries;
        if (_fireIndex < 0)
        {
            OrderByGroup(entries);
            _fireIndex = 0;
        }

        while (_fireIndex < entries.Length)
        {
            ref var entry = ref entries[_fireOrder[_fireIndex]];
            if (kernel.HasEvents(in entry.State))
            {
                Emit(pane, entry.Key, entry.Group, ref entry.State, isUpdate: false);
            }

            _fireIndex++;
        }

        _fireIndex = -1;
        pane.HasFired = true;
    }

    private void Emit(Pane pane, TKey id, byte group, ref TState state, bool isUpdate)
    {
        long end = EndOf(pane);
        var made = result.Make(new WindowInfo<TKey>(id, pane.Start, end, isUpdate), ref state);
        if (identity)
        {
            _output.Add(made, end - 1, group, new ResultId(id, pane.Start, end, 0), isUpdate ? EventKind.Update : EventKind.Insert);
        }
        else
        {
            _output.Add(made, end - 1, group);
        }
    }

    /// <summary>A counting sort by key group, stable: results come in the same order from any number of shards.</summary>
    private void OrderByGroup(ReadOnlySpan<KeyedMap<TKey, TState>.Entry> entries)
    {
        if (_fireOrder.Length < entries.Length)
        {
            Pooled.Grow(ref _fireOrder, 0, entries.Length);
        }

        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        foreach (ref readonly var entry in entries)
        {
            next[entry.Group + 1]++;
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        for (int i = 0; i < entries.Length; i++)
        {
            _fireOrder[next[entries[i].Group]++] = i;
        }
    }

    private void Release(Pane pane)
    {
        if (_free.Count < MaxFreePanes && pane.Map.IsWellUsed)
        {
            pane.Map.Clear();
            _free.Push(pane);
        }
    }

    /// <summary>One window of all keys; used again for a later window.</summary>
    private sealed class Pane(KeyedMap<TKey, TState> map)
    {
        internal long Start { get; set; }

        internal KeyedMap<TKey, TState> Map => map;

        internal bool HasFired { get; set; }
    }
}
