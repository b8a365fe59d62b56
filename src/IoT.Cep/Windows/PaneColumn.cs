namespace IoT.Cep;

/// <summary>A state for each key's number, over a stretch of time.</summary>
internal sealed class PaneColumn<TState>
{
    internal long Start { get; set; }

    internal long End { get; set; }

    internal TState[] States { get; set; } = [];

    /// <summary>Where in a list that is in order of time a stretch begins, or would be put (as its complement).</summary>
    internal static int Find(List<PaneColumn<TState>> columns, long start)
    {
        int at = columns.Count;
        while (at > 0 && columns[at - 1].Start > start)
        {
            at--;
        }

        return at > 0 && columns[at - 1].Start == start ? at - 1 : ~at;
    }
}

/// <summary>The columns of one operator: all as long as its keys need, and used again.</summary>
internal sealed class ColumnPool<T, TState, TValue, TKernel>(TKernel kernel)
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int MaxFree = 16;
    private const int MaxEmpty = 2; // as many panes as are open at once while events are a little out of order

    private readonly Stack<TState[]> _empty = new();
    private readonly Stack<TState[]> _worn = new();
    private readonly Stack<PaneColumn<TState>> _shells = new();

    /// <summary>How long columns are.</summary>
    internal int Capacity { get; private set; }

    /// <summary>How much of them the keys' numbers use.</summary>
    internal int Used { get; set; }

    internal PaneColumn<TState> Rent(long start, long end) => Cover(start, end, Rent());

    /// <summary>A column of which the used part is to be overwritten: it holds anything.</summary>
    internal PaneColumn<TState> RentWorn(long start, long end) => Cover(start, end, RentWorn(Used));

    internal void Return(PaneColumn<TState> column)
    {
        Return(column.States);
        Uncover(column);
    }

    /// <summary>Takes a column back that has been emptied. It is the next that is rented empty.</summary>
    internal void ReturnEmpty(PaneColumn<TState> column)
    {
        if (_empty.Count < MaxEmpty)
        {
            _empty.Push(column.States);
        }
        else
        {
            Forget(column.States);
        }

        Uncover(column);
    }

    internal TState[] Rent() => _empty.Count > 0 ? _empty.Pop() : RentWorn(0);

    internal void Return(TState[] states)
    {
        for (int i = 0; kernel.NeedsRelease && i < states.Length; i++)
        {
            kernel.Release(ref states[i]);
        }

        Forget(states);
    }

    internal void Resize(int capacity)
    {
        if (capacity != Capacity)
        {
            Capacity = capacity;
            _empty.Clear();
            _worn.Clear();
        }
    }

    /// <summary>The column at its new length.</summary>
    internal TState[] Grow(TState[] states)
    {
        Array.Resize(ref states, Capacity);
        return states;
    }

    /// <summary>The column in the keys' new order.</summary>
    internal TState[] Sort(TState[] states, ReadOnlySpan<int> order)
    {
        var sorted = RentWorn(order.Length);
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = states[order[i]];
        }

        Forget(states);
        return sorted;
    }

    /// <summary>A column that is empty from a place on.</summary>
    private TState[] RentWorn(int from)
    {
        if (!_worn.TryPop(out var states))
        {
            return new TState[Capacity];
        }

        // Cleared now, and not when it came back: what is used next is in the caches then.
        Array.Clear(states, from, states.Length - from);
        return states;
    }

    private void Forget(TState[] states)
    {
        if (states.Length == Capacity && _worn.Count < MaxFree)
        {
            _worn.Push(states);
        }
    }

    private PaneColumn<TState> Cover(long start, long end, TState[] states)
    {
        var column = _shells.Count > 0 ? _shells.Pop() : new PaneColumn<TState>();
        (column.Start, column.End, column.States) = (start, end, states);
        return column;
    }

    private void Uncover(PaneColumn<TState> column)
    {
        column.States = [];
        if (_shells.Count < MaxFree)
        {
            _shells.Push(column);
        }
    }
}
