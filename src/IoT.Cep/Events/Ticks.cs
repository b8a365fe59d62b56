using System.Runtime.CompilerServices;

namespace IoT.Cep.Extensibility;

/// <summary>Conversions to and from the timestamps of a batch: 100 ns ticks since 1970-01-01 UTC.</summary>
public static class Ticks
{
    /// <summary>No event time is before this one.</summary>
    public static readonly long Min = DateTimeOffset.MinValue.UtcTicks - DateTime.UnixEpoch.Ticks;

    /// <summary>No event time is after this one.</summary>
    public static readonly long Max = DateTimeOffset.MaxValue.UtcTicks - DateTime.UnixEpoch.Ticks;

    /// <summary>The timestamp of an instant.</summary>
    /// <param name="time">The instant.</param>
    public static long From(DateTimeOffset time) => time.UtcTicks - DateTime.UnixEpoch.Ticks;

    /// <summary>The instant of a timestamp, in UTC; values outside a <see cref="DateTimeOffset"/>'s range are clamped to it.</summary>
    /// <param name="ticks">100 ns ticks since 1970-01-01 UTC.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DateTimeOffset ToTime(long ticks) =>
        new(Math.Clamp(ticks, Min, Max) + DateTime.UnixEpoch.Ticks, TimeSpan.Zero);

    /// <summary>A time and a span, not past the last tick.</summary>
    internal static long Plus(long ticks, long span) => ticks > long.MaxValue - span ? long.MaxValue : ticks + span;

    /// <summary>A time less a span, not before the first tick.</summary>
    internal static long Minus(long ticks, long span) => ticks < long.MinValue + span ? long.MinValue : ticks - span;

    /// <summary>The last of the times offset, offset + size, offset - size ... at or before a time.</summary>
    internal static long Floor(long ticks, long size, long offset)
    {
        long within = (ticks - offset) % size;
        return ticks - (within < 0 ? within + size : within);
    }
}
