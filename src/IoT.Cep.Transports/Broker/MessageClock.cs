namespace IoT.Cep;

/// <summary>
/// When messages expire: from a publisher's interval (MQTT 5, 3.3.2.3.3) to a moment, which stands in the interval's place while the broker has the message, on disk too, and back. A moment is a
/// number of seconds since 2000, so that it fits for longer than a century.
/// </summary>
internal static class MessageClock
{
    private static readonly DateTimeOffset _epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal static uint Now(TimeProvider time) => (uint)Math.Clamp((time.GetUtcNow() - _epoch).TotalSeconds, 0, uint.MaxValue - 1);

    /// <summary>The moment at which a message expires; 0: never. An interval that reaches past the end of the count has none, and goes through as it is.</summary>
    /// <param name="interval">The publisher's interval; 0: none.</param>
    /// <param name="now">The moment at which the message came.</param>
    internal static uint Deadline(uint interval, uint now) => interval == 0 ? 0 : interval > uint.MaxValue - now ? uint.MaxValue : now + interval;

    /// <summary>How long a message is still good for; 0: it has expired, or never expires.</summary>
    /// <param name="deadline">When it expires; 0: never.</param>
    /// <param name="now">The moment.</param>
    internal static uint Left(uint deadline, uint now) => deadline == uint.MaxValue ? deadline : deadline > now ? deadline - now : 0;
}
