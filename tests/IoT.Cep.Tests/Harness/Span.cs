namespace IoT.Cep.Tests;

/// <summary>Times as tests write them: seconds since 1970.</summary>
internal static class Span
{
    internal static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    internal static DateTimeOffset Time(double seconds) => DateTimeOffset.UnixEpoch + TimeSpan.FromSeconds(seconds);

    internal static long TicksAt(double seconds) => (long)Math.Round(seconds * TimeSpan.TicksPerSecond);

    /// <summary>Seconds, rounded up to a millisecond: a window's last instant reads as its end.</summary>
    internal static double SecondsAt(long ticks) =>
        Math.Ceiling((double)ticks / TimeSpan.TicksPerMillisecond) / 1000;
}
