namespace IoT.Cep;

/// <summary>What row patterns ask of a match besides.</summary>
public readonly ref partial struct PartialMatch<T>
{
    /// <summary>
    /// All its events, whichever step took them. In a row pattern's definition the row that is asked about is among them, as the last one.
    /// </summary>
    public PartialRows<T> Rows => new(_chains, _last);

    /// <summary>
    /// Of a row pattern's definition: the row that stands so many rows before the one that is asked about, also from before the match.
    /// </summary>
    /// <param name="rows">How many rows; more than are in the match only as far as <see cref="RowPattern{T}.Lookback"/> says.</param>
    /// <exception cref="InvalidOperationException">
    /// There is no such row yet (ask <see cref="HasPrevious"/>), or it is not kept (say <c>Lookback</c>).
    /// </exception>
    public T Previous(int rows = 1) => TryPrevious(rows, out var row)
        ? row
        : throw new InvalidOperationException($"No row stands {rows:N0} rows before this one yet: ask HasPrevious({rows}) first.");

    /// <summary>
    /// Of a row pattern's definition: a value of a row before; not a number where there is no such row, so that no comparison with it is true.
    /// </summary>
    /// <param name="value">The value.</param>
    /// <param name="rows">How many rows before the one that is asked about.</param>
    /// <exception cref="InvalidOperationException">The row is not kept: say <see cref="RowPattern{T}.Lookback"/>.</exception>
    public double Previous(Func<T, double> value, int rows = 1)
    {
        ArgumentNullException.ThrowIfNull(value);
        return TryPrevious(rows, out var row) ? value(row) : double.NaN;
    }

    /// <summary>Of a row pattern's definition: whether so many rows were seen before the one that is asked about.</summary>
    /// <param name="rows">How many rows.</param>
    /// <exception cref="InvalidOperationException">
    /// It can't be told, as so many rows are not kept: say <see cref="RowPattern{T}.Lookback"/>.
    /// </exception>
    public bool HasPrevious(int rows = 1) => TryPrevious(rows, out _);

    private bool TryPrevious(int rows, out T row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        int at = _last;
        for (int back = rows; back > 0 && at >= 0; back--)
        {
            at = _chains.At(at).Previous;
        }

        if (at >= 0)
        {
            row = _chains.At(at).Event;
            return true;
        }

        return _before is not null
            ? _before.TryGet(rows, out row)
            : throw new InvalidOperationException($"What stands {rows:N0} rows before is not in the match: only a row pattern's definitions look further back.");
    }
}

/// <summary>
/// All events of a match, in order, as a condition or a callback sees them. Found from the last one backwards, so the last ones are the cheap ones.
/// </summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly ref struct PartialRows<T>
{
    private readonly Chains<T> _chains;
    private readonly int _last;

    internal PartialRows(Chains<T> chains, int last) => (_chains, _last) = (chains, last);

    /// <summary>How many.</summary>
    public int Count => _chains.LengthOf(_last);

    /// <summary>The first one.</summary>
    public T First => this[0];

    /// <summary>The last one.</summary>
    public T Last => this[Count - 1];

    /// <summary>One of them, in order: <c>m.Rows[^2]</c> is the row before the last.</summary>
    /// <param name="index">From 0.</param>
    public T this[int index]
    {
        get
        {
            int count = Count;
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
            int at = _last;
            for (int back = count - 1 - index; back > 0; back--)
            {
                at = _chains.At(at).Previous;
            }

            return _chains.At(at).Event;
        }
    }

    /// <summary>The sum of a value of them; 0 of none. Added up anew each time.</summary>
    /// <param name="value">The value.</param>
    public double Sum(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double sum = 0;
        for (int at = _last; at >= 0; at = _chains.At(at).Previous)
        {
            sum += value(_chains.At(at).Event);
        }

        return sum;
    }

    /// <summary>The average of a value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Average(Func<T, double> value) => Sum(value) / Count;

    /// <summary>The least value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Min(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double min = double.NaN;
        for (int at = _last; at >= 0; at = _chains.At(at).Previous)
        {
            double one = value(_chains.At(at).Event);
            min = double.IsNaN(min) ? one : Math.Min(min, one);
        }

        return min;
    }

    /// <summary>The greatest value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Max(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double max = double.NaN;
        for (int at = _last; at >= 0; at = _chains.At(at).Previous)
        {
            double one = value(_chains.At(at).Event);
            max = double.IsNaN(max) ? one : Math.Max(max, one);
        }

        return max;
    }
}

/// <summary>The rows of a key that stand before the one that is asked about, as far as a pattern looks back: a ring.</summary>
internal sealed class RowsBefore<T>(int lookback)
{
    private T[]? _ring;
    private long _rows;

    internal void Begin(T[]? ring, long rows) => (_ring, _rows) = (ring, rows);

    internal bool TryGet(int rows, out T row)
    {
        if (rows > lookback)
        {
            throw new InvalidOperationException($"Only {lookback:N0} rows before a match are kept: say .Lookback({rows}).");
        }

        bool isThere = rows <= _rows;
        row = isThere ? _ring![(_rows - rows) % lookback] : default!;
        return isThere;
    }
}
