using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Times out of numbers that are not text.</summary>
internal static class BinaryTimes
{
    // As Utf8Times has it: below this a number is seconds, from this on milliseconds.
    private const double FirstMilliseconds = 100_000_000_000;

    /// <summary>
    /// Seconds since 1970. A double of today's seconds has a resolution of 0.24 microseconds: what it means is the nearest microsecond, and the digits behind that are
    /// the format's and not the device's.
    /// </summary>
    internal static TimeResult FromSeconds(double seconds, out long ticks)
    {
        ticks = 0;
        double whole = Math.Floor(seconds);

        // The years 1 to 9999 have less than 10^12 seconds.
        if (!(Math.Abs(whole) < 1e12))
        {
            return TimeResult.OutOfRange;
        }

        ticks = ((long)whole * TimeSpan.TicksPerSecond) + ((long)Math.Round((seconds - whole) * 1_000_000) * TimeSpan.TicksPerMicrosecond);
        return ticks < Ticks.Min || ticks > Ticks.Max ? TimeResult.OutOfRange : TimeResult.Ok;
    }

    internal static TimeResult FromNumber(double number, out long ticks) =>
        FromSeconds(Math.Abs(number) < FirstMilliseconds ? number : number / 1000, out ticks);

    /// <summary>A whole number of units of so many nanoseconds since 1970: 1, or a multiple of 100.</summary>
    internal static TimeResult FromUnits(long number, long nanoseconds, out long ticks)
    {
        if (nanoseconds == 1)
        {
            // All of 64 bits are 292 years, which every event's time has room for. Rounded down, also before 1970.
            ticks = (number >= 0 ? number : number - 99) / 100;
            return TimeResult.Ok;
        }

        long ticksEach = nanoseconds / 100;
        if (number > Ticks.Max / ticksEach || number < Ticks.Min / ticksEach)
        {
            ticks = 0;
            return TimeResult.OutOfRange;
        }

        ticks = number * ticksEach;
        return TimeResult.Ok;
    }
}
