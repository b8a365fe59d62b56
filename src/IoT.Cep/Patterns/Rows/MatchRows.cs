using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>The verbs of row patterns.</summary>
public static class MatchRowsExtensions
{
    /// <summary>How many rows the starts of a key may have together where nothing else is said.</summary>
    public const int DefaultMaxRowsPerKey = 10_000;

    /// <summary>
    /// Finds the matches of a row pattern, for each key apart, in order of event time: SQL's <c>MATCH_RECOGNIZE</c> with the key as <c>PARTITION
    /// BY</c>. A match is given at the row with which
    /// it ends, unless the pattern says <see cref="RowPattern{T}.WhenDecided"/> or <see cref="RowPattern{T}.AfterInterval"/>; its time is that of the
    /// row, or the time, at which it is given. Remembers the
    /// rows of each start for as long as a match from it is possible; late events are not looked at, and are counted.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxRowsPerKey">
    /// How many rows a key's starts may have, all of them together; and how many ways to fit the pattern may be open.
    /// </param>
    /// <param name="whenFull">
    /// Which start gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.
    /// </param>
    /// <exception cref="ArgumentException">The pattern could go on for ever.</exception>
    public static IEventStream<Match<T>> MatchRows<TKey, T>(
        this IKeyedStream<TKey, T> stream, RowPattern<T> pattern, int maxRowsPerKey = DefaultMaxRowsPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest)
        where TKey : notnull => new MatchNode<TKey, T>(Input(stream), new RowParts<TKey, T>(stream, pattern, maxRowsPerKey, whenFull)).ToStream();

    /// <summary>
    /// Finds the matches of a row pattern and makes of each at once what is needed: SQL's <c>MEASURES</c>, with <c>ONE ROW PER MATCH</c>. Allocates
    /// nothing for a match. Otherwise as without the
    /// callback.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="measures">Called once for each match, on the thread that runs the query. The match can't be kept.</param>
    /// <param name="maxRowsPerKey">
    /// How many rows a key's starts may have, all of them together; and how many ways to fit the pattern may be open.
    /// </param>
    /// <param name="whenFull">
    /// Which start gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.
    /// </param>
    /// <param name="text">The callback's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">The pattern could go on for ever.</exception>
    public static IEventStream<TResult> MatchRows<TKey, T, TResult>(
        this IKeyedStream<TKey, T> stream, RowPattern<T> pattern, Func<PartialMatch<T>, TResult> measures, int maxRowsPerKey = DefaultMaxRowsPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, [CallerArgumentExpression(nameof(measures))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(measures);
        var parts = new RowParts<TKey, T>(stream, pattern, maxRowsPerKey, whenFull);
        return new MatchedNode<TKey, T, TResult>(Input(stream), parts, measures, StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>Finds the matches of a row pattern over all events, without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxRows">How many rows the starts may have, all of them together; and how many ways to fit the pattern may be open.</param>
    /// <param name="whenFull">
    /// Which start gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.
    /// </param>
    /// <exception cref="ArgumentException">The pattern could go on for ever.</exception>
    public static IEventStream<Match<T>> MatchRows<T>(
        this IEventStream<T> stream, RowPattern<T> pattern, int maxRows = DefaultMaxRowsPerKey, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        stream.Unkeyed().MatchRows(pattern, maxRows, whenFull);

    /// <summary>Finds the matches of a row pattern over all events, without a key, and makes of each at once what is needed.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="measures">Called once for each match, on the thread that runs the query. The match can't be kept.</param>
    /// <param name="maxRows">How many rows the starts may have, all of them together; and how many ways to fit the pattern may be open.</param>
    /// <param name="whenFull">
    /// Which start gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.
    /// </param>
    /// <param name="text">The callback's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">The pattern could go on for ever.</exception>
    public static IEventStream<TResult> MatchRows<T, TResult>(
        this IEventStream<T> stream, RowPattern<T> pattern, Func<PartialMatch<T>, TResult> measures, int maxRows = DefaultMaxRowsPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, [CallerArgumentExpression(nameof(measures))] string text = "") =>
        stream.Unkeyed().MatchRows(pattern, measures, maxRows, whenFull, text);

    /// <summary>
    /// The rows of a match, each with its variable: SQL's <c>ALL ROWS PER MATCH</c> is <c>MatchRows(pattern).SelectMany(m =&gt; m.AllRows())</c>.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="match">The match.</param>
    public static IReadOnlyList<MatchedRow<T>> AllRows<T>(this Match<T> match)
    {
        var rows = new MatchedRow<T>[match.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            ref readonly var one = ref match.Events[i];
            rows[i] = new MatchedRow<T>(match.Shape.HandleOf(one.Label), one.Event, Extensibility.Ticks.ToTime(one.Ticks));
        }

        return rows;
    }

    private static StreamNode<T> Input<TKey, T>(IKeyedStream<TKey, T> stream)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        stream.Node.RequireAppendOnly("MatchRows");
        return stream.Node;
    }
}

/// <summary>A row of a match.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="Variable">The variable, or step, that the row fits: SQL's <c>CLASSIFIER()</c>.</param>
/// <param name="Row">The row.</param>
/// <param name="Time">Its time.</param>
public readonly record struct MatchedRow<T>(Step Variable, T Row, DateTimeOffset Time);

/// <summary>What a match operator is made of where the pattern is one over rows.</summary>
internal sealed class RowParts<TKey, T> : MatchParts<TKey, T>
    where TKey : notnull
{
    private readonly RowPattern<T> _pattern;
    private readonly PatternShape<T> _shape;
    private readonly int _maxRowsPerKey;
    private readonly WhenMatchesFull _whenFull;

    internal RowParts(IKeyedStream<TKey, T> stream, RowPattern<T> pattern, int maxRowsPerKey, WhenMatchesFull whenFull)
        : base((stream ?? throw new ArgumentNullException(nameof(stream))).Key, stream.Node.IsOrdered)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRowsPerKey, 1);
        pattern.RequireBounds(nameof(pattern));
        (_pattern, _maxRowsPerKey, _whenFull) = (pattern, maxRowsPerKey, whenFull);

        // To what a match has, and to what is asked of it, the variables are the alternatives of one step.
        var variables = new StepNode<T>(Contiguity.Next, [.. pattern.Definitions.Select(one => new Choice<T>(one.Variable, one.Condition))]);
        var shapes = new PatternShape<T>[1];
        _shape = shapes[0] = new PatternShape<T>(new Pattern<T>([variables], pattern.Span, After.NoSkip), Conditions, shapes, 0);
    }

    internal override string Text => $"MatchRows {_pattern} {Key.ByTime}";

    internal override Matcher<TKey, T>[] MakeMatchers(QueryContext query, bool wantsTimeouts) =>
        [new RowMatcher<TKey, T>(_pattern, _shape, Key.MaxKeys, new MatchLimits(query, _maxRowsPerKey, _whenFull, wantsTimeouts))];
}
