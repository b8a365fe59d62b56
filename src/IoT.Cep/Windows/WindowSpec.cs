using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Which windows an event falls into, and how long a window can still be corrected. Made by <see cref="IoT.Cep.Window"/>; a value that can be shared
/// by any number of queries.
/// </summary>
public abstract record WindowSpec
{
    private protected WindowSpec()
    {
    }

    /// <summary>How long after its end a window still takes late events.</summary>
    public TimeSpan AllowedLateness { get; private init; }

    /// <summary>
    /// A late event up to this much behind the window's end corrects the window: it fires again, with the same identity. The window's state
    /// is kept that much longer.
    /// </summary>
    /// <param name="lateness">How much.</param>
    /// <exception cref="NotSupportedException">Windows of this kind can't be corrected.</exception>
    public WindowSpec AllowLate(TimeSpan lateness)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lateness, TimeSpan.Zero);
        if (lateness > TimeSpan.Zero && CannotCorrect is { } reason)
        {
            throw new NotSupportedException($"{this} windows take no late events: {reason}.");
        }

        return this with { AllowedLateness = lateness };
    }

    /// <summary>
    /// A result of an open window and key after every so many of its events, besides the one at the end, which corrects it. The one setting of
    /// <c>Early</c> and <c>OnChange</c> that came last counts.
    /// </summary>
    /// <remarks>Every event then updates each window that it is in, where windows overlap.</remarks>
    /// <param name="every">How many events.</param>
    /// <exception cref="NotSupportedException">These windows don't follow from time alone.</exception>
    public WindowSpec Early(int every)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(every, 1);
        return With(new Emission(every, 0));
    }

    /// <summary>
    /// A result of an open window each time the watermark has come so much further since its start, for the keys that had an event since their last
    /// one. Where the watermark jumps over several such times there is one result.
    /// </summary>
    /// <remarks>Every event then updates each window that it is in, where windows overlap.</remarks>
    /// <param name="every">How much, in event time.</param>
    /// <exception cref="NotSupportedException">These windows don't follow from time alone.</exception>
    public WindowSpec Early(TimeSpan every)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(every, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(every, nameof(every));
        return With(new Emission(0, every.Ticks));
    }

    /// <summary>A result after each event, and the one at the window's end: <see cref="Early(int)"/> with every single one.</summary>
    /// <exception cref="NotSupportedException">These windows don't follow from time alone.</exception>
    public WindowSpec OnChange() => Early(1);

    /// <summary>
    /// An event that no window takes any more is moved to the time that the watermark has reached (less the allowed lateness), and so into the
    /// earliest window that still takes events, instead of being dropped. <see cref="Query.MovedEvents"/> counts them.
    /// </summary>
    /// <exception cref="NotSupportedException">These windows don't follow from time alone.</exception>
    public WindowSpec LateIntoOpen()
    {
        RequireEmission(nameof(LateIntoOpen));
        return this with { MovesLate = true };
    }

    /// <inheritdoc/>
    public sealed override string ToString() =>
        Describe() + (AllowedLateness == TimeSpan.Zero ? "" : $", late up to {AllowedLateness}") + Emission + (MovesLate ? ", later into open windows" : "");

    /// <summary>Whether results can be corrected.</summary>
    internal bool IsUpdating => AllowedLateness > TimeSpan.Zero || IsEarly;

    /// <summary>Whether a correction may take a result back, whatever the projection says.</summary>
    internal virtual bool CanRetract => false;

    /// <summary>Whether there are results before a window's end.</summary>
    internal bool IsEarly => Emission != default;

    /// <summary>When there are results before a window's end.</summary>
    internal Emission Emission { get; private init; }

    /// <summary>Whether events that are too late are moved to a window that takes them.</summary>
    internal bool MovesLate { get; private init; }

    /// <summary>Whether the operator of these windows gives early results, and can move events.</summary>
    private protected virtual bool TakesEmission => false;

    private WindowSpec With(Emission emission)
    {
        RequireEmission(emission.EveryEvents == 1 ? nameof(OnChange) : nameof(Early));
        return this with { Emission = emission };
    }

    private void RequireEmission(string verb)
    {
        if (!TakesEmission)
        {
            throw new NotSupportedException($"{verb} is for windows that follow from time alone (tumbling, hopping, calendar), not for '{this}'.");
        }
    }

    /// <summary>Whether the windows' operator must get events in order of time.</summary>
    internal virtual bool NeedsOrder => false;

    /// <summary>Whether each key can close these windows in a time of its own.</summary>
    internal virtual bool CanKeepKeyTime => false;

    /// <summary>Why windows of this kind can't be corrected, and what to do instead; null where they can.</summary>
    private protected virtual string? CannotCorrect => null;

    /// <summary>What <c>Explain</c> prints.</summary>
    private protected abstract string Describe();

    /// <summary>
    /// Whether no window takes an event of this time any more. It follows from the event's time and the watermark alone, so the side output of late
    /// events needs no window.
    /// </summary>
    internal abstract bool IsPast(long ticks, long watermark);

    /// <summary>The bounds of a window that an event at this time can be in, for the run that finds a projection's aggregates.</summary>
    internal abstract (long Start, long End) Around(long ticks);

    /// <summary>When a window that ends here takes nothing more.</summary>
    private protected long GoneBehind(long end) => Ticks.Plus(end, AllowedLateness.Ticks);
}

/// <summary>When there are results before a window's end: after so many events, or so much time; neither by default.</summary>
internal readonly record struct Emission(int EveryEvents, long EveryTicks)
{
    public override string ToString() => this switch
    {
        { EveryEvents: 1 } => ", on change",
        { EveryEvents: > 1 } => $", early every {EveryEvents} events",
        { EveryTicks: > 0 } => $", early every {TimeSpan.FromTicks(EveryTicks)}",
        _ => "",
    };
}
