namespace IoT.Cep;

/// <summary>
/// Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end, or the event that closes them.
/// </summary>
public static class Window
{
    /// <summary>How many events of a key a window per event holds where nothing else is said.</summary>
    public const int DefaultMaxEventsPerKey = 1_000_000;

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

    /// <summary>
    /// A window for each event, over that key's last so long: all events with t - size &lt; time &lt;= t, those of the same time included. One
    /// result for each event, in order of time, when the watermark passes the event; in a stream that is in order, as soon as a later event comes.
    /// </summary>
    /// <remarks>
    /// It is SQL's <c>RANGE</c> from one tick (100 ns) less than the size <c>PRECEDING</c> to <c>CURRENT ROW</c>. Events that share key and
    /// time have equal results, told apart by the ordinal of their identity. An event costs O(1) amortised, and O(log n) more where the stream
    /// is not in order; each event of the last <paramref name="size"/> is held in 16 bytes for one selector's simple aggregates, else as its state and
    /// 4 bytes, and each time that events have in 12. Late events are left out and counted; <see cref="WindowSpec.AllowLate"/> is refused.
    /// </remarks>
    /// <param name="size">The size.</param>
    /// <param name="maxEventsPerKey">How many events of a key are held at a time.</param>
    /// <param name="whenFull">What happens to one more.</param>
    public static WindowSpec Sliding(
        TimeSpan size, int maxEventsPerKey = DefaultMaxEventsPerKey, WindowOverflow whenFull = WindowOverflow.Fail)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(size, nameof(size));
        return new PerEventWindows(size - TimeSpan.FromTicks(1), TimeSpan.Zero, maxEventsPerKey, whenFull, $"sliding {size}");
    }

    /// <summary>
    /// A window for each event, over that key's events around it: all with t - before &lt;= time &lt;= t + after. One result for each event, in order
    /// of time, when the watermark passes t + after, or the input ends. The result's time is t + after.
    /// </summary>
    /// <remarks>
    /// It is SQL's <c>RANGE BETWEEN</c> before <c>PRECEDING AND</c> after <c>FOLLOWING</c>. Costs and limits are those of <see cref="Sliding"/>,
    /// for the events of before and after together.
    /// </remarks>
    /// <param name="before">How long before the event; zero for none.</param>
    /// <param name="after">How long after the event, by which its result is delayed; zero for none.</param>
    /// <param name="maxEventsPerKey">How many events of a key are held at a time.</param>
    /// <param name="whenFull">What happens to one more.</param>
    public static WindowSpec Around(
        TimeSpan before, TimeSpan after, int maxEventsPerKey = DefaultMaxEventsPerKey, WindowOverflow whenFull = WindowOverflow.Fail)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(before, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(after, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(before, nameof(before));
        TimeWindows.ThrowIfTooLong(after, nameof(after));
        return new PerEventWindows(before, after, maxEventsPerKey, whenFull, $"around, {before} before and {after} after");
    }

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
    /// <param name="maxDuration">
    /// The longest that a session lasts; none by default. An event so much behind a session's first one, or more, begins the next: that depends on
    /// which events come before, so they are held until the watermark reaches them, and late ones can't be allowed.
    /// </param>
    public static WindowSpec Session(TimeSpan gap, TimeSpan? maxDuration = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(gap, TimeSpan.Zero);
        if (maxDuration is not { } longest)
        {
            return new SessionWindows(gap);
        }

        TimeWindows.ThrowIfTooLong(gap, nameof(gap));
        TimeWindows.ThrowIfTooLong(longest, nameof(maxDuration));
        ArgumentOutOfRangeException.ThrowIfLessThan(longest, gap, nameof(maxDuration));
        return new LongestSessionWindows(gap.Ticks, longest.Ticks);
    }

    /// <summary>
    /// So many events of a key in order of their time, ties in order of arrival; then the next so many. Fires when the watermark reaches the last of
    /// them. Starts at the first event and ends one tick (100 ns) behind the last.
    /// </summary>
    /// <remarks>
    /// Holds events until the watermark reaches them, and one small state for each key for as long as its window is not full: without a limit in
    /// time, which <see cref="TimeOrCount"/> has. What is not full at the end of input has no result. Takes no late events.
    /// </remarks>
    /// <param name="count">How many.</param>
    public static WindowSpec Count(int count) => Count(count, count);

    /// <summary>The last so many events of a key, each time after so many more: windows that overlap. The first one is the first that is full.</summary>
    /// <remarks>
    /// As <see cref="Count(int)"/>; remembers <paramref name="count"/> / gcd(<paramref name="count"/>, <paramref name="every"/>) small states for each
    /// key, at most 65,536, and merges three of them for a result, whatever the size (amortised).
    /// </remarks>
    /// <param name="count">How many events a window has.</param>
    /// <param name="every">After how many events the next window ends; at most <paramref name="count"/>.</param>
    public static WindowSpec Count(int count, int every)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(every, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(every, count);
        var windows = new CountWindows(count, every);
        if (count / windows.PaneEvents > CountWindows.MaxPanes)
        {
            throw new ArgumentOutOfRangeException(nameof(every), every, $"{windows} need {count / windows.PaneEvents:N0} states for each key; {CountWindows.MaxPanes:N0} are allowed. Choose numbers that have a larger divisor in common.");
        }

        return windows;
    }

    /// <summary>
    /// A batch: begins at a key's first event and closes when it lasts so long or has so many events, whichever is first. By time it fires when the
    /// watermark reaches its end, so also when nothing more comes.
    /// </summary>
    /// <remarks>
    /// Starts at its first event; ends so long after it, or one tick behind the event that filled it. Holds events until the watermark reaches them,
    /// and one small state for each key with an open batch. Takes no late events.
    /// </remarks>
    /// <param name="span">How long it lasts at most.</param>
    /// <param name="count">How many events it has at most.</param>
    public static WindowSpec TimeOrCount(TimeSpan span, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return new TimeOrCountWindows(span.Ticks, count);
    }

    /// <summary>
    /// From an event that opens a window to the next one of its key that closes it. Events outside are in no window. One that lasts too long, or has
    /// too many events, is closed: its state is bounded.
    /// </summary>
    /// <remarks>
    /// Starts at the event that opens it; ends one tick behind the one that closes it, or so long after its start. Whether an open window is to close is
    /// asked of every event but the one that opened it; an event that closes a window never opens the next. Holds events until the watermark reaches
    /// them, and one small state for each key with an open window. Takes no late events.
    /// </remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="opens">Whether an event opens a window; asked only where none is open.</param>
    /// <param name="closes">Whether an event closes the window; asked only where one is open.</param>
    /// <param name="longest">How long a window lasts at most; then it fires when the watermark reaches its end.</param>
    /// <param name="maxEvents">How many events a window has at most; without limit by default.</param>
    /// <param name="includeClosing">Whether the event that closes a window is in it; true by default. The one that opens it always is.</param>
    public static WindowSpec<T> Between<T>(
        Func<T, bool> opens, Func<T, bool> closes, TimeSpan longest, int? maxEvents = null, bool includeClosing = true)
    {
        ArgumentNullException.ThrowIfNull(opens);
        ArgumentNullException.ThrowIfNull(closes);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(longest, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(longest, nameof(longest));
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents ?? 1, 1, nameof(maxEvents));
        return new WindowSpec<T>(new BetweenWindows<T>(opens, closes, longest.Ticks, maxEvents ?? long.MaxValue, includeClosing));
    }

    /// <summary>One window for each key, without borders of its own: a trigger says when it gives a result and when it begins anew.</summary>
    /// <remarks>
    /// Starts at the first event since it began; a result's end is one tick behind the event at which it fired, or the time that the trigger had
    /// asked for. Each firing is a result of its own: none corrects another. Holds events until the watermark reaches them, and one small state for
    /// each key whose window is not empty. Takes no late events. What was in no result at the end of input gives one only where the trigger asked for
    /// a time.
    /// </remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="trigger">
    /// One of <see cref="WindowTrigger"/>'s, <c>WindowTrigger.Every&lt;Reading&gt;(TimeSpan.FromMinutes(1))</c>, or one's own, derived from
    /// <see cref="Extensibility.WindowTrigger{T, TState}"/>.
    /// </param>
    public static WindowSpec<T> Global<T>(Extensibility.WindowTrigger<T> trigger)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        return new WindowSpec<T>(new GlobalWindows<T>(trigger));
    }
}
