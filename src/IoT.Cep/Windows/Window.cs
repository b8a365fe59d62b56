namespace IoT.Cep;

/// <summary>Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end.</summary>
public static class Window
{
    /// <summary>Windows of one size, one after the other, aligned to 1970-01-01 UTC plus an offset.</summary>
    /// <param name="size">The size.</param>
    /// <param name="offset">Moves the borders: windows of a day that begin at 06:00 have an offset of six hours.</param>
    public static WindowSpec Tumbling(TimeSpan size, TimeSpan offset = default) => new TumblingWindows(size, offset);

    /// <summary>
    /// Tumbling windows of several sizes at once, 1 to 16: results of one minute and of one hour out of one pass over the events. A result's size is its
    /// <c>End - Start</c>.
    /// </summary>
    /// <remarks>A key costs a state for each size; an event one update, whatever the number of sizes.</remarks>
    /// <param name="sizes">The sizes, each once.</param>
    public static WindowSpec TumblingEach(params ReadOnlySpan<TimeSpan> sizes) => new SeveralSizes(sizes, TimeSpan.Zero);

    /// <summary>The same with borders that are moved.</summary>
    /// <param name="sizes">The sizes, each once.</param>
    /// <param name="offset">Moves the borders of all sizes, from 1970-01-01 UTC.</param>
    public static WindowSpec TumblingEach(ReadOnlySpan<TimeSpan> sizes, TimeSpan offset) => new SeveralSizes(sizes, offset);

    /// <summary>Windows of one size that begin every hop and overlap: "the last ten minutes, every minute".</summary>
    /// <remarks>
    /// An event costs one update, however many windows it is in; a window and key three merges on the average, whatever the number of hops. A key
    /// costs a state for each hop of a window (two where the size is no multiple of the hop).
    /// </remarks>
    /// <param name="size">The size; at most 86,400 hops.</param>
    /// <param name="hop">The time from one window's start to the next one's, at most the size.</param>
    /// <param name="offset">Moves the starts, which are aligned to 1970-01-01 UTC.</param>
    public static WindowSpec Hopping(TimeSpan size, TimeSpan hop, TimeSpan offset = default) => new HoppingWindows(size, hop, offset);

    /// <summary>
    /// Windows by the calendar of a time zone. A day has 23 or 25 hours where clocks are changed; a beginning that clocks skip is the instant at
    /// which they skip it, of one they show twice it is the first.
    /// </summary>
    /// <param name="unit">Day, week, month, quarter or year.</param>
    /// <param name="zone">The time zone: <c>TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin")</c>.</param>
    /// <param name="firstDay">The day that weeks begin with.</param>
    /// <param name="offset">
    /// Windows begin that much later, by the zone's clocks: six hours for production days from 06:00 to 06:00. Less than 28 days.
    /// </param>
    public static WindowSpec Calendar(
        CalendarUnit unit, TimeZoneInfo zone, DayOfWeek firstDay = DayOfWeek.Monday, TimeSpan offset = default) =>
        new CalendarWindows(unit, zone, firstDay, offset);
}
