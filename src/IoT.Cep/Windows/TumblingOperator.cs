using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Tumbling windows for each key whose results are given once: one table of states for each open window, of which there are usually one or two. Those
/// that can be corrected are <see cref="TimeWindowOperator{TKey, T, TState, TValue, TKernel, TResult}"/>'s.
/// </summary>
internal sealed class TumblingOperator<TKey, T, TState, TValue, TKernel, TResult>(
    WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts) : Operator<T, TResult>(parts.Next, parts.Query)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int MaxFreePanes = 4;

    // The open window, the one before it while late events are due, and as much again; and at least as many as keys are allowed by default, so that a tight
    // bound on keys leaves room for many small windows.
    private const int MaxFullWindows = 4;
    private const long LeastMaxStates = 1_000_000;

    private readonly TumblingWindows _windows = (TumblingWindows)parts.Spec;
    private readonly KeySelector<TKey, T> _key = parts.Key;
    private readonly TKernel _kernel = parts.Kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private readonly long _maxStates = Math.Max(LeastMaxStates, (long)MaxFullWindows * parts.Key.MaxKeys);
    private readonly Stack<Pane> _free = new();
    private int[] _fireOrder = [];
    private TKey[] _ids = [];
    private TValue[] _selected = [];
    private StateTable<TKey, TState>? _filling;
    private long _stateCount;

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
            if (_windows.IsPast(ticks[i], _watermark))
            {
                Interlocked.Increment(ref Query.LateEvents);
                i++;
                continue;
            }

            var pane = PaneAt(_windows.StartOf(ticks[i]));
            long last = EndOf(pane) - 1;
            int run = batch.IsSorted && ticks[^1] <= last ? -1 : ticks[i..].IndexOfAnyExceptInRange(pane.Start, last);
            int end = run < 0 ? ticks.Length : i + run;
            AddRun(batch.Events[..end], ticks, i, pane.States);
            i = end;
        }
    }

    /// <summary>Adds a run of events of one window. Each way goes on until a new key gives the table another form.</summary>
    private void AddRun(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, StateTable<TKey, TState> states)
    {
        _filling = states;
        for (int next = start; next < events.Length;)
        {
            next = states switch
            {
                { Direct: not null } => AddToDirect(events, ticks, next),
                { IsSmall: true } => AddToSmall(events, ticks, next),
                _ => AddToLarge(events, ticks, next, states),
            };
        }
    }

    /// <summary>Where windows by device number spend their time. What it needs over a call fits the registers that calls leave alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToDirect(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (keyOf, places) = (_key.Select, _filling!.Direct!.States);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            ulong place = WholeNumber.Of(id);

            // A key that has events is there; whether any other one is, the table knows.
            if (place < (ulong)places.Length && _kernel.HasEvents(in places[place]))
            {
                _kernel.Add(ref places[place], in events[i], in selected, TimeOf(ticks, i));
                continue;
            }

            AddFirst(id, in events[i], selected, ticks[i]);
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
    private int AddToSmall(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var keyOf = _key.Select;
        var view = new StateTable<TKey, TState>.SmallView(_filling!);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            ref var state = ref view.Find(id, (uint)id.GetHashCode());
            if (!Unsafe.IsNullRef(ref state))
            {
                _kernel.Add(ref state, in events[i], in selected, TimeOf(ticks, i));
                continue;
            }

            AddFirst(id, in events[i], selected, ticks[i]);
            if (!_filling!.IsSmall)
            {
                return i + 1;
            }

            view = new StateTable<TKey, TState>.SmallView(_filling);
        }

        return events.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddFirst(TKey id, in T value, TValue selected, long ticks)
    {
        var states = _filling!;
        if (_stateCount >= _maxStates && Unsafe.IsNullRef(ref states.Find(id)))
        {
            throw new KeyLimitException(_key.MaxKeys);
        }

        int before = states.Count;
        ref var state = ref states.GetOrAdd(id);
        _stateCount += states.Count - before;
        _kernel.Add(ref state, in value, in selected, ticks);
    }

    /// <summary>An event's time where the kernel asks for it: a loop that does without needs no register for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long TimeOf(ReadOnlySpan<long> ticks, int index) => TKernel.UsesTime ? ticks[index] : 0;

    /// <summary>
    /// Many keys: selectors run ahead, so that nothing stands between one look-up that misses the cache and the next. Where a selector throws, what
    /// was selected before is added first, as everywhere.
    /// </summary>
    private int AddToLarge(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, StateTable<TKey, TState> states)
    {
        Pooled.Ensure(ref _ids, events.Length);
        Pooled.Ensure(ref _selected, events.Length);
        var (keyOf, fused, ids, selected, end) = (_key.Select, _kernel, _ids, _selected, start);
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
            int next = AddSelected(events[..end], ticks, start, states);
            for (; next < end; next++)
            {
                Position = next;
                AddFirst(_ids[next], in events[next], _selected[next], ticks[next]);
            }

            Position = end;
        }

        return end;
    }

    /// <summary>Gives the index of the first event that it left, because the table is no longer large.</summary>
    private int AddSelected(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, StateTable<TKey, TState> states)
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
                _kernel.Add(ref state, in events[i], in selected[i], TimeOf(ticks, i));
                continue;
            }

            AddFirst(ids[i], in events[i], selected[i], ticks[i]);
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

    protected override void DropResult() => _fireIndex++;

    internal override void Save(StateWriter writer)
    {
        var keyCodec = StateCodec.Require<TKey>();
        writer.Int64(_watermark);
        writer.Int32(_panes.Count);
        foreach (var pane in _panes)
        {
            writer.Int64(pane.Start);
            writer.Int32(pane.States.Count);
            for (int i = 0; i < pane.States.Count; i++)
            {
                var entry = pane.States.At(i);
                keyCodec.Write(writer, entry.Key);
                _kernel.Save(writer, in entry.State);
            }
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        for (int panes = reader.Int32(); panes > 0; panes--)
        {
            var pane = PaneAt(reader.Int64());
            for (int entries = reader.Int32(); entries > 0; entries--)
            {
                var id = StateCodec.Require<TKey>().Read(reader);
                var state = _kernel.Load(reader);
                if (parts.Keys.Contains(StableHash.GroupOf(id)))
                {
                    pane.States.GetOrAdd(id) = state;
                }
            }
        }

        _stateCount = _panes.Sum(pane => (long)pane.States.Count);
    }

    protected override void Release()
    {
        _output.Dispose();
        Pooled.Return(ref _fireOrder, 0);
        Pooled.Return(ref _ids, _ids.Length);
        Pooled.Return(ref _selected, _selected.Length);
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

        var pane = _free.Count > 0 ? _free.Pop() : new Pane(new StateTable<TKey, TState>(_key.MaxKeys));
        pane.Start = start;
        _panes.Insert(at, pane);
        return pane;
    }

    private void FireDue(long time)
    {
        while (_panes.Count > 0 && (time == long.MaxValue || EndOf(_panes[0]) <= time))
        {
            Fire(_panes[0]);
            Release(_panes[0]);
            _panes.RemoveAt(0);
        }

        _output.Flush();
    }

    private long EndOf(Pane pane) => _windows.EndOf(pane.Start);

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
            if (_kernel.HasEvents(in entry.State))
            {
                _output.Emit(new WindowInfo<TKey>(entry.Key, pane.Start, EndOf(pane)), (byte)StableHash.GroupOf(entry.Key), ref entry.State);
            }

            _fireIndex++;
        }

        _fireIndex = -1;
    }

    private void Release(Pane pane)
    {
        _stateCount -= pane.States.Count;
        for (int i = 0; _kernel.NeedsRelease && i < pane.States.Count; i++)
        {
            _kernel.Release(ref pane.States.At(i).State);
        }

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
    }
}
