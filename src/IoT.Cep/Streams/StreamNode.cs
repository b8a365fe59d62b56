namespace IoT.Cep;

/// <summary>An immutable description of one operator, as the fluent verbs make it and the plan compiler reads it.</summary>
internal abstract record StreamNode<T>
{
    /// <summary>The name that <c>.Named("...")</c> gave; saved state is found by it.</summary>
    internal string? Name { get; init; }

    /// <summary>The line that <c>Explain</c> prints.</summary>
    internal abstract string Text { get; }

    /// <summary>The engine at whose source the stream begins; null in place.</summary>
    internal abstract CepEngine? Engine { get; }

    /// <summary>How many exchanges between shards lie upstream.</summary>
    internal virtual int Depth => 0;

    /// <summary>What the stream's time comes from. Two streams of one origin are told the same times, so their events can be put in one order.</summary>
    internal virtual object Origin => this;

    /// <summary>Whether each event comes in order of its time, with none late.</summary>
    internal virtual bool IsOrdered => false;

    /// <summary>Whether no operator with state lies upstream: what reaches a durable sink then acknowledges its message.</summary>
    internal virtual bool IsStateless => true;

    /// <summary>Whether a later result may correct an earlier one.</summary>
    internal virtual bool IsUpdating => false;

    /// <summary>Whether a later result may take an earlier one back without replacing it.</summary>
    internal virtual bool CanRetract => false;

    /// <summary>Whether each event is the result of something that has a name of its own: a window, a match, a silence.</summary>
    internal virtual bool HasIdentity => false;

    /// <summary>Whether every event comes from one source by operators without state: then its running time is known here.</summary>
    internal virtual bool BeginsAtOneSource => false;

    /// <summary>Refuses a stream with corrections in front of an operator that can't take them.</summary>
    internal void RequireAppendOnly(string verb)
    {
        if (IsUpdating)
        {
            throw new ArgumentException(
                $"{verb} can't take corrections, and '{Text}' may correct its results (AllowLate, Early, OnChange). Leave that out, store the results by identity with To(...), or take each correction as an event of its own with SelectUpdates.");
        }
    }

    /// <summary>Refuses a sink or observer that would take a result that was taken back for a new one.</summary>
    internal void RequireNoRetractions(string taker)
    {
        if (CanRetract)
        {
            throw new ArgumentException(
                $"{taker} can't take a result back, and '{Text}' may do so (Having or Where behind AllowLate, Early or OnChange; sessions that a late event joins). "
                + "Store the results by identity with To(...), leave AllowLate, Early and OnChange out, or, for tumbling, hopping and calendar windows, "
                + "take each change as an event of its own with Having(...).SelectUpdates(...).");
        }
    }

    /// <summary>Builds this operator in front of <paramref name="next"/>, and what lies upstream in front of it.</summary>
    internal abstract void Build(Plan plan, Operator<T> next);
}

/// <summary>A node with one input, whose properties it passes on.</summary>
internal abstract record StreamNode<TIn, TOut>(StreamNode<TIn> Input) : StreamNode<TOut>
{
    internal override CepEngine? Engine => Input.Engine;

    internal override int Depth => Input.Depth;

    internal override object Origin => Input.Origin;

    internal override bool IsOrdered => Input.IsOrdered;

    internal override bool BeginsAtOneSource => Input.BeginsAtOneSource && Depth == 0;

    internal override bool IsStateless => Input.IsStateless;

    internal override bool IsUpdating => Input.IsUpdating;

    internal override bool CanRetract => Input.CanRetract;

    internal override bool HasIdentity => Input.HasIdentity;
}

/// <summary>How a stream's key is found, and how many keys an operator may hold at a time.</summary>
internal sealed record KeySelector<TKey, T>(Func<T, TKey> Select, string Text, int MaxKeys, WhenKeysFull WhenFull = WhenKeysFull.Fail)
    where TKey : notnull
{
    /// <summary>What <c>Explain</c> says of it.</summary>
    internal string By => typeof(TKey) == typeof(Unit) ? "over all events" : $"by {Text}";

    /// <summary>The same with how its keys keep a time.</summary>
    internal string ByTime => Timeline is null ? By : $"{By} in its own time, {Timeline}";

    /// <summary>The same key in the source's time: that of results, since a timeline ends at the first operator with a state.</summary>
    internal KeySelector<TKey, T> InSourceTime => Timeline is null ? this : this with { Timeline = null };

    /// <summary>How each key keeps a time of its own; null where all go by the source's watermark.</summary>
    internal KeyTimelineSpec? Timeline { get; init; }

    /// <summary>Says of an event at which something was null whether it was the key.</summary>
    internal string? Diagnose(object? value)
    {
        try
        {
            return value is T one && Select(one) is null
                ? $"KeyBy gave null ({Text}). Give events without a key one of their own, or leave them out before with Where." : null;
        }
        catch (Exception error) when (error is NullReferenceException or ArgumentNullException)
        {
            // The selector itself met a null: its own error says so.
            return null;
        }
    }
}
