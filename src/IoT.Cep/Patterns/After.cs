namespace IoT.Cep;

/// <summary>What of the other partial matches, and of matches still to be given out, remains once a match was found.</summary>
/// <remarks>
/// With anything but <see cref="NoSkip"/> matches are given out in order of their first events, so that a result does not depend on which one is complete first:
/// one waits until no partial match that began earlier is open.
/// </remarks>
public sealed record After
{
    private After(AfterKind kind, Step? target, bool isStrict)
    {
        Kind = kind;
        Target = target;
        IsStrict = isStrict;
    }

    /// <summary>All remain: every match is found. The default.</summary>
    public static After NoSkip { get; } = new(AfterKind.NoSkip, null, isStrict: false);

    /// <summary>What began with the match's first event is dropped.</summary>
    public static After ToNext { get; } = new(AfterKind.ToNext, null, isStrict: false);

    /// <summary>What began before the match's last event, or with it, is dropped: matches do not overlap.</summary>
    public static After PastLastEvent { get; } = new(AfterKind.PastLastEvent, null, isStrict: false);

    /// <summary>What began before the first event of a step is dropped. Where the step took none, nothing is.</summary>
    /// <param name="step">A step or group of the pattern.</param>
    public static After ToFirst(Step step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return new After(AfterKind.ToFirst, step, isStrict: false);
    }

    /// <summary>What began before the last event of a step is dropped. Where the step took none, nothing is.</summary>
    /// <param name="step">A step or group of the pattern.</param>
    public static After ToLast(Step step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return new After(AfterKind.ToLast, step, isStrict: false);
    }

    /// <summary>
    /// The same, but a match in which the step took no event, or whose first event is the step's, is an error (<see cref="AfterMatchException"/>): nothing
    /// would be dropped, or the same match could be found for ever.
    /// </summary>
    public After Strict() => Target is null
        ? throw new InvalidOperationException($"{this} has no step that could take no event: only ToFirst and ToLast have a strict form.")
        : new After(Kind, Target, isStrict: true);

    internal AfterKind Kind { get; }

    internal Step? Target { get; }

    internal bool IsStrict { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Kind}{(Target is null ? "" : $"({Target})")}{(IsStrict ? " strict" : "")}";
}

internal enum AfterKind
{
    NoSkip,
    ToNext,
    PastLastEvent,
    ToFirst,
    ToLast,
}

/// <summary>A match lacks the event to which <see cref="After.Strict"/> would skip, or skipping would lead back to where it began.</summary>
#pragma warning disable CA1032 // the text is what it is for
public sealed class AfterMatchException : InvalidOperationException
#pragma warning restore CA1032
{
    internal AfterMatchException(string message)
        : base(message)
    {
    }
}
