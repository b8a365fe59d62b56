using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// A window in a projection: its key, its bounds, its aggregates. A ref struct, so it can't be stored, captured or used in a nested
/// lambda.
/// </summary>
/// <remarks>
/// The projection runs once more than there are windows: on the query's first event, over a window that holds exactly that event, to find out
/// which aggregates it asks for. A selector is known by its source text: the same text is called once for each event, and all its
/// aggregates are one state. A NaN makes the sum, average, minimum and maximum of its window NaN.
/// </remarks>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The event's type.</typeparam>
public readonly ref partial struct WindowGroup<TKey, T>
{
    private readonly Projection<T> _projection;
    private readonly Span<Moments> _cells;
    private readonly AggregateCell?[]? _row;
    private readonly WindowInfo<TKey> _info;

    internal WindowGroup(Projection<T> projection, in WindowInfo<TKey> info, Span<Moments> cells, AggregateCell?[]? row)
    {
        _projection = projection;
        _info = info;
        _cells = cells;
        _row = row;
    }

    /// <summary>The key.</summary>
    public TKey Key => _info.Key;

    /// <summary>The first instant inside the window, in UTC.</summary>
    public DateTimeOffset Start => _info.Start;

    /// <summary>The first instant behind the window, in UTC.</summary>
    public DateTimeOffset End => _info.End;

    /// <summary>Why the window gives this result.</summary>
    public Firing Firing => _info.Firing;

    /// <summary>How many results of this window and key came before.</summary>
    public int Revision => _info.Revision;

    /// <summary>Whether this corrects a result that was given before.</summary>
    public bool IsUpdate => _info.IsUpdate;

    internal long StartTicks => _info.StartTicks;

    internal long EndTicks => _info.EndTicks;

    /// <summary>How many events; never 0: a window without events has no result.</summary>
    public long Count() => _cells[0].Count;

    /// <summary>The sum.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Sum(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => Cell(value, text, AggregateKinds.Sum).Sum;

    /// <summary>The arithmetic mean.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Average(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "")
    {
        ref var cell = ref Cell(value, text, AggregateKinds.Sum);
        return cell.Sum / cell.Count;
    }

    /// <summary>The least value.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Min(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => Cell(value, text, AggregateKinds.Minimum).Minimum;

    /// <summary>The greatest value.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Max(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => Cell(value, text, AggregateKinds.Maximum).Maximum;

    internal TAccumulator Result<TValue, TAccumulator, TFeed>(TAccumulator seed, Func<T, TValue> value, string text)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator> =>
        _projection.ResultOf<TValue, TAccumulator, TFeed, OneSelection<T, TValue>>(_row, seed, new OneSelection<T, TValue>(value, text));

    /// <summary>The same over pairs of two selectors' values.</summary>
    internal TAccumulator Result<TFirst, TSecond, TAccumulator, TFeed>(
        TAccumulator seed, Func<T, TFirst> first, Func<T, TSecond> second, string firstText, string secondText)
        where TAccumulator : struct
        where TFeed : struct, IFeed<(TFirst, TSecond), TAccumulator> =>
        _projection.ResultOf<(TFirst, TSecond), TAccumulator, TFeed, PairSelection<T, TFirst, TSecond>>(
            _row, seed, new PairSelection<T, TFirst, TSecond>(first, second, firstText, secondText));

    private ref Moments Cell(Func<T, double> value, string text, AggregateKinds kind)
    {
        int cell = _projection.CellOf(value, text);
        _projection.Require(kind);
        return ref _cells[cell];
    }
}
