using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows that follow from time alone, for each key. An on-time event updates one pane, whatever the number of windows it is in; one that is late for
/// some window is added to what was made of its pane, and to the windows that have fired and can be corrected. Where results are given early, windows
/// hold their states themselves and there are no panes.
/// </summary>
internal sealed partial class TimeWindowOperator<TKey, T, TState, TValue, TKernel, TResult> : Operator<T, TResult>
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    /// <summary>Half of the second cache of the cores that servers have: beyond it look-ups run ahead of updates.</summary>
    private const int MaxSmallBytes = 512 * 1024;

    private readonly TimeWindows _windows;
    private readonly KeySelector<TKey, T> _key;
    private readonly TKernel _kernel;
    private readonly KeyRange _owned;
    private readonly bool _isEarly;
    private readonly bool _isHeld;
    private readonly bool _mayFlush;
    private readonly WindowOutput<TKey, TState, TResult> _output;
    private readonly ColumnPool<T, TState, TValue, TKernel> _pool;
    private int[] _numbers = [];
    private TValue[] _selected = [];

    // State that checkpoints save.
    private readonly KeyIndex<TKey> _keys;
    private readonly SharedPanes<T, TState, TValue, TKernel> _panes;
    private readonly HeldWindows<TKey, T, TState, TValue, TKernel, TResult> _held;
    private long[] _lastEvents = [];
    private long[] _touched = [];
    private long _touches;
    private long _watermark = long.MinValue;

    // What follows from the watermark: up to where windows have fired, and where the earliest one starts that takes events.
    private long _fired = long.MinValue;
    private long _pastUpTo = long.MinValue;
    private PaneColumn<TState>? _current;

    // Where firing stands, so that it goes on behind a projection that threw.
    private int _fireSeries;

    internal TimeWindowOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts)
        : base(parts.Next, parts.Query)
    {
        _windows = (TimeWindows)parts.Spec;
        (_key, _kernel, _owned) = (parts.Key, parts.Kernel, parts.Keys);
        _isEarly = _windows.IsEarly;
        _isHeld = _windows.IsUpdating;
        _mayFlush = !_isEarly && !Evicts && _windows.SeriesCount == 1;
        _output = new WindowOutput<TKey, TState, TResult>(parts.Next, parts.Result, parts.Identity);
        _keys = new KeyIndex<TKey>(_key.MaxKeys);
        _pool = new ColumnPool<T, TState, TValue, TKernel>(_kernel);
        _panes = new SharedPanes<T, TState, TValue, TKernel>(_windows, _kernel, _pool);
        _held = new HeldWindows<TKey, T, TState, TValue, TKernel, TResult>(_windows, _kernel, _output, _pool);
        Fit();
    }

    internal override bool IsStateful => true;

    private bool Evicts => _key.WhenFull == WhenKeysFull.EvictIdle;

    protected override void Process(in Batch<T> batch)
    {
        var ticks = batch.Ticks[..batch.Length];
        for (int i = 0; i < ticks.Length;)
        {
            Position = i;
            if (_isEarly || PaneOf(ticks[i]) is not { } pane)
            {
                AddOne(in batch.Events[i], ticks[i]);
                i++;
                continue;
            }

            int run = batch.IsSorted && ticks[^1] < pane.End ? -1 : ticks[i..].IndexOfAnyExceptInRange(pane.Start, pane.End - 1);
            int end = run < 0 ? ticks.Length : i + run;
            if (Evicts || (long)_keys.Capacity * Unsafe.SizeOf<TState>() <= MaxSmallBytes)
            {
                AddRun(batch.Events[..end], ticks, i, pane);
            }
            else
            {
                AddAhead(batch.Events[..end], ticks, i, pane);
            }

            i = end;
        }
    }

    /// <summary>The pane of an event that is on time for all its windows; null where it is late for one.</summary>
    private PaneColumn<TState>? PaneOf(long ticks)
    {
        if (_current is { } current && ticks >= current.Start && ticks < current.End)
        {
            return current;
        }

        return _windows.NextEnd(ticks) <= _watermark ? null : _current = _panes.Open(ticks);
    }

    /// <summary>Adds a run of events of one pane. The loop that keyed windows spend their time in.</summary>
    private void AddRun(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, PaneColumn<TState> pane)
    {
        var (keyOf, fused, evicts) = (_key.Select, _kernel, Evicts);
        var view = new KeyIndex<TKey>.View(_keys);
        ref var states = ref MemoryMarshal.GetArrayDataReference(pane.States);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            ref readonly var value = ref events[i];
            var id = keyOf(value);
            var selected = fused.Select(in value);
            uint hash = (uint)id.GetHashCode();
            int number = view.Find(id, hash);
            if (number < 0)
            {
                if (!TryAddKey(id, hash, pane.Start, in value, ticks[i], out number))
                {
                    continue;
                }

                view = new KeyIndex<TKey>.View(_keys);
                states = ref MemoryMarshal.GetArrayDataReference(pane.States);
            }

            fused.Add(ref Unsafe.Add(ref states, number), in value, in selected, ticks[i]);
            if (evicts)
            {
                _touched[number] = ++_touches;
            }
        }
    }

    /// <summary>
    /// Many keys: selectors and look-ups run ahead, so that nothing stands between one update that misses the cache and the next. Where a selector
    /// throws, what was looked up before is added first, as everywhere.
    /// </summary>
    private void AddAhead(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, PaneColumn<TState> pane)
    {
        Pooled.Ensure(ref _numbers, events.Length);
        Pooled.Ensure(ref _selected, events.Length);
        var (keyOf, fused, numbers, selected) = (_key.Select, _kernel, _numbers, _selected);
        var view = new KeyIndex<TKey>.View(_keys);
        int end = start;
        try
        {
            for (; end < events.Length; end++)
            {
                ref readonly var value = ref events[end];
                var id = keyOf(value);
                selected[end] = fused.Select(in value);
                uint hash = (uint)id.GetHashCode();
                int number = view.Find(id, hash);
                if (number < 0)
                {
                    Position = end;
                    number = TryAddKey(id, hash, pane.Start, in value, ticks[end], out int added) ? added : -1;
                    view = new KeyIndex<TKey>.View(_keys);
                }

                numbers[end] = number;
            }
        }
        finally
        {
            AddNumbered(events[..end], ticks, start, pane.States);
            Position = end;
        }
    }

    private void AddNumbered(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, TState[] states)
    {
        var fused = _kernel;
        var numbers = _numbers.AsSpan(0, events.Length);
        var selected = _selected.AsSpan(0, events.Length);
        ref var first = ref MemoryMarshal.GetArrayDataReference(states);
        for (int i = start; i < numbers.Length; i++)
        {
            Position = i;
            if (numbers[i] >= 0)
            {
                fused.Add(ref Unsafe.Add(ref first, numbers[i]), in events[i], in selected[i], ticks[i]);
            }
        }
    }

    /// <summary>Adds an event that is late, or whose windows give results early.</summary>
    private void AddOne(in T value, long ticks)
    {
        if (ticks < _pastUpTo)
        {
            if (!_windows.MovesLate)
            {
                Interlocked.Increment(ref Query.LateEvents);
                return;
            }

            Interlocked.Increment(ref Query.MovedEvents);
            ticks = _windows.GoneUpTo(_watermark);
        }

        var id = _key.Select(value);
        var selected = _kernel.Select(in value);
        long pane = _windows.PaneAt(ticks).Start;
        uint hash = (uint)id.GetHashCode();
        int number = _keys.Find(id);
        if (number < 0 && !TryAddKey(id, hash, pane, in value, ticks, out number))
        {
            return;
        }

        _pool.Used = _keys.Count;
        if (_isHeld)
        {
            _held.Add(in value, in selected, ticks, number, id, _keys.At(number).Group, _watermark);
        }

        if (!_isEarly && ticks >= _windows.EarliestStart(_watermark))
        {
            if (_windows.NextEnd(ticks) > _watermark)
            {
                _kernel.Add(ref _panes.Open(ticks).States[number], in value, in selected, ticks);
            }
            else
            {
                _panes.AddClosed(number, in value, in selected, ticks, _watermark);
            }
        }

        _lastEvents[number] = Math.Max(_lastEvents[number], pane);
        if (Evicts)
        {
            _touched[number] = ++_touches;
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
        if (!_panes.TryDropMerge())
        {
            _held.FireAt++;
        }
    }

    protected override void Release()
    {
        _output.Dispose();
        _keys.Release();
        Pooled.Return(ref _numbers, 0);
        Pooled.Return(ref _selected, _selected.Length);
    }

    private void FireDue(long time)
    {
        _current = null;
        _pool.Used = _keys.Count;

        if (!_isEarly)
        {
            // What waits is about windows that have fired, and comes first; but for what evicted keys have given.
            if (_mayFlush)
            {
                _output.Flush();
            }

            while (_panes.TryNextEnd(_fired, out long end) && end <= time)
            {
                Fire(end);
                _fired = end;
            }
        }
        else
        {
            _held.FireDue(time, _keys);
        }

        _fired = Math.Max(_fired, time);
        _output.Flush();
        ForgetPast(time);
    }

    private void Fire(long end)
    {
        _panes.Close(end, _lastEvents.AsSpan(0, _keys.Count));
        for (; _fireSeries < _windows.SeriesCount; _fireSeries++)
        {
            var (start, itsEnd) = _windows.FirstWindow(_fireSeries, end - 1);
            if (itsEnd == end)
            {
                FireWindow(_fireSeries, start, end);
                _panes.EndWindow(_fireSeries);
            }
        }

        _fireSeries = 0;
    }

    private void FireWindow(int series, long start, long end)
    {
        var (front, back) = _panes.PartsOf(series, start);
        if (front is null && back is null)
        {
            return;
        }

        var held = _isHeld ? _held.At(series, start, end, _watermark) : null;
        bool isAlone = held is null && (front is null || back is null);
        var order = _keys.InOrder();
        for (; _held.FireAt < order.Length; _held.FireAt++)
        {
            // In order as they are, results need not wait for each other; and so few stay in the cache.
            if (_mayFlush && _output.Count >= EventBuffer<TResult>.DefaultCapacity)
            {
                _output.Flush();
            }

            int number = order[_held.FireAt];
            bool isInFront = front is not null && _kernel.HasEvents(in front[number]);
            bool isInBack = back is not null && _kernel.HasEvents(in back[number]);
            if (!isInFront && !isInBack)
            {
                continue;
            }

            ref var entry = ref _keys.At(number);
            if (isAlone)
            {
                _output.Emit(new WindowInfo<TKey>(entry.Key, start, end), entry.Group, ref (front ?? back!)[number]);
                continue;
            }

            TState state = default;
            if (isInFront)
            {
                _kernel.Merge(ref state, in front![number]);
            }

            if (isInBack)
            {
                _kernel.Merge(ref state, in back![number]);
            }

            if (held is not null)
            {
                held.States[number] = state;
                _held.Give(held, number, entry.Key, entry.Group, Firing.OnTime);
            }
            else
            {
                _output.Emit(new WindowInfo<TKey>(entry.Key, start, end), entry.Group, ref state);
                _kernel.Release(ref state);
            }
        }

        _held.FireAt = 0;
    }
}
