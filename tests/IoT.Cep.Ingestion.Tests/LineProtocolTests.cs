using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct Weather(
    string Measurement, [EventTime, ReceivedTime] DateTimeOffset Time, string? Location, double? Temperature, long? Humidity, string? Note, bool? Open,
    [Field("a key, with = and space")] string? Odd);

/// <summary>InfluxDB's line protocol, by the examples of its reference.</summary>
public sealed class LineProtocolTests
{
    private static readonly DateTimeOffset _time = Ticks.ToTime(1556813561098000000 / 100);
    private static readonly DateTimeOffset _received = Ticks.ToTime(Decoding.Received);

    [Theory]
    [InlineData("weather temperature=82 1556813561098000000", "weather||82||||")]
    [InlineData("weather,location=us-midwest temperature=82 1556813561098000000", "weather|us-midwest|82||||")]
    [InlineData("weather,location=us-midwest,season=summer temperature=82,humidity=71i 1556813561098000000", "weather|us-midwest|82|71|||")]
    [InlineData("weather humidity=71u 1556813561098000000", "weather|||71|||")]
    [InlineData("weather humidity=71 1556813561098000000", "weather|||71|||")]
    [InlineData("weather temperature=-1.234456e+78 1556813561098000000", "weather||-1.234456E+78||||")]
    [InlineData("weather temperature=7i 1556813561098000000", "weather||7||||")]
    [InlineData("weather,location=us\\,\\ mid\\=west temperature=82 1556813561098000000", "weather|us, mid=west|82||||")]
    [InlineData("wea\\,ther\\ 2 temperature=82 1556813561098000000", "wea,ther 2||82||||")]
    [InlineData("wea\\=ther temperature=82 1556813561098000000", "wea\\=ther||82||||")]
    [InlineData("weather,location=c:\\dir\\x temperature=82 1556813561098000000", "weather|c:\\dir\\x|82||||")]
    [InlineData("weather note=\"too warm\" 1556813561098000000", "weather||||too warm||")]
    [InlineData("weather note=\"too \\\"hot\\\", a=1 \\\\ \\n\",open=t 1556813561098000000", "weather||||too \"hot\", a=1 \\ \\n|True|")]
    [InlineData("weather note=\"\" 1556813561098000000", "weather|||||| ")]
    [InlineData("weather open=TRUE 1556813561098000000", "weather|||||True|")]
    [InlineData("weather open=f 1556813561098000000", "weather|||||False|")]
    [InlineData("weather,a\\ key\\,\\ with\\ \\=\\ and\\ space=x temperature=1 1556813561098000000", "weather||1||||x")]
    [InlineData("weather,location=🙂 temperature=82   1556813561098000000  ", "weather|🙂|82||||")]
    public void The_examples_of_the_reference_are_read(string line, string expected)
    {
        var w = Decoding.Run(LineProtocol.Decode<Weather>(), line).Single();

        Assert.Equal(_time, w.Time);
        string actual = FormattableString.Invariant($"{w.Measurement}|{w.Location}|{w.Temperature}|{w.Humidity}|{w.Note}|{w.Open}|{w.Odd}");
        Assert.Equal(expected.TrimEnd(' '), actual);
    }

    [Theory]
    [InlineData(TimePrecision.Nanoseconds, "1556813561098000000")]
    [InlineData(TimePrecision.Microseconds, "1556813561098000")]
    [InlineData(TimePrecision.Milliseconds, "1556813561098")]
    public void A_timestamp_counts_what_it_is_said_to(TimePrecision precision, string stamp)
    {
        var weather = new Weather("weather", _time, null, 1, null, null, null, null);

        Assert.Equal(weather, Decoding.Run(LineProtocol.Decode<Weather>(precision), $"weather temperature=1 {stamp}").Single());
        Assert.Equal($"weather temperature=1 {stamp}\n", RichEvents.Encode(LineProtocol.Encode<Weather>(precision: precision), weather));
    }

    [Fact]
    public void Lines_comments_and_line_ends_of_both_kinds_are_told_apart()
    {
        var outcome = Decoding.Run(
            LineProtocol.Decode<Weather>(TimePrecision.Seconds), "# a comment, x=1\r\n\n m1 temperature=1 5\r\nm2 note=\"two\nlines\"\r\n   # another\nm3,location=a open=true\r\nm4 temperature=4");

        Assert.Equal(["m1", "m2", "m3", "m4"], outcome.Events.Select(e => e.Measurement));
        Assert.Equal([Ticks.ToTime(5 * TimeSpan.TicksPerSecond), _received, _received, _received], outcome.Events.Select(e => e.Time));
        Assert.Equal("two\nlines", outcome.Events[1].Note);
        Assert.Empty(Decoding.Run(LineProtocol.Decode<Weather>(), "").Events);
    }

    [Theory]
    [InlineData("weather", DeadLetterReason.Malformed)]
    [InlineData("weather ", DeadLetterReason.Malformed)]
    [InlineData("weather,location=a", DeadLetterReason.Malformed)]
    [InlineData("weather,location a=1", DeadLetterReason.Malformed)]
    [InlineData("weather,location= temperature=1", DeadLetterReason.Malformed)]
    [InlineData("weather,=a temperature=1", DeadLetterReason.Malformed)]
    [InlineData(",location=a temperature=1", DeadLetterReason.Malformed)]
    [InlineData("weather temperature=", DeadLetterReason.Malformed)]
    [InlineData("weather =1", DeadLetterReason.Malformed)]
    [InlineData("weather note=\"a", DeadLetterReason.Malformed)]
    [InlineData("weather note=\"a\"b", DeadLetterReason.Malformed)]
    [InlineData("weather temperature=1 now", DeadLetterReason.Malformed)]
    [InlineData("weather temperature=1 1 2", DeadLetterReason.Malformed)]
    [InlineData("weather temperature=1 1.5", DeadLetterReason.WrongType)]
    [InlineData("weather temperature=warm", DeadLetterReason.WrongType)]
    [InlineData("weather temperature=\"1\"", DeadLetterReason.WrongType)]
    [InlineData("weather temperature=NaN", DeadLetterReason.WrongType)]
    [InlineData("weather humidity=1.5", DeadLetterReason.WrongType)]
    [InlineData("weather humidity=9223372036854775808i", DeadLetterReason.OutOfRange)]
    [InlineData("weather open=yes", DeadLetterReason.WrongType)]
    [InlineData("weather note=1", DeadLetterReason.WrongType)]
    [InlineData("weather temperature=1,temperature=2", DeadLetterReason.DuplicateField)]
    [InlineData("weather,location=a location=\"b\"", DeadLetterReason.DuplicateField)]
    [InlineData("weather temperature=1\nweather temperature=x", DeadLetterReason.WrongType)]
    public void What_is_no_line_is_a_dead_letter(string line, DeadLetterReason reason) => Decoding.Run(LineProtocol.Decode<Weather>(), line).IsRejected(reason);

    [Fact]
    public void What_the_protocol_cannot_say_cannot_be_encoded()
    {
        Assert.Throws<FormatException>(() => RichEvents.Encode(LineProtocol.Encode<Rich>(), FormatTests.Example with { Sensor = "a\nb" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(LineProtocol.Encode<Rich>(), FormatTests.Example with { Sensor = "a\\" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(LineProtocol.Encode<Rich>(), FormatTests.Example with { Sensor = "" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(LineProtocol.Encode<Rich>(), FormatTests.Example with { Time = DateTimeOffset.MaxValue }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(LineProtocol.Encode<Weather>(), new Weather("w", _time, null, null, null, null, null, null)));
    }
}
