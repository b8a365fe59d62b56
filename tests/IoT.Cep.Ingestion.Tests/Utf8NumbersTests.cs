using System.Globalization;
using System.Text;
using FsCheck.Xunit;

namespace IoT.Cep.Ingestion.Tests;

public sealed class Utf8NumbersTests
{
    [Property(MaxTest = 5000)]
    public bool Any_double_is_read_back_exactly(double value) =>
        !double.IsFinite(value) || Parse(value.ToString("R", CultureInfo.InvariantCulture)).Equals(value);

    [Property(MaxTest = 5000)]
    public bool Any_decimal_rounds_as_the_framework_rounds_it(ulong mantissa, byte digits, sbyte exponent)
    {
        string text = mantissa.ToString(CultureInfo.InvariantCulture);
        int point = digits % (text.Length + 1);
        string number = (point == 0 ? "0" : text[..point]) + (point == text.Length ? "" : "." + text[point..]) + "e" + exponent;
        return Same(number.TrimStart('0') is ['.' or 'e', ..] or "" ? "0" + number.TrimStart('0') : number.TrimStart('0'));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-0")]
    [InlineData("-0.0")]
    [InlineData("21.53")]
    [InlineData("9007199254740992")]
    [InlineData("9007199254740993")]
    [InlineData("9007199254740993e22")]
    [InlineData("1e22")]
    [InlineData("1e23")]
    [InlineData("1e-22")]
    [InlineData("1e-23")]
    [InlineData("74.93588199999998")]
    [InlineData("2.2250738585072011e-308")]
    [InlineData("4.9e-324")]
    [InlineData("1e-400")]
    [InlineData("1.7976931348623157e308")]
    [InlineData("0.00000000000000000000000000000000000000000000000012345678901234567")]
    [InlineData("100000000000000000000000000000000000000000000000000")]
    [InlineData("0e99999999999999999999")]
    [InlineData("1e-99999999999999999999")]
    [InlineData("123456789012345678901234567890.123456789012345678901234567890")]
    public void A_hard_number_rounds_as_the_framework_rounds_it(string text) => Assert.True(Same(text));

    [Theory]
    [InlineData("1e309")]
    [InlineData("-1e309")]
    [InlineData("1e99999999999999999999")]
    public void What_no_double_holds_is_refused(string text) => Assert.False(Utf8Numbers.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    [InlineData("1e")]
    [InlineData("e5")]
    [InlineData("1 ")]
    [InlineData(" 1")]
    [InlineData("1,5")]
    [InlineData("0x10")]
    [InlineData("--1")]
    [InlineData(".")]
    public void What_is_no_number_is_refused(string text) => Assert.False(Utf8Numbers.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("+5", 5)]
    [InlineData("007", 7)]
    [InlineData(".5", 0.5)]
    [InlineData("5.", 5)]
    public void Text_may_write_numbers_as_json_may_not(string text, double expected) => Assert.Equal(expected, Parse(text));

    [Property(MaxTest = 2000)]
    public bool Any_whole_number_is_read_back(long value)
    {
        byte[] text = Encoding.UTF8.GetBytes(value.ToString(CultureInfo.InvariantCulture));
        return Utf8Numbers.Scan(text, out var number) == text.Length
            && Utf8Numbers.TryToInteger(in number, out long read, out _) && read == value;
    }

    [Theory]
    [InlineData("9223372036854775807", true, true, long.MaxValue)]
    [InlineData("-9223372036854775808", true, true, long.MinValue)]
    [InlineData("9223372036854775808", false, true, 0)]
    [InlineData("99999999999999999999999", false, true, 0)]
    [InlineData("25.0", true, true, 25)]
    [InlineData("1e3", true, true, 1000)]
    [InlineData("1500e-2", true, true, 15)]
    [InlineData("1e18", true, true, 1_000_000_000_000_000_000)]
    [InlineData("1e19", false, true, 0)]
    [InlineData("1e400", false, true, 0)]
    [InlineData("0e400", true, true, 0)]
    [InlineData("0.5", false, false, 0)]
    [InlineData("1e-400", false, false, 0)]
    public void A_whole_number_is_one_by_its_value(string text, bool fits, bool isWhole, long expected)
    {
        Assert.Equal(text.Length, Utf8Numbers.Scan(Encoding.UTF8.GetBytes(text), out var number));
        Assert.Equal(fits, Utf8Numbers.TryToInteger(in number, out long value, out bool whole));
        Assert.Equal(isWhole, whole);
        Assert.Equal(expected, value);
    }

    private static bool Same(string text)
    {
        double expected = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = Utf8Numbers.Scan(bytes, out var number);
        return length == bytes.Length
            && (Utf8Numbers.TryToDouble(bytes, in number, out double value)
                ? BitConverter.DoubleToInt64Bits(value) == BitConverter.DoubleToInt64Bits(expected)
                : double.IsInfinity(expected));
    }

    private static double Parse(string text)
    {
        Assert.True(Utf8Numbers.TryParse(Encoding.UTF8.GetBytes(text), out double value), text);
        return value;
    }
}
