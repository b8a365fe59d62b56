using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

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
    private readonly ref Moments _cells;
    private readonly WindowContext<TKey, T> _context;

    internal WindowGroup(WindowContext<TKey, T> context, Span<Moments> cells)
    {
        _context = context;
        _cells = ref MemoryMarshal.GetReference(cells);
    }

    /// <summary>The key.</summary>
    public TKey Key => _context.Key;

    /// <summary>The first instant inside the window, in UTC.</summary>
    public DateTimeOffset Start => Ticks.ToTime(_context.Start);

    /// <summary>The first instant behind the window, in UTC.</summary>
    public DateTimeOffset End => Ticks.ToTime(_context.End);

    /// <summary>Why the window gives this result.</summary>
    public Firing Firing => _context.Firing;

    /// <summary>How many results of this window and key came before.</summary>
    public int Revision => _context.Revision;

    /// <summary>Whether this corrects a result that was given before.</summary>
    public bool IsUpdate => _context.Revision > 0;

    internal long StartTicks => _context.Start;

    internal long EndTicks => _context.End;

    /// <summary>How many events; never 0: a window without events has no result.</summary>
    public long Count() => _cells.Count;

    /// <summary>The sum.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Sum(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => Sums(value, text).Sum;

    /// <summary>The arithmetic mean.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Average(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "")
    {
        ref var cell = ref Sums(value, text);
        return cell.Sum / cell.Count;
    }

    /// <summary>The least value.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Min(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => (ReferenceEquals(value, _context.Projection.FirstWithMinimum) ? ref _cells : ref Cell(value, text, AggregateKinds.Minimum)).Minimum;

    /// <summary>The greatest value.</summary>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public double Max(Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") => (ReferenceEquals(value, _context.Projection.FirstWithMaximum) ? ref _cells : ref Cell(value, text, AggregateKinds.Maximum)).Maximum;

    internal TAccumulator Result<TValue, TAccumulator, TFeed>(TAccumulator seed, Func<T, TValue> value, string text)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator> =>
        _context.Projection.ResultOf<TValue, TAccumulator, TFeed, OneSelection<T, TValue>>(_context.Row, seed, new OneSelection<T, TValue>(value, text));

    /// <summary>The same over pairs of two selectors' values.</summary>
    internal TAccumulator Result<TFirst, TSecond, TAccumulator, TFeed>(
        TAccumulator seed, Func<T, TFirst> first, Func<T, TSecond> second, string firstText, string secondText)
        where TAccumulator : struct
        where TFeed : struct, IFeed<(TFirst, TSecond), TAccumulator> =>
        _context.Projection.ResultOf<(TFirst, TSecond), TAccumulator, TFeed, PairSelection<T, TFirst, TSecond>>(
            _context.Row, seed, new PairSelection<T, TFirst, TSecond>(first, second, firstText, secondText));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Moments Sums(Func<T, double> value, string text) =>
        ref ReferenceEquals(value, _context.Projection.FirstWithSum) ? ref _cells : ref Cell(value, text, AggregateKinds.Sum);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref Moments Cell(Func<T, double> value, string text, AggregateKinds kind)
    {
        // A place of the projection's own: there are at least as many cells as selectors.
        int cell = _context.Projection.CellOf(value, text);
        _context.Projection.Require(kind, text);
        return ref Unsafe.Add(ref _cells, cell);
    }
}
