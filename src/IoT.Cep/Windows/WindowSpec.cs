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

    /// <inheritdoc/>
    public sealed override string ToString() =>
        Describe() + (AllowedLateness == TimeSpan.Zero ? "" : $", late up to {AllowedLateness}");

    /// <summary>Whether results can be corrected.</summary>
    internal bool IsUpdating => AllowedLateness > TimeSpan.Zero;

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
