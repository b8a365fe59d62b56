using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The panes of windows that follow from time alone. An event is added to one open pane. When a window ends, the panes up to there are merged into a
/// running state for each series of windows; what overlapping windows no longer hold is left out without taking it back, so minimum, maximum and
/// user-written aggregates slide as cheaply as sums do.
/// </summary>
/// <remarks>
/// Panes are cut into blocks as long as a window. The running state ("back") merges the panes of the block that is being filled. When a window reaches
/// into the next block, the panes of the full one become, from the last to the first and in place, the state of themselves and all behind them in the block
/// ("front"). A window that is not a block's beginning is one front state and the back: a pane is merged twice and a window once, whatever their number.
/// The blocks are those of van Herk (1992) and Gil and Werman (1993), the halves those of the two-stacks queue (Tangwongsan, Hirzel and Schneider,
/// Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time, DEBS 2017). Where a block ends depends on time alone, so that the states
/// of several shards fit together.
/// </remarks>
internal sealed partial class SharedPanes<T, TState, TValue, TKernel>
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly TimeWindows _windows;
    private readonly TKernel _kernel;
    private readonly ColumnPool<T, TState, TValue, TKernel> _pool;
    private readonly List<PaneColumn<TState>> _columns = [];

    // State that checkpoints save.
    private readonly List<PaneColumn<TState>> _open = [];
    private readonly Series[] _series;

    // Where merging stands, so that it goes on behind a merge that threw.
    private bool _isMerging;
    private int _mergeAt;
    private int _foldSeries;

    internal SharedPanes(TimeWindows windows, TKernel kernel, ColumnPool<T, TState, TValue, TKernel> pool)
    {
        (_windows, _kernel, _pool) = (windows, kernel, pool);
        _series = new Series[windows.SeriesCount];
        for (int i = 0; i < _series.Length; i++)
        {
            _series[i] = new Series();
        }
    }

    /// <summary>Where the first and the last pane start.</summary>
    internal (long First, long Last) Extent
    {
        get
        {
            var (first, last) = (long.MaxValue, long.MinValue);
            foreach (var column in Columns())
            {
                (first, last) = (Math.Min(first, column.Start), Math.Max(last, column.Start));
            }

            return (first, last);
        }
    }

    /// <summary>The pane that on-time events of this time are added to.</summary>
    internal PaneColumn<TState> Open(long ticks)
    {
        foreach (var pane in _open)
        {
            if (pane.Start <= ticks && ticks < pane.End)
            {
                return pane;
            }
        }

        var (start, end) = _windows.PaneAt(ticks);
        return Insert(_open, start, end);
    }

    /// <summary>Adds an event to a pane of which a window has ended, where others have not.</summary>
    internal void AddClosed(int number, in T value, in TValue selected, long ticks, long watermark)
    {
        var (start, end) = _windows.PaneAt(ticks);
        for (int i = 0; i < _series.Length; i++)
        {
            if (_windows.FirstWindow(i, Math.Max(ticks, watermark)).Start > ticks)
            {
                continue;
            }

            var series = _series[i];
            if (_windows.Slides && _windows.NextEnd(_windows.BlockEnd(start)) <= watermark)
            {
                EnsureFront(series, start, end);
                foreach (var front in series.Front)
                {
                    if (front.Start <= start)
                    {
                        _kernel.Add(ref front.States[number], in value, in selected, ticks);
                    }
                }

                continue;
            }

            if (_windows.Slides)
            {
                _kernel.Add(ref Insert(series.Raw, start, end).States[number], in value, in selected, ticks);
            }

            var back = series.Back ??= _pool.Rent(start, end);
            back.Start = Math.Min(back.Start, start);
            _kernel.Add(ref back.States[number], in value, in selected, ticks);
        }
    }

    /// <summary>The next end of a window that has events, behind those that have fired.</summary>
    internal bool TryNextEnd(long fired, out long end)
    {
        end = long.MaxValue;
        bool found = false;
        for (int i = 0; i < _series.Length; i++)
        {
            long oldest = Math.Min(_series[i].Oldest, _open.Count > 0 ? _open[0].Start : long.MaxValue);
            if (oldest != long.MaxValue)
            {
                end = Math.Min(end, _windows.FirstWindow(i, Math.Max(fired, oldest)).End);
                found = true;
            }
        }

        return found;
    }

    /// <summary>Merges the panes up to a window's end into the running states, and notes which keys had events in them.</summary>
    internal void Close(long end, Span<long> lastEvents)
    {
        while (_open.Count > 0 && _open[0].End <= end)
        {
            var pane = _open[0];
            if (TKernel.IsPlain && _windows.Slides)
            {
                TurnBefore(_series[0], pane.Start);
                Retire(_series[0], pane, lastEvents);
                _open.RemoveAt(0);
                continue;
            }

            bool isTaken = _windows.Slides;
            for (; _foldSeries < _series.Length; _foldSeries++)
            {
                if (_windows.Slides)
                {
                    TurnBefore(_series[_foldSeries], pane.Start);
                }

                isTaken |= Fold(_series[_foldSeries], pane, mayTake: _foldSeries == _series.Length - 1 && !_windows.Slides);
            }

            _foldSeries = 0;
            NoteEvents(pane.States.AsSpan(0, lastEvents.Length), lastEvents, pane.Start);
            _open.RemoveAt(0);
            if (_windows.Slides)
            {
                _series[0].Raw.Insert(~PaneColumn<TState>.Find(_series[0].Raw, pane.Start), pane);
            }
            else if (!isTaken)
            {
                _pool.Return(pane);
            }
        }

        if (_windows.Slides)
        {
            TurnBefore(_series[0], end - 1);
        }
    }

    /// <summary>Without a jump: which keys have events can't be foretold. Times are so far from the ends of a long that their differences are right.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NoteEvents(ReadOnlySpan<TState> states, Span<long> lastEvents, long start)
    {
        var kernel = _kernel;
        lastEvents = lastEvents[..states.Length];
        for (int i = 0; i < states.Length; i++)
        {
            long later = (start - lastEvents[i]) & -(long)Unsafe.BitCast<bool, byte>(kernel.HasEvents(in states[i]));
            lastEvents[i] += later & ~(later >> 63);
        }
    }

    /// <summary>What a window that ends now is made of, of one series; null where nothing is there.</summary>
    internal (TState[]? Front, TState[]? Back) PartsOf(int series, long start)
    {
        var front = _series[series].Front;
        while (front.Count > 0 && front[0].Start < start)
        {
            _pool.Return(front[0]);
            front.RemoveAt(0);
        }

        return (front.Count > 0 ? front[0].States : null, _series[series].Back?.States);
    }

    /// <summary>A window has fired: the next one of its series begins anew, unless they overlap.</summary>
    internal void EndWindow(int series)
    {
        if (!_windows.Slides && _series[series].Back is { } back)
        {
            _pool.Return(back);
            _series[series].Back = null;
        }
    }

    /// <summary>One key's events of a window that has not ended: those that came so far.</summary>
    internal void Gather(int series, long start, long end, int number, ref TState state)
    {
        var from = _series[series];
        if (from.Front.Find(front => front.Start >= start) is { } first)
        {
            _kernel.Merge(ref state, in first.States[number]);
        }

        if (!_windows.Slides && from.Back is { } back && back.Start >= start && back.Start < end)
        {
            _kernel.Merge(ref state, in back.States[number]);
        }

        MergeWithin(from.Raw, start, end, number, ref state);
        MergeWithin(_open, start, end, number, ref state);
    }

    /// <summary>Whether a key has events in a pane that is still open.</summary>
    internal bool IsInOpenPane(int number)
    {
        foreach (var pane in _open)
        {
            if (_kernel.HasEvents(in pane.States[number]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Forgets a key.</summary>
    internal void Clear(int number)
    {
        foreach (var column in Columns())
        {
            _kernel.Release(ref column.States[number]);
            column.States[number] = default;
        }
    }

    internal void Grow()
    {
        foreach (var column in Columns())
        {
            column.States = _pool.Grow(column.States);
        }
    }

    internal void Sort(ReadOnlySpan<int> order)
    {
        foreach (var column in Columns())
        {
            column.States = _pool.Sort(column.States, order);
        }
    }

    private List<PaneColumn<TState>> Columns()
    {
        _columns.Clear();
        _columns.AddRange(_open);
        foreach (var series in _series)
        {
            _columns.AddRange(series.Raw);
            _columns.AddRange(series.Front);
            if (series.Back is { } back)
            {
                _columns.Add(back);
            }
        }

        return _columns;
    }

    private void MergeWithin(List<PaneColumn<TState>> panes, long start, long end, int number, ref TState state)
    {
        foreach (var pane in panes)
        {
            if (pane.Start >= start && pane.End <= end)
            {
                _kernel.Merge(ref state, in pane.States[number]);
            }
        }
    }

    /// <summary>Merges a pane into a series' running state. True where the pane itself became that state.</summary>
    private bool Fold(Series series, PaneColumn<TState> pane, bool mayTake)
    {
        if (series.Back is null && mayTake)
        {
            series.Back = pane;
            return true;
        }

        var back = series.Back ??= _pool.Rent(pane.Start, pane.End);
        MergeAll(back.States, pane.States);
        back.Start = Math.Min(back.Start, pane.Start);
        return false;
    }

    private PaneColumn<TState> Insert(List<PaneColumn<TState>> columns, long start, long end)
    {
        int at = PaneColumn<TState>.Find(columns, start);
        if (at < 0)
        {
            columns.Insert(~at, _pool.Rent(start, end));
            at = ~at;
        }

        return columns[at];
    }

    private void MergeAll(TState[] into, TState[] from)
    {
        var kernel = _kernel;
        _isMerging = true;
        if (TKernel.IsPlain)
        {
            _mergeAt = TKernel.MergeSideBySide(into.AsSpan(0, _pool.Used), from.AsSpan(0, _pool.Used));
        }

        for (; _mergeAt < _pool.Used; _mergeAt++)
        {
            kernel.Merge(ref into[_mergeAt], in from[_mergeAt]);
        }

        (_mergeAt, _isMerging) = (0, false);
    }

    /// <summary>Goes on behind a key whose merge threw; false where it was not a merge that threw.</summary>
    internal bool TryDropMerge()
    {
        _mergeAt += _isMerging ? 1 : 0;
        return _isMerging;
    }

    private sealed class Series
    {
        /// <summary>The panes of the block that is being filled, merged; or those of the window that is, where windows don't overlap.</summary>
        internal PaneColumn<TState>? Back { get; set; }

        /// <summary>The panes of the block that is being filled, each for itself; only where windows overlap.</summary>
        internal List<PaneColumn<TState>> Raw { get; } = [];

        /// <summary>The panes of the full block, each merged with those behind it.</summary>
        internal List<PaneColumn<TState>> Front { get; } = [];

        internal long Oldest => Front.Count > 0 ? Front[0].Start : Raw.Count > 0 ? Raw[0].Start : Back?.Start ?? long.MaxValue;
    }
}
