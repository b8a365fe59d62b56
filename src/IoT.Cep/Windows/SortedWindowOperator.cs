using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Windows whose borders a rule finds from each key's events in order of time: one window of a key is open at a time.</summary>
internal sealed class SortedWindowOperator<TKey, T, TState, TValue, TKernel, TResult, TMark, TRule> : OrderedOperator<T, TResult>, IDeadlineOwner
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
    where TMark : struct
    where TRule : struct, IWindowRule<T, TMark>
{
    private const int NotTidied = 1024;

    private readonly WindowParts<TKey, T, TState, TValue, TKernel, TResult> _parts;
    private readonly TKernel _kernel;
    private readonly TRule _rule;
    private readonly KeyPlaces _places = new();

    // State that checkpoints save: each key's window, and those that have closed. Deadlines follow from the windows; their order is that of the windows.
    private readonly KeyedMap<TKey, OpenWindow> _windows = new();
    private readonly ClosedWindows<TKey, T, TState, TValue, TKernel, TResult> _closed;
    private readonly Deadlines _due = new();
    private int _idle;
    private bool _hasEnded;

    internal SortedWindowOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts, TRule rule)
        : base(parts.Next, parts.Query, parts.IsOrdered)
    {
        _parts = parts;
        _kernel = parts.Kernel;
        _rule = rule;
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
            int index = IndexOf(id);
            if (batch.Ticks[i] >= DeadlineAt(index))
            {
                OnDeadline(index);
            }

            Take(index, in value, in selected, batch.Ticks[i]);
        }
    }

    protected override void OnTime(long watermark)
    {
        FireDue(watermark);
        _closed.GiveOut(watermark);
        if (_due.IsUntidy || (_idle > NotTidied && _idle * 2L > _windows.Count))
        {
            Tidy();
        }
    }

    protected override void OnEnd()
    {
        _hasEnded = true;
        FireDue(long.MaxValue);
        _closed.GiveOut(long.MaxValue);
    }

    /// <summary>A deadline whose rule threw has been taken already.</summary>
    protected override void DropResult() => _closed.DropFailed();

    protected override bool OwnsOnLoad(T value) => _parts.Keys.Owns(_parts.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        _closed.Save(writer);

        // Those with a deadline first, in its order.
        var order = _due.ToList().Where(item => DeadlineAt(item.Index) == item.Time).Select(item => item.Index);
        writer.Int32(_windows.Count);
        foreach (int index in order.Concat(Enumerable.Range(0, _windows.Count)).Distinct())
        {
            ref var entry = ref _windows.Entries[index];
            StateCodec.Require<TKey>().Write(writer, entry.Key);
            writer.Int64(entry.State.First);
            writer.Int64(entry.State.Deadline);
            writer.Int64(entry.State.Count);
            writer.Int32(entry.State.Ordinal);
            StateCodec.Require<TMark>().Write(writer, entry.State.Mark);
            _kernel.Save(writer, in entry.State.State);
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
            var window = new OpenWindow
            {
                First = reader.Int64(),
                Deadline = reader.Int64(),
                Count = reader.Int64(),
                Ordinal = reader.Int32(),
                Mark = StateCodec.Require<TMark>().Read(reader),
                State = _kernel.Load(reader),
            };
            if (!_parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                continue;
            }

            int index = IndexOf(id);
            _windows.Entries[index].State = window;
            _idle -= window.Count > 0 ? 1 : 0;
            if (window.Deadline != long.MaxValue)
            {
                _due.Set(window.Deadline, index);
            }
        }
    }

    protected override void Release()
    {
        base.Release();
        _closed.Dispose();
    }

    bool IDeadlineOwner.Has(Deadline deadline, Deadlines among) => DeadlineAt(deadline.Index) == deadline.Time;

    void IDeadlineOwner.Number(Deadline deadline, int number, Deadlines among)
    {
        // Nothing is cancelled here: what has moved is passed over.
    }

    private long DeadlineAt(int index) => _windows.Entries[index].State.Deadline;

    private int IndexOf(TKey id)
    {
        int index = new KeyedMap<TKey, OpenWindow>.View(_windows).IndexOf(id, out uint hash);
        if (index < 0)
        {
            index = _windows.Add(id, hash);
            _windows.Entries[index].State.Deadline = long.MaxValue;
            _idle++;
        }

        return index;
    }

    private void Take(int index, in T value, in TValue selected, long time)
    {
        ref var window = ref _windows.Entries[index].State;
        bool opens = window.Count == 0;
        var progress = new WindowProgress(opens ? time : window.First, time, window.Count + 1, Watermark);
        var mark = window.Mark;
        var turn = _rule.Take(ref mark, in progress, in value);
        if (turn == WindowTurn.None)
        {
            return;
        }

        if ((turn & WindowTurn.Add) != 0)
        {
            if (opens && _windows.Count - _idle >= _parts.Key.MaxKeys)
            {
                throw new KeyLimitException(_parts.Key.MaxKeys);
            }

            _kernel.Add(ref window.State, in value, in selected, time);
            window.Count++;
            if (opens)
            {
                // Windows of one key that begin at the same instant are numbered.
                window.Ordinal = window.First == time ? window.Ordinal : 0;
                window.First = time;
                _idle--;
            }
        }

        window.Mark = mark;
        Turn(index, turn, in progress, Ticks.Plus(time, 1));
    }

    private void OnDeadline(int index)
    {
        ref var window = ref _windows.Entries[index].State;
        long deadline = window.Deadline;
        window.Deadline = long.MaxValue;
        var progress = new WindowProgress(window.First, deadline, window.Count, Watermark);
        var mark = window.Mark;
        var turn = _rule.OnDeadline(ref mark, in progress);
        window.Mark = mark;
        Turn(index, turn, in progress, deadline);
    }

    private void Turn(int index, WindowTurn turn, in WindowProgress progress, long end)
    {
        ref var entry = ref _windows.Entries[index];
        ref var window = ref entry.State;
        if ((turn & (WindowTurn.Fire | WindowTurn.Close)) != 0)
        {
            var closed = new ClosedWindow<TKey, TState>
            {
                Key = entry.Key,
                Group = entry.Group,
                Start = window.First,
                End = end,
                Time = progress.Time,
                Ordinal = window.Ordinal++,
            };
            if ((turn & WindowTurn.Close) != 0)
            {
                closed.State = window.State;
                window.State = default;
            }
            else
            {
                _kernel.Merge(ref closed.State, in window.State);
            }

            _closed.Add(in closed);
        }

        if ((turn & WindowTurn.Close) != 0)
        {
            (window.Count, window.Mark, window.Deadline) = (0, default, long.MaxValue);
            _idle++;
            return;
        }

        long deadline = _hasEnded ? long.MaxValue : _rule.DeadlineOf(in window.Mark, in progress);
        if (deadline != window.Deadline)
        {
            window.Deadline = deadline;
            if (deadline != long.MaxValue)
            {
                _due.Set(deadline, index);
            }
        }
    }

    private void FireDue(long time)
    {
        while (_due.IsDue(time, out var first))
        {
            _due.RemoveFirst();
            if (DeadlineAt(first.Index) == first.Time)
            {
                OnDeadline(first.Index);
            }
        }
    }

    private void Tidy()
    {
        var places = _places.Tidy(_windows, Watermark);
        _due.Tidy(this, places);
        _idle = 0;
        foreach (ref var entry in _windows.Entries)
        {
            _idle += entry.State.Count == 0 ? 1 : 0;
        }
    }

    private struct OpenWindow : IKeySlot
    {
        internal long First;
        internal long Deadline;
        internal long Count;
        internal int Ordinal;
        internal TMark Mark;
        internal TState State;

        /// <summary>A window that begins at the same instant as the last one is numbered behind it.</summary>
        public readonly bool IsIdle(long watermark) => Count == 0 && First < watermark;
    }
}
