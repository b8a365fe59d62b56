using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// A decimal number as it stands in a payload: <c>±Mantissa × 10^Exponent</c>. <see cref="IsExact"/> is false where it
/// has more than 19 significant digits, and then only the text has its value.
/// </summary>
internal struct DecimalNumber
{
    internal ulong Mantissa;
    internal int Exponent;
    internal bool IsNegative;
    internal bool IsExact;
}

/// <summary>Reads decimal numbers out of UTF-8, exactly rounded, without allocation.</summary>
/// <remarks>
/// A mantissa up to 2^53 and a power of ten up to 10^22 are both exact doubles, so that one multiplication or division rounds
/// correctly (Clinger, "How to read floating point numbers accurately", 1990). Everything else is left to the framework.
/// </remarks>
internal static class Utf8Numbers
{
    // Nineteen digits are the most that always fit 64 bits.
    private const int MaxDigits = 19;

    // Past this the value is 0 or too large whatever the mantissa: it has fewer digits than 2^30 bytes of payload.
    private const int ExponentCap = 2_000_000_000;

    private static readonly SearchValues<byte> _numberBytes = SearchValues.Create("+-.0123456789eE"u8);

    private static ReadOnlySpan<double> PowersOfTen =>
    [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];

    private static ReadOnlySpan<ulong> IntegerPowersOfTen =>
    [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
        100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
        10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
    ];

    /// <summary>Reads the number at the start of the text by JSON's grammar.</summary>
    /// <returns>How many bytes it has, or 0 where there is no number.</returns>
    internal static int Scan(ReadOnlySpan<byte> text, out DecimalNumber number)
    {
        number = default;
        int at = 0;
        if (text.Length > 0 && text[0] == '-')
        {
            number.IsNegative = true;
            at = 1;
        }

        int whole = at;
        ulong mantissa = 0;
        while (text.Length - at >= sizeof(ulong) && TryEightDigits(text[at..], out uint eight))
        {
            mantissa = (mantissa * 100_000_000) + eight;
            at += sizeof(ulong);
        }

        while ((uint)at < (uint)text.Length && (uint)(text[at] - '0') <= 9)
        {
            mantissa = (mantissa * 10) + (uint)(text[at++] - '0');
        }

        int digits = at - whole;
        if (digits == 0 || (digits > 1 && text[whole] == '0'))
        {
            return 0;
        }

        if ((uint)at < (uint)text.Length && text[at] == '.')
        {
            int fraction = ++at;
            while ((uint)at < (uint)text.Length && (uint)(text[at] - '0') <= 9)
            {
                mantissa = (mantissa * 10) + (uint)(text[at++] - '0');
            }

            if (at == fraction)
            {
                return 0;
            }

            digits += at - fraction;
            number.Exponent = fraction - at;
        }

        // With more digits the mantissa has wrapped around; leading zeros alone may still leave it exact.
        number.Mantissa = mantissa;
        number.IsExact = digits <= MaxDigits || SignificantDigits(text[whole..at]) <= MaxDigits;
        return (uint)at < (uint)text.Length && (text[at] | 0x20) == 'e' ? ScanExponent(text, at + 1, ref number) : at;
    }

