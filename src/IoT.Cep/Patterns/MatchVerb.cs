using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>The verbs of patterns.</summary>
public static class MatchExtensions
{
    /// <summary>How many partial matches a key may have open at a time where nothing else is said.</summary>
    public const int DefaultMaxPartialMatchesPerKey = 1_000;

    /// <summary>
    /// Finds each match of a pattern, for each key apart, in order of event time: an event is looked at when the watermark reaches it. Every
    /// event that the first step takes begins a match of its own. Remembers the events of partial matches for as long as the pattern's
    /// <c>Within</c>; late events are not looked at, and are counted. The result's time is its last event's; of an absence, when it is certain.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxPartialMatchesPerKey">How many partial matches a key may have open; of a pattern that runs as sets, how many events they may hold.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <param name="remember">How many partial matches are remembered, open and ended, so that <see cref="Query.WhyNot"/> can say what became of them; 0: none.</param>
    /// <exception cref="ArgumentException">The pattern could wait, and grow, for ever.</exception>
    public static IEventStream<Match<T>> Match<TKey, T>(
        this IKeyedStream<TKey, T> stream, Pattern<T> pattern, int maxPartialMatchesPerKey = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, int remember = 0)
        where TKey : notnull =>
        new MatchNode<TKey, T>(Input(stream), Parts(stream, [pattern], maxPartialMatchesPerKey, whenFull, remember)).ToStream();

