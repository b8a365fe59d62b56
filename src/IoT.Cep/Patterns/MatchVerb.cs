namespace IoT.Cep;

/// <summary>The verbs of patterns.</summary>
public static class MatchExtensions
{
    /// <summary>How many partial matches a key may have open at a time where nothing else is said.</summary>
    public const int DefaultMaxPartialMatchesPerKey = 1_000;

    /// <summary>
    /// Finds each match of a pattern, for each key apart, in order of event time: an event is looked at when the watermark reaches it. Every
    /// event that the first step takes begins a match of its own. Remembers the events of partial matches for as long as the pattern's
    /// <c>Within</c>; late events are not looked at, and are counted. The result's time is its last event's.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxPartialMatchesPerKey">A key's oldest partial match gives way to a new one beyond so many, and is counted.</param>
    public static IEventStream<Match<T>> Match<TKey, T>(
        this IKeyedStream<TKey, T> stream, Pattern<T> pattern, int maxPartialMatchesPerKey = DefaultMaxPartialMatchesPerKey)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxPartialMatchesPerKey, 1);
        if (pattern.Steps.Length > 1 && pattern.Span is null)
        {
            throw new ArgumentException(
                $"The pattern '{pattern}' would remember a first event for ever where no second comes: say how long with .Within(...).", nameof(pattern));
        }

        stream.Node.RequireAppendOnly("Match");
        return new MatchNode<TKey, T>(stream.Node, stream.Key, pattern, maxPartialMatchesPerKey).ToStream();
    }

    /// <summary>Finds each match of a pattern over all events, without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="maxPartialMatches">The oldest partial match gives way to a new one beyond so many, and is counted.</param>
    public static IEventStream<Match<T>> Match<T>(
        this IEventStream<T> stream, Pattern<T> pattern, int maxPartialMatches = DefaultMaxPartialMatchesPerKey) =>
        stream.Unkeyed().Match(pattern, maxPartialMatches);
}

internal sealed record MatchNode<TKey, T>(StreamNode<T> Source, KeySelector<TKey, T> Key, Pattern<T> Pattern, int MaxPartialMatches)
    : StreamNode<T, Match<T>>(Source)
    where TKey : notnull
{
    internal override string Text => $"Match {Pattern} {Key.By}";

    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => true;

    internal override bool IsOrdered => true;

    internal override void Build(Plan plan, Operator<Match<T>> next) => plan.BuildKeyed(
        this, Input, Key, next, (output, keys) => new MatchOperator<TKey, T>(output, plan.Query, this, keys, plan.WantsIdentity));
}