    /// <summary>
    /// The whole text as a number, as CSV and numbers in quotes have it: JSON's grammar, and also a plus sign, leading zeros and a bare
    /// decimal point (<c>+007</c>, <c>.5</c>, <c>5.</c>). NaN, infinities and white space are not numbers.
    /// </summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out double value)
    {
        if (text.Length > 0 && Scan(text, out var number) == text.Length)
        {
            return TryToDouble(text, in number, out value);
        }

        // The framework would also take names of infinities and white space.
        value = 0;
        return text.Length > 0 && !text.ContainsAnyExcept(_numberBytes)
            && double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value);
    }

    /// <summary>The nearest double; false where the number is too large for one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryToDouble(ReadOnlySpan<byte> text, in DecimalNumber number, out double value)
    {
        if (number.IsExact && number.Mantissa <= 1UL << 53 && (uint)(number.Exponent + 22) <= 44)
        {
            double magnitude = number.Exponent < 0
                ? number.Mantissa / PowersOfTen[-number.Exponent]
                : number.Mantissa * PowersOfTen[number.Exponent];
            value = number.IsNegative ? -magnitude : magnitude;
            return true;
        }

        return TryToDoubleSlow(text, out value);
    }

    /// <summary>The number as a whole number: false where it has a fraction or doesn't fit 64 bits. <c>25.0</c> and <c>1e3</c> are whole.</summary>
    internal static bool TryToInteger(in DecimalNumber number, out long value, out bool isWhole)
    {
        value = 0;
        ulong magnitude = number.Mantissa;
        isWhole = true;
        if (!number.IsExact)
        {
            // More than 19 significant digits: a whole number of that length doesn't fit, anything else has a fraction.
            isWhole = number.Exponent >= 0;
            return false;
        }

        for (int exponent = number.Exponent; exponent < 0 && magnitude != 0; exponent++)
        {
            (magnitude, ulong rest) = Math.DivRem(magnitude, 10);
            if (rest != 0)
            {
                isWhole = false;
                return false;
            }
        }

        if (number.Exponent > 0 && magnitude != 0)
        {
            if (number.Exponent >= MaxDigits || magnitude > ulong.MaxValue / IntegerPowersOfTen[number.Exponent])
            {
                return false;
            }

            magnitude *= IntegerPowersOfTen[number.Exponent];
        }

        if (magnitude > (ulong)long.MaxValue + (number.IsNegative ? 1UL : 0))
        {
            return false;
        }

        value = number.IsNegative ? (long)(0 - magnitude) : (long)magnitude;
        return true;
    }

    /// <summary>The number times <c>10^power</c>, rounded to the nearest whole number; false where that doesn't fit 64 bits.</summary>
    internal static bool TryScale(ReadOnlySpan<byte> text, in DecimalNumber number, int power, out long value)
    {
        int exponent = number.Exponent + power;
        if (number.IsExact && exponent is > -MaxDigits and < MaxDigits)
        {
            ulong magnitude = number.Mantissa;
            if (exponent < 0)
            {
                ulong divisor = IntegerPowersOfTen[-exponent];
                (magnitude, ulong rest) = Math.DivRem(magnitude, divisor);
                magnitude += rest >= divisor - rest ? 1UL : 0;
            }
            else if (magnitude > (ulong)long.MaxValue / IntegerPowersOfTen[exponent])
            {
                value = 0;
                return false;
            }
            else
            {
                magnitude *= IntegerPowersOfTen[exponent];
            }

            value = number.IsNegative ? -(long)magnitude : (long)magnitude;
            return magnitude <= long.MaxValue;
        }

        // Too many digits or a strange exponent: a double's 53 bits are as good as such a number means.
        value = 0;
        if (!TryToDoubleSlow(text, out double real))
        {
            return false;
        }

        real = Math.Round(real * PowersOfTen[power]);
        value = Math.Abs(real) < 9.2e18 ? (long)real : 0;
        return Math.Abs(real) < 9.2e18;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryToDoubleSlow(ReadOnlySpan<byte> text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);

    /// <summary>Eight digits at once, as timestamps have them: each step adds neighbours up, of one digit, of two and of four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryEightDigits(ReadOnlySpan<byte> text, out uint value)
    {
        ulong word = BinaryPrimitives.ReadUInt64LittleEndian(text);
        ulong digits = word - 0x3030_3030_3030_3030;

        // A byte below '0' borrows, and one above '9' has a high bit once 0x76 is added: either shows in the upper half of a byte.
        if (((word | digits | (digits + 0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080) != 0)
        {
            value = 0;
            return false;
        }

        digits = (digits * 10) + (digits >> 8);
        value = (uint)((((digits & 0x0000_00FF_0000_00FF) * 0x000F_4240_0000_0064) + (((digits >> 16) & 0x0000_00FF_0000_00FF) * 0x0000_2710_0000_0001)) >> 32);
        return true;
    }

    private static int ScanExponent(ReadOnlySpan<byte> text, int at, ref DecimalNumber number)
    {
        bool negative = false;
        if ((uint)at < (uint)text.Length && text[at] is (byte)'-' or (byte)'+')
        {
            negative = text[at++] == '-';
        }

        int first = at;
        long exponent = 0;
        while ((uint)at < (uint)text.Length && (uint)(text[at] - '0') <= 9)
        {
            exponent = Math.Min((exponent * 10) + (text[at++] - '0'), ExponentCap);
        }

        number.Exponent += (int)(negative ? -exponent : exponent);
        return at == first ? 0 : at;
    }

    private static int SignificantDigits(ReadOnlySpan<byte> text)
    {
        int first = text.IndexOfAnyInRange((byte)'1', (byte)'9');
        return first < 0 ? 0 : text.Length - first - (text[first..].Contains((byte)'.') ? 1 : 0);
    }
}
