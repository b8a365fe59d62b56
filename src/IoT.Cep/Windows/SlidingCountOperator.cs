using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The last so many events of each key. Events are added to panes of as many as both numbers have in common, and panes form a queue of two stacks:
/// one of raw panes with their sum, one of sums up to its end, so that a result is one merge of both. A pane is merged three times in its life.
/// (Tangwongsan, Hirzel, Schneider: "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time", DEBS 2017, section 3, two-stacks.)
/// </summary>
internal sealed class SlidingCountOperator<TKey, T, TState, TValue, TKernel, TResult> : OrderedOperator<T, TResult>
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly WindowParts<TKey, T, TState, TValue, TKernel, TResult> _parts;
    private readonly TKernel _kernel;
    private readonly int _paneEvents;
    private readonly int _panes;
    private readonly int _panesPerResult;

    // State that checkpoints save: each key's panes, and the windows that have closed.
    private readonly KeyedMap<TKey, Panes> _keys;
    private readonly ClosedWindows<TKey, T, TState, TValue, TKernel, TResult> _closed;

    internal SlidingCountOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts)
        : base(parts.Next, parts.Query, parts.IsOrdered)
    {
        _parts = parts;
        _kernel = parts.Kernel;
        var windows = (CountWindows)parts.Spec;
        (_paneEvents, _panes, _panesPerResult) = (windows.PaneEvents, windows.Count / windows.PaneEvents, windows.Every / windows.PaneEvents);
        _keys = new KeyedMap<TKey, Panes>(parts.Key.MaxKeys);
        _closed = new ClosedWindows<TKey, T, TState, TValue, TKernel, TResult>(parts);
    }

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            ref readonly var value = ref batch.Events[i];
            var id = _parts.Key.Select(value);
            var selected = _kernel.Select(in value);
            ref var panes = ref _keys.GetOrAdd(id, out _);
            Take(ref panes, id, in value, in selected, batch.Ticks[i]);
        }
    }

    protected override void OnTime(long watermark) => _closed.GiveOut(watermark);

    protected override void OnEnd() => _closed.GiveOut(long.MaxValue);

    protected override void DropResult() => _closed.DropFailed();

    protected override bool OwnsOnLoad(T value) => _parts.Keys.Owns(_parts.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        _closed.Save(writer);
        writer.Int32(_keys.Count);
        foreach (ref var entry in _keys.Entries)
        {
            ref var panes = ref entry.State;
            StateCodec.Require<TKey>().Write(writer, entry.Key);
            writer.Int32(panes.Filled);
            writer.Int32(panes.First);
            writer.Int32(panes.Summed);
            writer.Int32(panes.InLast);
            writer.Int64(panes.LastStart);
            writer.Int32(panes.Ordinal);
            _kernel.Save(writer, in panes.Rest);
            int used = panes.Filled + (panes.InLast > 0 ? 1 : 0);
            for (int i = 0; i < used; i++)
            {
                ref var pane = ref PaneAt(ref panes, i);
                writer.Int64(pane.Start);
                _kernel.Save(writer, in pane.State);
            }
        }
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        _closed.Load(reader);
        if (reader.AtEnd)
        {
            // A window that was made late was told the time and nothing else.
            return;
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = StateCodec.Require<TKey>().Read(reader);
            var panes = new Panes
            {
                All = new Pane[_panes],
                Filled = reader.Int32(),
                First = reader.Int32(),
                Summed = reader.Int32(),
                InLast = reader.Int32(),
                LastStart = reader.Int64(),
                Ordinal = reader.Int32(),
                Rest = _kernel.Load(reader),
            };
            int used = panes.Filled + (panes.InLast > 0 ? 1 : 0);
            for (int i = 0; i < used; i++)
            {
                PaneAt(ref panes, i) = new Pane { Start = reader.Int64(), State = _kernel.Load(reader) };
            }

            if (_parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                _keys.GetOrAdd(id, out _) = panes;
            }
        }
    }

    protected override void Release()
    {
        base.Release();
        _closed.Dispose();
    }

    private void Take(ref Panes panes, TKey id, in T value, in TValue selected, long time)
    {
        panes.All ??= new Pane[_panes];
        ref var last = ref PaneAt(ref panes, panes.Filled);
        _kernel.Add(ref last.State, in value, in selected, time);
        if (panes.InLast++ == 0)
        {
            last.Start = time;
        }

        if (panes.InLast < _paneEvents)
        {
            return;
        }

        panes.InLast = 0;
        _kernel.Merge(ref panes.Rest, in last.State);
        if (++panes.Filled == _panes)
        {
            Close(ref panes, id, time);
            for (int i = 0; i < _panesPerResult; i++)
            {
                RemoveFirst(ref panes);
            }
        }
    }

    private void Close(ref Panes panes, TKey id, long time)
    {
        ref var first = ref PaneAt(ref panes, 0);
        var closed = new ClosedWindow<TKey, TState>
        {
            Key = id,
            Group = (byte)StableHash.GroupOf(id),
            Start = first.Start,
            End = Ticks.Plus(time, 1),
            Time = time,
        };

        // Windows of one key that begin at the same instant are numbered.
        panes.Ordinal = panes.LastStart == first.Start ? panes.Ordinal : 0;
        panes.LastStart = first.Start;
        closed.Ordinal = panes.Ordinal++;
        if (panes.Summed > 0)
        {
            _kernel.Merge(ref closed.State, in first.State);
        }

        _kernel.Merge(ref closed.State, in panes.Rest);
        _closed.Add(in closed);
    }

    /// <summary>Takes the oldest pane out. Where its stack is empty, the others become sums up to the last of them, from the last to the first.</summary>
    private void RemoveFirst(ref Panes panes)
    {
        if (panes.Summed == 0)
        {
            for (int i = panes.Filled - 2; i >= 0; i--)
            {
                _kernel.Merge(ref PaneAt(ref panes, i).State, in PaneAt(ref panes, i + 1).State);
            }

            panes.Summed = panes.Filled;
            _kernel.Release(ref panes.Rest);
            panes.Rest = default;
        }

        ref var first = ref PaneAt(ref panes, 0);
        _kernel.Release(ref first.State);
        first = default;
        panes.First = (panes.First + 1) % _panes;
        panes.Filled--;
        panes.Summed--;
    }

    private ref Pane PaneAt(ref Panes panes, int index) => ref panes.All[(panes.First + index) % _panes];

    private struct Pane
    {
        internal long Start;
        internal TState State;
    }

    /// <summary>A key's panes, oldest first: of those that are full, the first ones hold the sum up to the last of these, the rest themselves alone.</summary>
    private struct Panes
    {
        internal Pane[] All;
        internal int First;
        internal int Filled;
        internal int Summed;
        internal int InLast;
        internal int Ordinal;
        internal long LastStart;

        /// <summary>The sum of the panes that are full and not in a sum yet.</summary>
        internal TState Rest;
    }
}