    /// <inheritdoc cref="Match{TKey, T}(IKeyedStream{TKey, T}, Pattern{T}, int, WhenMatchesFull, int)"/>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="timeouts">
    /// Partial matches whose time was over before they were complete, with what they had. A query that reads both streams runs the pattern twice.
    /// </param>
    /// <param name="maxPartialMatchesPerKey">How many partial matches a key may have open; of a pattern that runs as sets, how many events they may hold.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    public static IEventStream<Match<T>> Match<TKey, T>(
        this IKeyedStream<TKey, T> stream, Pattern<T> pattern, out IEventStream<Timeout<T>> timeouts,
        int maxPartialMatchesPerKey = DefaultMaxPartialMatchesPerKey, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest)
        where TKey : notnull
    {
        var parts = Parts(stream, [pattern], maxPartialMatchesPerKey, whenFull);
        timeouts = new TimeoutNode<TKey, T>(Input(stream), parts).ToStream();
        return new MatchNode<TKey, T>(Input(stream), parts).ToStream();
    }

    /// <summary>
    /// Finds each match of a pattern and makes of it at once what is needed: <c>Match(pattern, m =&gt; m[hot].Celsius)</c> allocates nothing for a match.
    /// Otherwise as without the callback.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="result">Called once for each match, on the thread that runs the query. The match can't be kept.</param>
    /// <param name="maxPartialMatchesPerKey">How many partial matches a key may have open; of a pattern that runs as sets, how many events they may hold.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <param name="text">The callback's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">The pattern could wait, and grow, for ever.</exception>
    public static IEventStream<TResult> Match<TKey, T, TResult>(
        this IKeyedStream<TKey, T> stream, Pattern<T> pattern, Func<PartialMatch<T>, TResult> result,
        int maxPartialMatchesPerKey = DefaultMaxPartialMatchesPerKey, WhenMatchesFull whenFull = WhenMatchesFull.DropOldest,
        [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(result);
        return new MatchedNode<TKey, T, TResult>(Input(stream), Parts(stream, [pattern], maxPartialMatchesPerKey, whenFull), result, StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>
    /// Finds each match of several patterns in one pass: a condition that several of them have is asked once for each event, and an event costs only those
    /// patterns that it concerns. <c>m.Variant</c> is the index of the pattern. Conditions are the same where they are one lambda with the same captured
    /// variables, or equal structured predicates.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="patterns">The patterns.</param>
    /// <param name="maxPartialMatchesPerKey">How many partial matches of each pattern a key may have open; of one that runs as sets, how many events they may hold.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <exception cref="ArgumentException">There is no pattern, or one could wait, and grow, for ever.</exception>
    public static IEventStream<Match<T>> Match<TKey, T>(
        this IKeyedStream<TKey, T> stream, IReadOnlyList<Pattern<T>> patterns, int maxPartialMatchesPerKey = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest)
        where TKey : notnull =>
        new MatchNode<TKey, T>(Input(stream), Parts(stream, patterns, maxPartialMatchesPerKey, whenFull)).ToStream();

    /// <summary>Finds each match of a pattern over all events, without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxPartialMatches">How many partial matches may be open.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <param name="remember">How many partial matches are remembered, open and ended, so that <see cref="Query.WhyNot"/> can say what became of them; 0: none.</param>
    /// <exception cref="ArgumentException">The pattern could wait, and grow, for ever.</exception>
    public static IEventStream<Match<T>> Match<T>(
        this IEventStream<T> stream, Pattern<T> pattern, int maxPartialMatches = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, int remember = 0) =>
        stream.Unkeyed().Match(pattern, maxPartialMatches, whenFull, remember);

    /// <inheritdoc cref="Match{T}(IEventStream{T}, Pattern{T}, int, WhenMatchesFull, int)"/>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="timeouts">Partial matches whose time was over before they were complete, with what they had.</param>
    /// <param name="maxPartialMatches">How many partial matches may be open.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    public static IEventStream<Match<T>> Match<T>(
        this IEventStream<T> stream, Pattern<T> pattern, out IEventStream<Timeout<T>> timeouts, int maxPartialMatches = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        stream.Unkeyed().Match(pattern, out timeouts, maxPartialMatches, whenFull);

    /// <summary>Finds each match of a pattern over all events, without a key, and makes of it at once what is needed: nothing is allocated for a match.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="result">Called once for each match, on the thread that runs the query. The match can't be kept.</param>
    /// <param name="maxPartialMatches">How many partial matches may be open.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <param name="text">The callback's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="ArgumentException">The pattern could wait, and grow, for ever.</exception>
    public static IEventStream<TResult> Match<T, TResult>(
        this IEventStream<T> stream, Pattern<T> pattern, Func<PartialMatch<T>, TResult> result, int maxPartialMatches = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest, [CallerArgumentExpression(nameof(result))] string text = "") =>
        stream.Unkeyed().Match(pattern, result, maxPartialMatches, whenFull, text);

    /// <summary>Finds each match of several patterns in one pass over all events, without a key. <c>m.Variant</c> is the index of the pattern.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="patterns">The patterns.</param>
    /// <param name="maxPartialMatches">How many partial matches of each pattern may be open.</param>
    /// <param name="whenFull">Which one gives way beyond that: by default the oldest. Counted in <see cref="Query.DiscardedPartialMatches"/>.</param>
    /// <exception cref="ArgumentException">There is no pattern, or one could wait, and grow, for ever.</exception>
    public static IEventStream<Match<T>> Match<T>(
        this IEventStream<T> stream, IReadOnlyList<Pattern<T>> patterns, int maxPartialMatches = DefaultMaxPartialMatchesPerKey,
        WhenMatchesFull whenFull = WhenMatchesFull.DropOldest) =>
        stream.Unkeyed().Match(patterns, maxPartialMatches, whenFull);

    /// <summary>A pattern that ends in a negation can't be matched: it would wait for ever.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    [Obsolete("A pattern that ends in NotFollowedBy or NotNext waits for an absence: say how long with .Within(...).", error: true)]
    public static IEventStream<Match<T>> Match<TKey, T>(this IKeyedStream<TKey, T> stream, NegatedPattern<T> pattern)
        where TKey : notnull => throw new NotSupportedException();

    private static StreamNode<T> Input<TKey, T>(IKeyedStream<TKey, T> stream)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        stream.Node.RequireAppendOnly("Match");
        return stream.Node;
    }

    private static MatchParts<TKey, T> Parts<TKey, T>(IKeyedStream<TKey, T> stream, IReadOnlyList<Pattern<T>> patterns, int maxPerKey, WhenMatchesFull whenFull, int remember = 0)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(patterns);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxPerKey, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(remember);
        if (patterns.Count == 0)
        {
            throw new ArgumentException("There is no pattern.", nameof(patterns));
        }

        foreach (var pattern in patterns)
        {
            ArgumentNullException.ThrowIfNull(pattern);
            PatternBounds.Require(pattern);
        }

        return new MatchParts<TKey, T>([.. patterns], stream.Key, stream.Node.IsOrdered, maxPerKey, whenFull) { Remembered = remember };
    }
}

