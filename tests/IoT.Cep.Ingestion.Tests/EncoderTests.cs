using System.Buffers;
using System.Text;
using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>What an encoder writes, its decoder reads back.</summary>
public sealed class EncoderTests
{
    private static readonly Rich _example = new(
        Ticks.ToTime(Decoding.At("2026-01-01T00:00:00.5Z")), "s1", 21.5, -3, 1L << 60, true, Level.High, "a \"b\", c\r\né", 0.5f, null, 7, Ticks.ToTime(Decoding.At("2025-12-31Z")), false, -1);

    [Property(MaxTest = 500)]
    public void Json_comes_back_as_it_went(
        long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag) =>
        ComesBack("json", RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag));

    [Property(MaxTest = 500)]
    public void SenML_comes_back_as_it_went(
        long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag) =>
        ComesBack("senml", RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag));

    [Property(MaxTest = 500)]
    public void Csv_comes_back_as_it_went(
        long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag) =>
        ComesBack("csv", RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag));

    [Fact]
    public void Json_is_as_a_person_would_write_it() => Assert.Equal(
        """{"time":"2026-01-01T00:00:00.5Z","sensor":"s1","temperature":21.5,"count":-3,"total":1152921504606846976,"ok":true,"level":"High","note":"a \"b\", c\r\né","small":0.5,"maybe":null,"serial":7,"since":"2025-12-31T00:00:00Z","flag":false,"balance":-1}""",
        RichEvents.Encode(Json.Encode<Rich>(), _example));

    [Fact]
    public void SenML_is_one_pack_with_the_key_and_the_time_in_front() => Assert.Equal(
        """[{"bn":"s1:","bt":1767225600.5,"n":"temperature","v":21.5},{"n":"count","v":-3},{"n":"total","v":1152921504606846976},{"n":"ok","vb":true},{"n":"level","vs":"High"},{"n":"note","vs":"a \"b\", c\r\né"},{"n":"small","v":0.5},{"n":"serial","v":7},{"n":"since","vs":"2025-12-31T00:00:00Z"},{"n":"flag","vb":false},{"n":"balance","v":-1}]""",
        RichEvents.Encode(SenMl.Encode<Rich>(), _example));

    [Fact]
    public void Csv_has_a_header_and_quotes_what_needs_it() => Assert.Equal(
        "time,sensor,temperature,count,total,ok,level,note,small,maybe,serial,since,flag,balance\r\n"
        + "2026-01-01T00:00:00.5Z,s1,21.5,-3,1152921504606846976,true,High,\"a \"\"b\"\", c\r\né\",0.5,,7,2025-12-31T00:00:00Z,false,-1\r\n",
        RichEvents.Encode(Csv.Encode<Rich>(), _example));

    [Fact]
    public void A_row_without_a_header_is_read_by_its_columns() => Assert.Equal(
        new Scaled(Ticks.ToTime(0), 21.5, 6),
        Decoding.Run(Csv.Decode<Scaled>(["time", "t", "triple"], ';'), RichEvents.Encode(Csv.Encode<Scaled>(hasHeader: false, ';'), new Scaled(Ticks.ToTime(0), 21.5, 6))).Single());

    [Fact]
    public void A_scaled_member_is_written_as_the_device_counts() => Assert.Equal(
        """{"time":"1970-01-01T00:00:00Z","t":615,"triple":2}""", RichEvents.Encode(Json.Encode<Scaled>(), new Scaled(Ticks.ToTime(0), 21.5, 6)));

    [Fact]
    public void What_came_from_beside_a_body_is_not_put_into_one() => Assert.Equal(
        """{"time":"1970-01-01T00:00:00Z","value":2}""",
        RichEvents.Encode(Json.Encode<Traced>(), new Traced(Ticks.ToTime(0), Ticks.ToTime(1), Ticks.ToTime(2), "t", 1, "w", 2)));

    [Theory]
    [InlineData("json")]
    [InlineData("csv")]
    [InlineData("senml")]
    public void A_number_that_is_none_cannot_be_encoded(string format)
    {
        foreach (double number in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
        {
            var error = Assert.Throws<FormatException>(() => RichEvents.Encode(EncoderOf(format), _example with { Celsius = number }));
            Assert.Contains("temperature", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_enum_without_a_name_and_a_number_too_large_cannot_be_encoded()
    {
        Assert.Throws<FormatException>(() => RichEvents.Encode(Json.Encode<Rich>(), _example with { Level = (Level)99 }));
        Assert.Throws<OverflowException>(() => RichEvents.Encode(Json.Encode<Rich>(), _example with { Serial = ulong.MaxValue }));
    }

    [Fact]
    public void SenML_refuses_what_it_cannot_say()
    {
        Assert.Throws<FormatException>(() => RichEvents.Encode(SenMl.Encode<Rich>(), _example with { Sensor = "ä" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(SenMl.Encode<Rich>(), _example with { Sensor = "" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(SenMl.Encode<Rich>(), _example with { Sensor = ":a" }));
        Assert.Throws<FormatException>(() => RichEvents.Encode(SenMl.Encode<Rich>(), _example with { Time = DateTimeOffset.UnixEpoch }));
    }

    [Fact]
    public void An_event_type_by_hand_compiles_without_a_way_to_encode_it() => Assert.Contains(
        "WriteTo", Assert.Throws<NotSupportedException>(() => RichEvents.Encode(Json.Encode<Reading>(), new Reading(0, "s", 1, 2))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("json")]
    [InlineData("senml")]
    [InlineData("csv")]
    public void Encoding_allocates_little(string format)
    {
        // SenML's base name is the key with a colon; nothing else is made.
        long allowed = format == "senml" ? 40 : 0;
        var encoder = EncoderOf(format);
        var output = new ArrayBufferWriter<byte>(1 << 12);
        Assert.Contains(true, Enumerable.Range(0, 50).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                output.ResetWrittenCount();
                encoder.Encode(in _example, output);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before <= 100 * allowed;
        }));
    }

    [Fact]
    public void A_sinks_topic_is_filled_from_the_events_fields()
    {
        var topic = TopicTemplate.Parse("alerts/{level}/{sensor}/{temperature}/{count}/{ok}/{since}").For<Rich>();

        Assert.Equal("alerts/High/s1/21.5/-3/true/2025-12-31T00:00:00Z", topic(_example));
        Assert.Equal("a/s1/x/y", TopicTemplate.Parse("a/{*sensor}").For<Rich>()(_example with { Sensor = "s1/x/y" }));
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("a+")]
    [InlineData("#")]
    [InlineData("")]
    [InlineData("a\u0001")]
    public void A_value_that_is_no_level_makes_no_topic(string sensor) => Assert.Throws<FormatException>(() => TopicTemplate.Parse("a/{sensor}").For<Rich>()(_example with { Sensor = sensor }));

    [Fact]
    public void A_topic_of_unknown_places_is_refused_at_once()
    {
        Assert.Contains("{who}", Assert.Throws<ArgumentException>(() => TopicTemplate.Parse("a/{who}").For<Rich>()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => TopicTemplate.Parse("a/+").For<Rich>());
    }

    private static Encoder<Rich> EncoderOf(string format) => format switch
    {
        "json" => Json.Encode<Rich>(),
        "senml" => SenMl.Encode<Rich>(),
        _ => Csv.Encode<Rich>(),
    };

    private static void ComesBack(string format, Rich value)
    {
        Decoder<Rich> decoder = format switch
        {
            "json" => Json.Decode<Rich>(),
            "senml" => SenMl.Decode<Rich>(),
            _ => Csv.Decode<Rich>(),
        };
        var outcome = RichEvents.Trip(EncoderOf(format), decoder, value);
        Assert.Equal("", outcome.Detail);
        Assert.Equal(value, outcome.Single());
    }
}
