namespace IoT.Cep;

/// <summary>Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end.</summary>
public static class Window
{
    /// <summary>Windows of one size, one after the other, aligned to 1970-01-01 UTC plus an offset.</summary>
    /// <param name="size">The size.</param>
    /// <param name="offset">Moves the borders: windows of a day that begin at 06:00 have an offset of six hours.</param>
    public static WindowSpec Tumbling(TimeSpan size, TimeSpan offset = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
        long within = offset.Ticks % size.Ticks;
        return new WindowSpec(size, TimeSpan.FromTicks(within < 0 ? within + size.Ticks : within), TimeSpan.Zero);
    }
}

/// <summary>Which windows an event falls into, and how long a window can still be corrected.</summary>
public sealed record WindowSpec
{
    internal WindowSpec(TimeSpan size, TimeSpan offset, TimeSpan allowedLateness)
    {
        Size = size;
        Offset = offset;
        AllowedLateness = allowedLateness;
    }

    /// <summary>The window's size.</summary>
    public TimeSpan Size { get; }

    /// <summary>How far the borders are moved from multiples of the size.</summary>
    public TimeSpan Offset { get; }

    /// <summary>How long after its end a window still takes late events.</summary>
    public TimeSpan AllowedLateness { get; private init; }

    /// <summary>
    /// A late event up to this much behind the window's end corrects the window: it fires again, with the same identity. The window's state
    /// is kept that much longer.
    /// </summary>
    /// <param name="lateness">How much.</param>
    public WindowSpec AllowLate(TimeSpan lateness)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lateness, TimeSpan.Zero);
        return this with { AllowedLateness = lateness };
    }

    /// <inheritdoc/>
    public override string ToString() => $"tumbling {Size}{(Offset == TimeSpan.Zero ? "" : $" + {Offset}")}"
        + (AllowedLateness == TimeSpan.Zero ? "" : $", late up to {AllowedLateness}");

    internal long StartOf(long ticks)
    {
        long size = Size.Ticks;
        long within = (ticks - Offset.Ticks) % size;
        return ticks - (within < 0 ? within + size : within);
    }

    /// <summary>Whether a window of an event at this time takes nothing more.</summary>
    internal bool IsPast(long ticks, long watermark) => GoneAt(StartOf(ticks)) <= watermark;

    /// <summary>The end of a window; time does not go past its last tick.</summary>
    internal long EndOf(long start) => start > long.MaxValue - Size.Ticks ? long.MaxValue : start + Size.Ticks;

    /// <summary>When a window takes nothing more.</summary>
    internal long GoneAt(long start)
    {
        long end = EndOf(start);
        return end > long.MaxValue - AllowedLateness.Ticks ? long.MaxValue : end + AllowedLateness.Ticks;
    }
}

/// <summary>The one key of a stream without keys.</summary>
public readonly record struct Unit;

/// <summary>What is known of a window beside its aggregates.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
public readonly struct WindowInfo<TKey>
{
    private readonly long _start;
    private readonly long _end;

    internal WindowInfo(TKey key, long start, long end, bool isUpdate)
    {
        Key = key;
        _start = start;
        _end = end;
        IsUpdate = isUpdate;
    }

    /// <summary>The key.</summary>
    public TKey Key { get; }

    /// <summary>The first instant inside the window, in UTC.</summary>
    public DateTimeOffset Start => Extensibility.Ticks.ToTime(_start);

    /// <summary>The first instant behind the window, in UTC.</summary>
    public DateTimeOffset End => Extensibility.Ticks.ToTime(_end);

    /// <summary>Whether this corrects a result that was given before.</summary>
    public bool IsUpdate { get; }
}
