namespace IoT.Cep;

/// <summary>Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end.</summary>
public static class Window
{
    /// <summary>Windows of one size, one after the other, aligned to 1970-01-01 UTC plus an offset.</summary>
    /// <param name="size">The size.</param>
    /// <param name="offset">Moves the borders: windows of a day that begin at 06:00 have an offset of six hours.</param>
    public static WindowSpec Tumbling(TimeSpan size, TimeSpan offset = default) => new TumblingWindows(size, offset);

    /// <summary>How many events of a key a window per event holds where nothing else is said.</summary>
    public const int DefaultMaxEventsPerKey = 1_000_000;

    /// <summary>
    /// A window for each event, over that key's last so long: all events with t - size &lt; time &lt;= t, those of the same time included. One
    /// result for each event, in order of time, when the watermark passes the event; in a stream that is in order, as soon as a later event comes.
    /// </summary>
    /// <remarks>
    /// It is SQL's <c>RANGE</c> from one tick (100 ns) less than the size <c>PRECEDING</c> to <c>CURRENT ROW</c>. Events that share key and
    /// time have equal results, told apart by the ordinal of their identity. An event costs O(1) amortised, and O(log n) more where the stream
    /// is not in order; each event of the last <paramref name="size"/> is held as its state: 32 bytes and 16 for one selector. Late events are
    /// left out and counted; <see cref="WindowSpec.AllowLate"/> is refused.
    /// </remarks>
    /// <param name="size">The size.</param>
    /// <param name="maxEventsPerKey">How many events of a key are held at a time.</param>
    /// <param name="whenFull">What happens to one more.</param>
    public static WindowSpec Sliding(
        TimeSpan size, int maxEventsPerKey = DefaultMaxEventsPerKey, WindowOverflow whenFull = WindowOverflow.Fail)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
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
        return new PerEventWindows(before, after, maxEventsPerKey, whenFull, $"around, {before} before and {after} after");
    }
}