/// <summary>What a match operator is made of. The shapes are made once: a query's shards, and its matches, share them.</summary>
internal class MatchParts<TKey, T>
    where TKey : notnull
{
    private readonly PatternShape<T>[] _shapes;
    private readonly int _maxPerKey;
    private readonly WhenMatchesFull _whenFull;

    /// <summary>Parts whose matchers are made elsewhere.</summary>
    private protected MatchParts(KeySelector<TKey, T> key, bool isOrdered)
    {
        (Key, IsOrdered) = (key, isOrdered);
        _shapes = [];
    }

    internal MatchParts(Pattern<T>[] patterns, KeySelector<TKey, T> key, bool isOrdered, int maxPerKey, WhenMatchesFull whenFull)
    {
        Key = key;
        IsOrdered = isOrdered;
        _maxPerKey = maxPerKey;
        _whenFull = whenFull;
        _shapes = new PatternShape<T>[patterns.Length];
        MatchCodec.Register<T>();
        for (int i = 0; i < patterns.Length; i++)
        {
            _shapes[i] = new PatternShape<T>(patterns[i], Conditions, _shapes, i);
        }
    }

    internal KeySelector<TKey, T> Key { get; }

    internal bool IsOrdered { get; }

    /// <summary>How many partial matches are remembered.</summary>
    internal int Remembered { get; init; }

    /// <summary>For tests: each pattern by runs, whatever would be picked.</summary>
    internal bool ForcesRuns { get; init; }

    internal ConditionTable<T> Conditions { get; } = new();

    internal virtual string Text => $"{Patterns}, {Machine}";

    /// <summary>What is timed out is seen by runs alone.</summary>
    internal string TimeoutText => $"{Patterns}, as runs: timeouts are wanted";

    private string Patterns => _shapes.Length == 1 ? $"Match {_shapes[0].Pattern} {Key.ByTime}" : $"Match {_shapes.Length} patterns {Key.ByTime}";

    /// <summary>Which machine runs the pattern, and why.</summary>
    private string Machine
    {
        get
        {
            int sets = _shapes.Count(shape => WhyRuns(shape) is null);
            return _shapes.Length > 1 ? $"{sets} as sets and {_shapes.Length - sets} as runs"
                : WhyRuns(_shapes[0]) is { } why ? $"as runs: {why}" : "as sets";
        }
    }

    /// <summary>The cheapest machine that is right for a pattern.</summary>
    private Matcher<TKey, T> Make(PatternShape<T> shape, MatchLimits limits) => !limits.WantsTimeouts && WhyRuns(shape) is null
        ? new SetMatcher<TKey, T>(shape, Key.MaxKeys, limits)
        : new RunMatcher<TKey, T>(shape, Key.MaxKeys, limits);

    private string? WhyRuns(PatternShape<T> shape) =>
        ForcesRuns ? "so that results can be compared" : Remembered > 0 ? "it is remembered why there is no match" : Configurations<T>.WhyNot(shape);

    internal virtual Matcher<TKey, T>[] MakeMatchers(QueryContext query, bool wantsTimeouts)
    {
        var limits = new MatchLimits(query, _maxPerKey, _whenFull, wantsTimeouts, Remembered);
        return [.. _shapes.Select(shape => Make(shape, limits))];
    }
}

/// <summary>What is found by patterns: matches, what callbacks make of them, or timeouts.</summary>
internal abstract record FoundNode<TKey, T, TResult>(StreamNode<T> Source, MatchParts<TKey, T> Parts) : StreamNode<T, TResult>(Source)
    where TKey : notnull
{
    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => true;

    internal override bool IsOrdered => Parts.Key.Timeline is null;

    internal override void Build(Plan plan, Operator<TResult> next) =>
        plan.BuildKeyed(this, Input, Parts.Key, next, (output, keys) => Make(output, plan.Query, keys, plan.WantsIdentity));

    protected abstract Operator<T> Make(Operator<TResult> next, QueryContext query, KeyRange keys, bool identity);
}

internal sealed record MatchNode<TKey, T>(StreamNode<T> Source, MatchParts<TKey, T> Parts) : FoundNode<TKey, T, Match<T>>(Source, Parts)
    where TKey : notnull
{
    internal override string Text => Parts.Text;

    protected override Operator<T> Make(Operator<Match<T>> next, QueryContext query, KeyRange keys, bool identity) =>
        new MatchOperator<TKey, T, Match<T>, MatchGiving<T>>(next, query, Parts, default, keys, identity);
}

internal sealed record TimeoutNode<TKey, T>(StreamNode<T> Source, MatchParts<TKey, T> Parts) : FoundNode<TKey, T, Timeout<T>>(Source, Parts)
    where TKey : notnull
{
    internal override string Text => $"Timeouts of {Parts.TimeoutText}";

    protected override Operator<T> Make(Operator<Timeout<T>> next, QueryContext query, KeyRange keys, bool identity) =>
        new MatchOperator<TKey, T, Timeout<T>, TimeoutGiving<T>>(next, query, Parts, default, keys, identity);
}

internal sealed record MatchedNode<TKey, T, TResult>(StreamNode<T> Source, MatchParts<TKey, T> Parts, Func<PartialMatch<T>, TResult> Result, string Expression)
    : FoundNode<TKey, T, TResult>(Source, Parts)
    where TKey : notnull
{
    internal override string Text => $"{Parts.Text}: {Expression}";

    protected override Operator<T> Make(Operator<TResult> next, QueryContext query, KeyRange keys, bool identity) =>
        new MatchOperator<TKey, T, TResult, CallbackGiving<T, TResult>>(next, query, Parts, new CallbackGiving<T, TResult>(Result), keys, identity);
}
