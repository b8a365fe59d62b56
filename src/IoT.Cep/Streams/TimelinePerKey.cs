namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Gives each key a time of its own: a device whose clock is wrong, or that uploads two hours of readings at once, closes its own windows by its
    /// own events and makes no other device late. Costs 32 bytes for each key of tumbling windows, and an operator's tables, some
    /// kilobytes, for each key of any other verb.
    /// </summary>
    /// <remarks>
    /// It holds for the next verb that keeps a state, whichever it is, and ends there: results, and whatever has no key, another key or several inputs, go by the source's
    /// watermark. A result of a device that is behind may be late for them, which is theirs to decide. Results come at the source's next watermark, which
    /// is told after each batch.
    /// </remarks>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream; it begins at one source, with nothing between that keeps a state.</param>
    /// <param name="maxDisorder">How much earlier than the key's latest event one of its events may be and still be on time; zero by default.</param>
    /// <param name="idleAfter">
    /// After so long without an event of the key, while the source is connected and running, the key's time goes on by the time elapsed; 10 s by default,
    /// <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </param>
    /// <param name="forgetAfter">A key that was silent for so long and has nothing open is forgotten and begins anew; 1 hour by default.</param>
    public static IKeyedStream<TKey, T> TimelinePerKey<TKey, T>(
        this IKeyedStream<TKey, T> stream, TimeSpan maxDisorder = default, TimeSpan? idleAfter = null, TimeSpan? forgetAfter = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDisorder, TimeSpan.Zero);
        if (!stream.Node.BeginsAtOneSource)
        {
            throw new ArgumentException(
                "A timeline per key needs the time at which events arrive, so it stands on a stream that begins at one source: before windows, patterns and other "
                + "operators with state, and before a Union. Source.Partitioned makes one source of several.", nameof(stream));
        }

        var idle = Idle(idleAfter, EventTimeSpec<T>.DefaultIdleAfter);
        var timeline = new KeyTimelineSpec(maxDisorder, idle, Positive(forgetAfter ?? TimeSpan.FromHours(1), nameof(forgetAfter)));
        return new KeyedStream<TKey, T>(stream.Node, stream.Key with { Timeline = timeline });
    }
}
