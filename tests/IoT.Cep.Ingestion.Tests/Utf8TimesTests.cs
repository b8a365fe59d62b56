using System.Globalization;
using System.Text;
using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class Utf8TimesTests
{
    [Property(MaxTest = 5000)]
    public bool Any_time_is_read_back(DateTimeOffset time, byte digits)
    {
        string fraction = (digits % 8) is 0 ? "" : "." + new string('f', digits % 8);
        string text = time.ToString("yyyy-MM-ddTHH:mm:ss" + fraction + "zzz", CultureInfo.InvariantCulture);
        var expected = DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
        return Utf8Times.Parse(Encoding.UTF8.GetBytes(text), out long ticks) == TimeResult.Ok && ticks == Ticks.From(expected);
    }

    [Fact]
    public void Every_day_of_the_calendar_is_counted_right()
    {
        Span<byte> text = stackalloc byte[10];
        for (var day = DateTime.MinValue; day < DateTime.MaxValue.Date; day = day.AddDays(1))
        {
            Assert.True(day.TryFormat(text, out _, "yyyy-MM-dd", CultureInfo.InvariantCulture));
            Assert.Equal(TimeResult.Ok, Utf8Times.Parse(text, out long ticks));
            Assert.Equal(day.Ticks - DateTime.UnixEpoch.Ticks, ticks);
        }
    }

    [Theory]
    [InlineData("2026-01-31T13:45:10Z", "2026-01-31T13:45:10Z")]
    [InlineData("2026-01-31t13:45:10z", "2026-01-31T13:45:10Z")]
    [InlineData("2026-01-31T13:45Z", "2026-01-31T13:45:00Z")]
    [InlineData("2026-01-31", "2026-01-31T00:00:00Z")]
    [InlineData("2026-01-31T13:45:10", "2026-01-31T13:45:10Z")]
    [InlineData("2026-01-31 13:45:10.5", "2026-01-31T13:45:10.5Z")]
    [InlineData("2026-01-31T13:45:10,25Z", "2026-01-31T13:45:10.25Z")]
    [InlineData("2026-01-31T13:45:10.12345678999Z", "2026-01-31T13:45:10.1234567Z")]
    [InlineData("2026-01-31T13:45:10+01", "2026-01-31T12:45:10Z")]
    [InlineData("2026-01-31T13:45:10-0130", "2026-01-31T15:15:10Z")]
    [InlineData("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z")]
    [InlineData("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z")]
    public void A_time_in_an_accepted_form_is_read(string text, string expected) =>
        Assert.Equal((TimeResult.Ok, Decoding.At(expected)), (Utf8Times.Parse(Encoding.UTF8.GetBytes(text), out long ticks), ticks));

    [Theory]
    [InlineData("")]
    [InlineData("2026")]
    [InlineData("2026-1-31T13:45:10Z")]
    [InlineData("2026-00-31T13:45:10Z")]
    [InlineData("2026-13-31T13:45:10Z")]
    [InlineData("2026-02-29T13:45:10Z")]
    [InlineData("1900-02-29T13:45:10Z")]
    [InlineData("2026-04-31T13:45:10Z")]
    [InlineData("2026-01-00T13:45:10Z")]
    [InlineData("2026-01-31T24:00:00Z")]
    [InlineData("2026-01-31T13:60:10Z")]
    [InlineData("2026-01-31T13:45:60Z")]
    [InlineData("2026-01-31T13:45:10.Z")]
    [InlineData("2026-01-31T13:45:10.1.Z")]
    [InlineData("2026-01-31T13:45:10+14:01")]
    [InlineData("2026-01-31T13:45:10+1:00")]
    [InlineData("2026-01-31T13:45:10+01:60")]
    [InlineData("2026-01-31T13:45:10 ")]
    [InlineData("2026/01/31T13:45:10Z")]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("2026-01-31T1/:45:10Z")]
    [InlineData("2026-01-31T13:45:1\u0662")]
    public void What_is_no_time_is_refused(string text) =>
        Assert.Equal(TimeResult.NotATime, Utf8Times.Parse(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("0001-01-01T00:00:00+14:00")]
    [InlineData("9999-12-31T23:59:59-00:01")]
    [InlineData("253402300800000")]
    [InlineData("1e300")]
    [InlineData("-1e300")]
    [InlineData("1e99999999999")]
    public void A_time_outside_the_calendar_is_out_of_range(string text) =>
        Assert.Equal(TimeResult.OutOfRange, Utf8Times.ParseAny(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("0", "1970-01-01T00:00:00Z")]
    [InlineData("-1", "1969-12-31T23:59:59Z")]
    [InlineData("1767225600", "2026-01-01T00:00:00Z")]
    [InlineData("1767225600.1234567", "2026-01-01T00:00:00.1234567Z")]
    [InlineData("1767225600123", "2026-01-01T00:00:00.123Z")]
    [InlineData("1767225600123.5", "2026-01-01T00:00:00.1235Z")]
    [InlineData("1.320067464e+09", "2011-10-31T13:24:24Z")]
    [InlineData("99999999999", "5138-11-16T09:46:39Z")]
    [InlineData("100000000000", "1973-03-03T09:46:40Z")]
    public void A_number_is_seconds_or_milliseconds_by_its_size(string text, string expected) =>
        Assert.Equal((TimeResult.Ok, Decoding.At(expected)), (Utf8Times.ParseAny(Encoding.UTF8.GetBytes(text), out long ticks), ticks));
}
