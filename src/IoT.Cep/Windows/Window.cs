namespace IoT.Cep;

/// <summary>Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end.</summary>
public static class Window
{
    /// <summary>Windows of one size, one after the other, aligned to 1970-01-01 UTC plus an offset.</summary>
    /// <param name="size">The size.</param>
    /// <param name="offset">Moves the borders: windows of a day that begin at 06:00 have an offset of six hours.</param>
    public static WindowSpec Tumbling(TimeSpan size, TimeSpan offset = default) => new TumblingWindows(size, offset);

    /// <summary>
    /// Sessions: events of a key that follow one another by less than a gap are one window. It begins at its first event and ends at the last
    /// one's time and the gap, where it fires; which event belongs to which does not depend on the order in which they arrive.
    /// </summary>
    /// <remarks>
    /// Remembers one small state for each open session and no event; a key is forgotten with its last session. Late is an event that would be a session
    /// by itself whose end and allowed lateness the watermark has reached. One that comes behind the watermark, but is not late, belongs to its
    /// session where that has not fired yet or may be corrected, and begins another one otherwise.
    /// With <see cref="WindowSpec.AllowLate"/>, a late event that lengthens a session corrects its result. One that joins two sessions corrects the
    /// earlier one's result and withdraws the other's: it comes once more, with <see cref="Firing.Withdrawn"/>. Several late events between two
    /// watermarks are one correction. A corrected result keeps the identity of the first one, whatever its bounds are then.
    /// </remarks>
    /// <param name="gap">An event so much behind the last one, or more, begins another session.</param>
    public static WindowSpec Session(TimeSpan gap) => new SessionWindows(gap);
}
