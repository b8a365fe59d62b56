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

/// <summary>The columns of one operator: all as long as its keys need, and emptied ones used again.</summary>
internal sealed class ColumnPool<T, TState, TValue, TKernel>(TKernel kernel)
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int MaxFree = 16;

    private readonly Stack<TState[]> _free = new();
    private readonly Stack<PaneColumn<TState>> _shells = new();

    /// <summary>How long columns are.</summary>
    internal int Capacity { get; private set; }

    /// <summary>How much of them the keys' numbers use.</summary>
    internal int Used { get; set; }

    internal PaneColumn<TState> Rent(long start, long end)
    {
        var column = _shells.Count > 0 ? _shells.Pop() : new PaneColumn<TState>();
        (column.Start, column.End, column.States) = (start, end, Rent());
        return column;
    }

    internal void Return(PaneColumn<TState> column)
    {
        Return(column.States);
        column.States = [];
        if (_shells.Count < MaxFree)
        {
            _shells.Push(column);
        }
    }

    internal TState[] Rent() => _free.Count > 0 ? _free.Pop() : new TState[Capacity];

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
            _free.Clear();
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
        var sorted = Rent();
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = states[order[i]];
        }

        Forget(states);
        return sorted;
    }

    private void Forget(TState[] states)
    {
        if (states.Length == Capacity && _free.Count < MaxFree)
        {
            Array.Clear(states);
            _free.Push(states);
        }
    }
}
