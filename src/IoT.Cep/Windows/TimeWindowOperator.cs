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
    private readonly IResultsAtOnce<TKey, TState, TResult>? _atOnce;
    private ReadyWindow<TKey, TState>[] _merged = [];
    private byte[] _groups = [];

    // State that checkpoints save.
    private readonly KeyIndex<TKey> _keys;
    private readonly SharedPanes<T, TState, TValue, TKernel> _panes;
    private readonly HeldWindows<TKey, T, TState, TValue, TKernel, TResult> _held;
    private readonly KeyLives _lives;
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
        _atOnce = parts.Identity || !TKernel.IsPlain ? null : parts.Result.AtOnce;
        _keys = new KeyIndex<TKey>(_key.MaxKeys);
        _pool = new ColumnPool<T, TState, TValue, TKernel>(_kernel);
        _panes = new SharedPanes<T, TState, TValue, TKernel>(_windows, _kernel, _pool);
        _lives = new KeyLives(Evicts);
        _held = new HeldWindows<TKey, T, TState, TValue, TKernel, TResult>(_windows, _kernel, _output, _pool, _lives);
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
            AddRun(batch.Events[..end], ticks, i, pane);
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
        Pooled.Return(ref _merged, _merged.Length);
        Pooled.Return(ref _groups, 0);
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
}
