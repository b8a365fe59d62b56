using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What happens when the user's code (a selector, a condition, a projection) throws.</summary>
public enum ErrorPolicy
{
    /// <summary>The query stops with a <see cref="QueryException"/>; other queries and the engine go on.</summary>
    Stop,

    /// <summary>The event at which it threw becomes a dead letter, and the query goes on behind it.</summary>
    Skip,
}

/// <summary>The user's code threw inside a query.</summary>
#pragma warning disable CA1032 // the query, the operator and the event are what it is for
public sealed class QueryException : Exception
#pragma warning restore CA1032
{
    internal QueryException(string query, string operatorText, string? eventText, Exception inner)
        : base($"Query '{query}' stopped at '{operatorText}'{(eventText is null ? "" : $" on {eventText}")}: {inner.Message}", inner)
    {
        Query = query;
        Operator = operatorText;
    }

    /// <summary>The query's name.</summary>
    public string Query { get; }

    /// <summary>The operator, as <c>Explain</c> prints it.</summary>
    public string Operator { get; }
}

/// <summary>What a query's operators share: its name, its error policy, its counters.</summary>
internal sealed class QueryContext(string name, ErrorPolicy errorPolicy, Action<DeadLetterReason, string, string, object?>? deadLetter)
{
    internal string Name => name;

    internal ErrorPolicy ErrorPolicy => errorPolicy;

    /// <summary>
    /// After so many events with no new watermark the last one is told again, behind a batch: what waits for a watermark then goes out, so that it stays
    /// bounded while time stands. One where results are given early, which are worth nothing once they are old.
    /// </summary>
    internal int EventsPerWatermark { get; set; } = 65_536;

    /// <summary>How many events an operator that needs them in order of time holds, on each shard.</summary>
    internal int MaxHeldEvents { get; init; } = CepEngineOptions.DefaultMaxHeldEvents;

    /// <summary>
    /// Whether late events may correct results: behind each the watermark is told again. Not behind a batch, so that the order of corrections does not
    /// depend on where one was cut.
    /// </summary>
    internal bool HasCorrections { get; set; }

    /// <summary>Events that a window, pattern or absence could not use any more, because time had passed them.</summary>
    internal long LateEvents;

    /// <summary>Late events that were moved into a window that still took events.</summary>
    internal long MovedEvents;

    /// <summary>Events of keys for which an operator had no room.</summary>
    internal long RefusedEvents;

    /// <summary>Keys that an operator let go to make room for others.</summary>
    internal long EvictedKeys;

    /// <summary>Partial matches given up because a key had as many as allowed.</summary>
    internal long DiscardedPartialMatches;

    /// <summary>Ids that were forgotten before their time, because as many were held as allowed.</summary>
    internal long ForgottenIds;

    /// <summary>Events that an operator which puts them in order released early or dropped, because it held as many as allowed.</summary>
    internal long OverflowedEvents;

    /// <summary>Events that became dead letters because user code threw.</summary>
    internal long SkippedEvents;

    /// <summary>Events that left their windows before their time, because a key had as many as allowed.</summary>
    internal long DroppedWindowEvents;

    /// <summary>Applies the policy to an error of user code: returns under <see cref="ErrorPolicy.Skip"/>, throws otherwise.</summary>
    /// <param name="error">The error.</param>
    /// <param name="at">The operator.</param>
    /// <param name="value">The event at which it threw; null where it was at a result.</param>
    /// <param name="ticks">The event's time.</param>
    /// <param name="result">Which result it was, by key and window; null where it was at an event.</param>
    internal void Fail(Exception error, Operator at, object? value, long ticks, string? result = null)
    {
        if (at.RefusesKeys && error is KeyLimitException full)
        {
            Refuse(at, value, ticks, full.MaxKeys);
            return;
        }

        if (error is NullReferenceException or ArgumentNullException && at.Diagnose?.Invoke(value) is { } reason)
        {
            error = new InvalidOperationException(reason, error);
        }

        string text = at.Info?.Text ?? at.GetType().Name;
        string? eventText = value is null ? result : $"{SafeText.Escape(value.ToString())} ({Ticks.ToTime(ticks):O})";
        if (errorPolicy != ErrorPolicy.Skip || deadLetter is null)
        {
            throw new QueryException(name, text, eventText, error);
        }

        Interlocked.Increment(ref SkippedEvents);

        // A dead letter's text is cut: of a result, which can't be seen in the letter, key and window come before the operator's long line.
        string what = $"{error.GetType().Name}: {error.Message}";
        deadLetter(DeadLetterReason.QueryError, $"query {name}", result is null ? $"{text}: {what}" : $"{result}: {what} at {text}", value);
    }

    /// <summary>Makes a dead letter of an event whose key an operator has no room for.</summary>
    internal void Refuse<T>(Operator at, T value, long ticks, int maxKeys)
    {
        Interlocked.Increment(ref RefusedEvents);
        deadLetter?.Invoke(
            DeadLetterReason.TooManyKeys, $"query {name}",
            $"{at.Info?.Text ?? at.GetType().Name}: there are {maxKeys:N0} keys, as many as KeyBy(..., maxKeys) allows ({Ticks.ToTime(ticks):O})", value);
    }
}
