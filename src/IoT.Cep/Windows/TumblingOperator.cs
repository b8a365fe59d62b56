using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Tumbling windows for each key: one table of states for each open window, of which there are usually one or two.</summary>
internal sealed class TumblingOperator<TKey, T, TState, TValue, TKernel, TResult>(
    Operator<TResult> next, QueryContext query, WindowSpec spec, KeySelector<TKey, T> key, TKernel kernel,
    IWindowResult<TKey, TState, TResult> result, KeyRange keys, bool identity) : Operator<T, TResult>(next, query)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int MaxFreePanes = 4;

    private readonly OrderedOutput<TResult> _output = new(next);
    private readonly Stack<Pane> _free = new();
    private int[] _fireOrder = [];
    private TKey[] _ids = [];
    private TValue[] _selected = [];
    private StateTable<TKey, TState>? _filling;

    // State that checkpoints save: the open windows by start, and the time.
    private readonly List<Pane> _panes = [];
    private long _watermark = long.MinValue;

    // Where firing stands, so that it goes on behind a projection that threw.
    private int _fireIndex = -1;

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
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
            AddRun(batch.Events[..end], i, pane.States);
            i = end;
        }
    }

    /// <summary>Adds a run of events of one window. Each way goes on until a new key gives the table another form.</summary>
    private void AddRun(ReadOnlySpan<T> events, int start, StateTable<TKey, TState> states)
    {
        _filling = states;
        for (int next = start; next < events.Length;)
        {
            next = states switch
            {
                { Direct: not null } => AddToDirect(events, next),
                { IsSmall: true } => AddToSmall(events, next),
                _ => AddToLarge(events, next, states),
            };
        }
    }

    /// <summary>Where windows by device number spend their time. What it needs over a call fits the registers that calls leave alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToDirect(ReadOnlySpan<T> events, int start)
    {
        var (keyOf, places) = (key.Select, _filling!.Direct!.States);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = kernel.Select(in events[i]);
            ulong place = WholeNumber.Of(id);

            // A key that has events is there; whether any other one is, the table knows.
            if (place < (ulong)places.Length && kernel.HasEvents(in places[place]))
            {
                kernel.Add(ref places[place], in events[i], in selected);
                continue;
            }

            AddFirst(id, in events[i], selected);
            if (_filling.Direct is null)
            {
                return i + 1;
            }

            places = _filling.Direct.States;
        }

        return events.Length;
    }

    /// <summary>The same for all other keys while there are not many.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToSmall(ReadOnlySpan<T> events, int start)
    {
        var keyOf = key.Select;
        var view = new StateTable<TKey, TState>.SmallView(_filling!);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = kernel.Select(in events[i]);
            ref var state = ref view.Find(id, (uint)id.GetHashCode());
            if (!Unsafe.IsNullRef(ref state))
            {
                kernel.Add(ref state, in events[i], in selected);
                continue;
            }

            AddFirst(id, in events[i], selected);
            if (!_filling!.IsSmall)
            {
                return i + 1;
            }

            view = new StateTable<TKey, TState>.SmallView(_filling);
        }

        return events.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddFirst(TKey id, in T value, TValue selected) => kernel.Add(ref _filling!.GetOrAdd(id), in value, in selected);

    /// <summary>
    /// Many keys: selectors run ahead, so that nothing stands between one look-up that misses the cache and the next. Where a selector throws, what
    /// was selected before is added first, as everywhere.
    /// </summary>
    private int AddToLarge(ReadOnlySpan<T> events, int start, StateTable<TKey, TState> states)
    {
        Pooled.Ensure(ref _ids, events.Length);
        Pooled.Ensure(ref _selected, events.Length);
        var (keyOf, fused, ids, selected, end) = (key.Select, kernel, _ids, _selected, start);
        try
        {
            for (; end < events.Length; end++)
            {
                ref readonly var value = ref events[end];
                ids[end] = keyOf(value);
                selected[end] = fused.Select(in value);
            }
        }
        finally
        {
            int next = AddSelected(events[..end], start, states);
            for (; next < end; next++)
            {
                Position = next;
                AddFirst(_ids[next], in events[next], _selected[next]);
            }

            Position = end;
        }

        return end;
    }

    /// <summary>Gives the index of the first event that it left, because the table is no longer large.</summary>
    private int AddSelected(ReadOnlySpan<T> events, int start, StateTable<TKey, TState> states)
    {
        var ids = _ids.AsSpan(0, events.Length);
        var selected = _selected.AsSpan(0, events.Length);
        var view = new StateTable<TKey, TState>.LargeView(states);
        for (int i = start; i < ids.Length; i++)
        {
            Position = i;
            ref var state = ref view.Find(ids[i], (uint)ids[i].GetHashCode());
            if (!Unsafe.IsNullRef(ref state))
            {
                kernel.Add(ref state, in events[i], in selected[i]);
                continue;
            }

            AddFirst(ids[i], in events[i], selected[i]);
            if (!states.IsLarge)
            {
                return i + 1;
            }

            view = new StateTable<TKey, TState>.LargeView(states);
        }

        return ids.Length;
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
            writer.Int32(pane.States.Count);
            for (int i = 0; i < pane.States.Count; i++)
            {
                var entry = pane.States.At(i);
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
                    pane.States.GetOrAdd(id) = state;
                }
            }
        }

        _output.Load(reader, keys, static r => StateCodec.Require<TResult>().Read(r), static r => StateCodec.Require<TKey>().Read(r));
    }

    protected override void Release()
    {
        _output.Dispose();
        Pooled.Return(ref _fireOrder, 0);
        Pooled.Return(ref _ids, _ids.Length);
        Pooled.Return(ref _selected, _selected.Length);
    }

    /// <summary>Finds an event's window. False where the event has been dealt with: it is late, or it corrected a window that has fired.</summary>
    private bool TryOpen(in T value, long ticks, out Pane? pane)
    {
        if (spec.IsPast(ticks, _watermark))
        {
            Interlocked.Increment(ref Query.LateEvents);
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
        var id = key.Select(value);
        var selected = kernel.Select(in value);
        ref var state = ref pane.States.GetOrAdd(id);
        bool isUpdate = kernel.HasEvents(in state);
        var corrected = state;
        kernel.Add(ref corrected, in value, in selected);
        Emit(pane, id, ref corrected, isUpdate);

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

        var pane = _free.Count > 0 ? _free.Pop() : new Pane(new StateTable<TKey, TState>(key.MaxKeys));
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
        if (_fireIndex < 0)
        {
            Pooled.Ensure(ref _fireOrder, pane.States.Count);
            pane.States.Order(_fireOrder);
            _fireIndex = 0;
        }

        while (_fireIndex < pane.States.Count)
        {
            var entry = pane.States.InPlace(_fireOrder[_fireIndex]);
            if (kernel.HasEvents(in entry.State))
            {
                Emit(pane, entry.Key, ref entry.State, isUpdate: false);
            }

            _fireIndex++;
        }

        _fireIndex = -1;
        pane.HasFired = true;
    }

    private void Emit(Pane pane, TKey id, ref TState state, bool isUpdate)
    {
        long end = EndOf(pane);
        byte group = (byte)StableHash.GroupOf(id);
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

    private void Release(Pane pane)
    {
        if (_free.Count < MaxFreePanes && pane.States.IsWellUsed)
        {
            pane.States.Clear();
            _free.Push(pane);
        }
    }

    /// <summary>One window of all keys; used again for a later window.</summary>
    private sealed class Pane(StateTable<TKey, TState> states)
    {
        internal long Start { get; set; }

        internal StateTable<TKey, TState> States => states;

        internal bool HasFired { get; set; }
    }
}
