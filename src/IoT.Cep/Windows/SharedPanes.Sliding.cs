namespace IoT.Cep;

/// <content>How panes become what overlapping windows are put together from.</content>
internal sealed partial class SharedPanes<T, TState, TValue, TKernel>
{
    /// <summary>So many keys' states of three columns stay in the first cache.</summary>
    private const int SweptTogether = 256;

    /// <summary>
    /// Plain states of overlapping windows, in one sweep. The pane's column is left empty for the next pane: the memory that events fall into at random
    /// stays in the caches, while what is kept of the pane is written and read in order.
    /// </summary>
    private void Retire(Series series, PaneColumn<TState> pane, Span<long> lastEvents)
    {
        var kept = _pool.RentWorn(pane.Start, pane.End);
        series.Raw.Insert(~PaneColumn<TState>.Find(series.Raw, pane.Start), kept);
        var back = series.Back ??= _pool.Rent(pane.Start, pane.End);
        back.Start = Math.Min(back.Start, pane.Start);
        for (int at = 0; at < lastEvents.Length; at += SweptTogether)
        {
            int count = Math.Min(SweptTogether, lastEvents.Length - at);
            Retire(pane.States.AsSpan(at, count), kept.States.AsSpan(at, count), back.States.AsSpan(at, count));
            NoteEvents(kept.States.AsSpan(at, count), lastEvents.Slice(at, count), pane.Start);
        }

        _pool.ReturnEmpty(pane);
    }

    private void Retire(Span<TState> states, Span<TState> kept, Span<TState> merged)
    {
        for (int i = TKernel.MergeSideBySide(merged, states); i < states.Length; i++)
        {
            _kernel.Merge(ref merged[i], in states[i]);
        }

        states.CopyTo(kept);
        states.Clear();
    }

    /// <summary>Turns a full block, all of which lies before a border, into front states.</summary>
    private void TurnBefore(Series series, long border)
    {
        if (series.Raw.Count == 0 || _windows.BlockEnd(series.Raw[0].Start) > border)
        {
            return;
        }

        // What is left of the block before is in no window any more.
        while (series.Front.Count > 0 && _windows.BlockEnd(series.Front[0].Start) <= series.Raw[0].Start)
        {
            _pool.Return(series.Front[0]);
            series.Front.RemoveAt(0);
        }

        while (series.Raw.Count > 0)
        {
            var pane = series.Raw[^1];
            if (series.Front.Count > 0)
            {
                MergeAll(pane.States, series.Front[0].States);
            }

            series.Raw.RemoveAt(series.Raw.Count - 1);
            series.Front.Insert(0, pane);
        }

        if (series.Back is { } back)
        {
            _pool.Return(back);
            series.Back = null;
        }
    }

    /// <summary>A front state at a pane that had no events: it is that of the next pane.</summary>
    private void EnsureFront(Series series, long start, long end)
    {
        int at = PaneColumn<TState>.Find(series.Front, start);
        if (at >= 0)
        {
            return;
        }

        var front = _pool.Rent(start, end);
        for (int i = 0; ~at < series.Front.Count && i < _pool.Used; i++)
        {
            _kernel.Merge(ref front.States[i], in series.Front[~at].States[i]);
        }

        series.Front.Insert(~at, front);
    }
}
