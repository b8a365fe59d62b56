using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What came of reading a time.</summary>
internal enum TimeResult
{
    /// <summary>It was read.</summary>
    Ok,

    /// <summary>The text is not a time of a form that is accepted.</summary>
    NotATime,

    /// <summary>It is a time outside the years 1 to 9999.</summary>
    OutOfRange,
}

/// <summary>Reads times out of UTF-8 into 100 ns ticks since 1970-01-01 UTC, without allocation.</summary>
/// <remarks>
/// The forms are ISO 8601's <c>2026-01-31T13:45:10.1234567+01:00</c> with or without seconds, fraction and zone, with a space instead
/// of the T as databases write it, and the date alone. Without a zone the time is UTC. Digits of the fraction past the seventh
/// are cut off, as <see cref="DateTimeOffset"/> does.
/// </remarks>
internal static class Utf8Times
{
    // A number below this is seconds, from this on milliseconds: as seconds it is the year 5138, as milliseconds March 1973.
    private const long FirstMilliseconds = 100_000_000_000;

    private static ReadOnlySpan<int> DaysBeforeMonth => [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

    private static ReadOnlySpan<byte> DaysInMonth => [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];

    /// <summary>Reads the whole text as ISO 8601.</summary>
    internal static TimeResult Parse(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        if (text.Length < 10)
        {
            return TimeResult.NotATime;
        }

        uint bad = 0;
        int year = (Two(text[0], text[1], ref bad) * 100) + Two(text[2], text[3], ref bad);
        int month = Two(text[5], text[6], ref bad);
        int day = Two(text[8], text[9], ref bad);
        if (bad > 9 || text[4] != '-' || text[7] != '-' || year == 0 || (uint)(month - 1) > 11 || !IsDay(year, month, day))
        {
            return TimeResult.NotATime;
        }

        long seconds = DaysSince1970(year, month, day) * 86_400L;
        long fraction = 0;
        int offsetMinutes = 0;
        if (text.Length > 10)
        {
            int at = ParseClock(text, ref seconds, ref fraction);
            if (at < 0 || !TryParseZone(text[at..], out offsetMinutes))
            {
                return TimeResult.NotATime;
            }
        }

        ticks = ((seconds - (offsetMinutes * 60L)) * TimeSpan.TicksPerSecond) + fraction;
        return ticks < Ticks.Min || ticks > Ticks.Max ? TimeResult.OutOfRange : TimeResult.Ok;
    }

    /// <summary>A number as a time: seconds since 1970-01-01 UTC below 10^11, milliseconds from there on; fractions are kept to the tick.</summary>
    internal static TimeResult FromNumber(ReadOnlySpan<byte> text, in DecimalNumber number, out long ticks)
    {
        bool milliseconds = !Utf8Numbers.TryScale(text, in number, 0, out long whole)
            || whole is >= FirstMilliseconds or <= -FirstMilliseconds;
        return FromNumber(text, in number, milliseconds ? 4 : 7, out ticks);
    }

    /// <summary>A number of units of <c>10^power</c> ticks as a time.</summary>
    internal static TimeResult FromNumber(ReadOnlySpan<byte> text, in DecimalNumber number, int power, out long ticks) =>
        !Utf8Numbers.TryScale(text, in number, power, out ticks) || ticks < Ticks.Min || ticks > Ticks.Max
            ? TimeResult.OutOfRange
            : TimeResult.Ok;

    /// <summary>The whole text as a time in any form: ISO 8601 or a number.</summary>
    internal static TimeResult ParseAny(ReadOnlySpan<byte> text, out long ticks)
    {
        var result = Parse(text, out ticks);
        return result == TimeResult.NotATime && text.Length > 0 && Utf8Numbers.Scan(text, out var number) == text.Length
            ? FromNumber(text, in number, out ticks)
            : result;
    }

    // From the T on; gives the place where the zone begins, or -1.
    private static int ParseClock(ReadOnlySpan<byte> text, ref long seconds, ref long fraction)
    {
        if (text.Length < 16 || ((text[10] | 0x20) != 't' && text[10] != ' ') || text[13] != ':')
        {
            return -1;
        }

        uint bad = 0;
        int hour = Two(text[11], text[12], ref bad);
        int minute = Two(text[14], text[15], ref bad);
        int second = 0;
        int at = 16;
        if (text.Length >= 19 && text[16] == ':')
        {
            second = Two(text[17], text[18], ref bad);
            at = 19;
            if (text.Length > 19 && text[19] is (byte)'.' or (byte)',')
            {
                at = ParseFraction(text, ref fraction);
            }
        }

        seconds += (hour * 3600) + (minute * 60) + second;
        return bad > 9 || hour > 23 || minute > 59 || second > 59 ? -1 : at;
    }

    private static int ParseFraction(ReadOnlySpan<byte> text, ref long fraction)
    {
        int at = 20;
        long scale = TimeSpan.TicksPerSecond;
        while ((uint)at < (uint)text.Length && (uint)(text[at] - '0') <= 9)
        {
            scale /= 10;
            fraction += (text[at++] - '0') * scale;
        }

        return at == 20 ? -1 : at;
    }

    private static bool TryParseZone(ReadOnlySpan<byte> zone, out int minutes)
    {
        minutes = 0;
        if (zone.Length == 0 || (zone.Length == 1 && (zone[0] | 0x20) == 'z'))
        {
            return true;
        }

        if (zone[0] is not ((byte)'+' or (byte)'-'))
        {
            return false;
        }

        uint bad = 0;
        int hours, rest = 0;
        switch (zone.Length)
        {
            case 6 when zone[3] == ':':
                hours = Two(zone[1], zone[2], ref bad);
                rest = Two(zone[4], zone[5], ref bad);
                break;
            case 5:
                hours = Two(zone[1], zone[2], ref bad);
                rest = Two(zone[3], zone[4], ref bad);
                break;
            case 3:
                hours = Two(zone[1], zone[2], ref bad);
                break;
            default:
                return false;
        }

        // No zone is further away than 14 hours, which is also what DateTimeOffset takes.
        minutes = ((hours * 60) + rest) * (zone[0] == '-' ? -1 : 1);
        return bad <= 9 && rest <= 59 && Math.Abs(minutes) <= 14 * 60;
    }

    // Keeps the largest digit in bad, so that one comparison at the end finds any byte that is none.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Two(byte tens, byte ones, ref uint bad)
    {
        uint high = (uint)(tens - '0'), low = (uint)(ones - '0');
        bad = Math.Max(bad, Math.Max(high, low));
        return (int)((high * 10) + low);
    }

    private static bool IsDay(int year, int month, int day) =>
        (uint)(day - 1) < DaysInMonth[month] || (day == 29 && month == 2 && IsLeap(year));

    private static bool IsLeap(int year) => (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0);

    private static int DaysSince1970(int year, int month, int day)
    {
        int before = year - 1;
        int leapDay = month > 2 && IsLeap(year) ? 1 : 0;
        return (before * 365) + (before / 4) - (before / 100) + (before / 400) + DaysBeforeMonth[month] + leapDay + day - 1 - 719_162;
    }
}
