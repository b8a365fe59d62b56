using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct Placed(
    [EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Sensor, [Field("temp")] double Celsius, int Line = 0, bool Ok = false, Shift Shift = Shift.Early,
    DateTimeOffset? Day = null);

internal enum Shift
{
    Early,
    Late,
}

[Event]
internal readonly partial record struct Traced(
    [EventTime] DateTimeOffset Time, [SentTime] DateTimeOffset? Sent, [ReceivedTime] DateTimeOffset Arrival, [Header("x-trace")] string Trace, [Header("x-retries")] int Retries,
    [Sender] string Who, double Value);

[Event]
internal readonly partial record struct SentOrReceived([EventTime, SentTime, ReceivedTime] DateTimeOffset Time, double Value);

[Event]
internal readonly partial record struct Scaled([EventTime, ReceivedTime] DateTimeOffset Time, [Field("t", Scale = 0.1, Offset = -40)] double Celsius, [Field(Scale = 3)] float Triple);

/// <summary>Fields that come from the topic and from beside the body.</summary>
public sealed class BindingTests
{
    private static readonly TopicTemplate _template = TopicTemplate.Parse("plant/{line}/{sensor}");
    private static readonly DateTimeOffset _received = Ticks.ToTime(Decoding.Received);

    public static TheoryData<string, string> Bodies => new()
    {
        { "json", """{"temp":21.5}""" },
        { "json", """[{"temp":21.5}]""" },
        { "senml", """[{"n":"temp","v":21.5}]""" },
        { "csv", "temp\n21.5" },
        { "csv-columns", "21.5" },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public void Places_of_the_topic_become_fields_in_every_format(string format, string body) => Assert.Equal(
        new Placed(_received, "t1", 21.5, 7),
        Decoding.Message(Make(format), body, p => p with { Template = _template }, "plant/7/t1").Single());

    [Theory]
    [MemberData(nameof(Bodies))]
    public void A_place_that_is_not_of_the_members_type_is_a_dead_letter_with_its_name(string format, string body) =>
        Decoding.Message(Make(format), body, p => p with { Template = _template }, "plant/seven/t1").IsRejected(DeadLetterReason.WrongType, "line: the topic's value is not a whole number");

    [Theory]
    [InlineData("99999999999999999999", DeadLetterReason.OutOfRange)]
    [InlineData("99999999999", DeadLetterReason.OutOfRange)]
    [InlineData("1.5", DeadLetterReason.WrongType)]
    [InlineData("", DeadLetterReason.WrongType)]
    public void A_whole_number_in_the_topic_must_fit(string line, DeadLetterReason reason) =>
        Decoding.Message(Json.Decode<Placed>(), """{"temp":1}""", p => p with { Template = _template }, $"plant/{line}/t1").IsRejected(reason, "line");

    [Fact]
    public void A_place_binds_by_payload_name_and_by_member_name_as_its_type_is()
    {
        var template = TopicTemplate.Parse("{ok}/{shift}/{celsius}/{day}/{unknown}/{Sensor}");

        Assert.Equal(
            new Placed(_received, "é", -2.5, 0, true, Shift.Late, new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero)),
            Decoding.Message(Json.Decode<Placed>(), "{}", p => p with { Template = template }, "1/late/-2.5/2026-03-01/x/é").Single());
        Decoding.Message(Json.Decode<Placed>(), "{}", p => p with { Template = template }, "yes/late/1/2026-03-01/x/s").IsRejected(DeadLetterReason.WrongType, "ok");
        Decoding.Message(Json.Decode<Placed>(), "{}", p => p with { Template = template }, "1/night/1/2026-03-01/x/s").IsRejected(DeadLetterReason.OutOfRange, "shift");
        Decoding.Message(Json.Decode<Placed>(), "{}", p => p with { Template = template }, "1/late/1/then/x/s").IsRejected(DeadLetterReason.WrongType, "day");
    }

    [Theory]
    [InlineData("json", """{"sensor":"other","temp":21.5,"line":{"a":[1]}}""")]
    [InlineData("json", """{"sensor":7,"temp":21.5,"sensor":8}""")]
    [InlineData("senml", """[{"bn":"other:","n":"temp","v":21.5},{"n":"line","vs":"x"}]""")]
    [InlineData("csv", "sensor,temp,line\nother,21.5,x")]
    public void A_device_cannot_say_in_the_body_that_it_is_another(string format, string body) => Assert.Equal(
        new Placed(_received, "t1", 21.5, 7),
        Decoding.Message(Make(format), body, p => p with { Template = _template }, "plant/7/t1").Single() with { Time = _received });

    [Fact]
    public void A_topic_that_is_none_of_its_template_is_a_dead_letter() =>
        Decoding.Message(Json.Decode<Placed>(), """{"sensor":"s","temp":1}""", p => p with { Template = _template }, "plant/7").IsRejected(DeadLetterReason.UnknownTopic);

    [Fact]
    public void A_place_longer_than_the_limit_is_a_dead_letter() => Decoding.Message(
        Json.Decode<Placed>(new PayloadLimits(MaxTextBytes: 8)), """{"temp":1}""", p => p with { Template = _template }, "plant/7/123456789").IsRejected(DeadLetterReason.OutOfRange, "sensor");

    [Fact]
    public void The_time_of_arrival_stands_in_only_where_the_body_has_none()
    {
        Assert.Equal(new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero), Decoding.Run(Json.Decode<Placed>(), """{"sensor":"s","temp":1,"time":"2026-05-01"}""").Single().Time);
        Assert.Equal(_received, Decoding.Run(Json.Decode<Placed>(), """{"sensor":"s","temp":1}""").Single().Time);
        Assert.Equal(_received, Decoding.Run(Csv.Decode<Placed>(), "sensor,temp\ns,1").Single().Time);
        Decoding.Run(Json.Decode<Placed>(), """{"sensor":"s","temp":1,"time":"soon"}""").IsRejected(DeadLetterReason.WrongType, "time");
        Decoding.Run(Json.Decode<Traced>(), """{"value":1}""").IsRejected(DeadLetterReason.MissingField);
    }

    [Fact]
    public void What_came_beside_the_body_fills_the_members_that_ask_for_it()
    {
        long sent = Decoding.At("2025-12-31T23:59:59Z");
        var outcome = Decoding.Message(
            Json.Decode<Traced>(),
            """{"time":"2026-05-01","value":1,"trace":"body","retries":"body","who":"body","sent":0,"arrival":0}""",
            p => p with { SentTicks = sent, Sender = "device-1", Headers = Decoding.Headers(("X-Trace", "abc"), ("x-retries", "3")) });

        Assert.Equal(
            new Traced(Ticks.ToTime(Decoding.At("2026-05-01Z")), Ticks.ToTime(sent), _received, "abc", 3, "device-1", 1), outcome.Single());
    }

    [Fact]
    public void What_is_required_and_did_not_come_is_a_dead_letter()
    {
        const string Body = """{"time":0,"value":1,"trace":"body","who":"body"}""";
        var headers = Decoding.Headers(("x-trace", "abc"), ("x-retries", "3"));

        Assert.Null(Decoding.Message(Json.Decode<Traced>(), Body, p => p with { Sender = "d", Headers = headers }).Single().Sent);
        Decoding.Message(Json.Decode<Traced>(), Body, p => p with { Headers = headers }).IsRejected(DeadLetterReason.MissingField, "who");
        Decoding.Message(Json.Decode<Traced>(), Body, p => p with { Sender = "d" }).IsRejected(DeadLetterReason.MissingField, "trace");
        Decoding.Message(Json.Decode<Traced>(), Body, p => p with { Sender = "d", Headers = Decoding.Headers(("x-trace", "abc"), ("x-retries", "many")) })
            .IsRejected(DeadLetterReason.WrongType, "retries: the header's value is not a whole number");
    }

    [Fact]
    public void The_sent_time_is_the_events_time_and_else_the_time_of_arrival()
    {
        Assert.Equal(1, Decoding.Message(Json.Decode<SentOrReceived>(), """{"value":1,"time":7}""", p => p with { SentTicks = 1 }).Single().Time.UtcTicks - DateTime.UnixEpoch.Ticks);
        Assert.Equal(_received, Decoding.Run(Json.Decode<SentOrReceived>(), """{"value":1}""").Single().Time);
    }

    [Fact]
    public void Events_read_by_hand_ask_for_places_and_headers()
    {
        var headers = Decoding.Headers(("h", "v"));
        Payload Beside(Payload p) => p with { Template = _template, Headers = headers, Sender = "w", SentTicks = 5 };
        var json = Json.Decode((ref f) => f.Topic("sensor") + f.Topic("line") + f.Header("H") + f.Sender + f.Number("temp"u8) + (f.Received == _received) + f.Sent!.Value.UtcTicks % 10);
        var senml = SenMl.Decode(r => r.Topic("sensor") + r.Topic("line") + r.Header("H") + r.Sender + r.Value + (r.Received == _received) + r.Sent!.Value.UtcTicks % 10);
        var csv = Csv.Decode((ref row) => row.Topic("sensor") + row.Topic("line") + row.Header("H") + row.Sender + row.Number(0) + (row.Received == _received) + row.Sent!.Value.UtcTicks % 10);

        Assert.Equal("t17vw2True5", Decoding.Message(json, """{"temp":2}""", Beside, "plant/7/t1").Single());
        Assert.Equal("t17vw2True5", Decoding.Message(senml, """[{"n":"temp","v":2}]""", Beside, "plant/7/t1").Single());
        Assert.Equal("t17vw2True5", Decoding.Message(csv, "2", Beside, "plant/7/t1").Single());
    }

    [Fact]
    public void A_place_that_the_topic_does_not_have_is_a_dead_letter_by_hand()
    {
        Decoding.Run(Json.Decode((ref f) => f.Topic("sensor")), "{}").IsRejected(DeadLetterReason.MissingField, "sensor: the topic has no such place");
        Decoding.Run(SenMl.Decode(r => r.Topic("sensor")), """[{"n":"temp","v":2}]""").IsRejected(DeadLetterReason.MissingField, "sensor: the topic has no such place");
        Decoding.Run(Csv.Decode((ref row) => row.Topic("sensor")), "2").IsRejected(DeadLetterReason.MissingField, "sensor: the topic has no such place");
    }

    [Fact]
    public void A_template_that_picks_the_decoder_binds_its_places()
    {
        var decoder = Decoder.ByTopic(("plant/{line}/{sensor}", Json.Decode<Placed>()), ("+/csv", Csv.Decode<Placed>()), ("/{sensor}/x", Json.Decode<Placed>()));

        Assert.Equal("t1", Decoding.Message(decoder, """{"temp":1}""", p => p, "plant/7/t1").Single().Sensor);
        Assert.Equal("s", Decoding.Message(decoder, "sensor,temp\ns,1", p => p, "a/csv").Single().Sensor);
        Assert.Equal("q", Decoding.Message(decoder, """{"temp":1}""", p => p, "/q/x").Single().Sensor);
        Decoding.Message(decoder, "", p => p, "b").IsRejected(DeadLetterReason.UnknownTopic);
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public void Binding_allocates_nothing_once_names_were_seen(string format, string body)
    {
        var decoder = Make(format);
        var bytes = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body));
        using var buffer = new EventBuffer<Placed>(new StringPool());
        string[] topics = ["plant/7/t1", "plant/8/t2"];
        long Decode()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                buffer.Clear();
                buffer.BeginMessage(Decoding.Received);
                decoder.Decode(new Payload(bytes, topics[i % 2]) { Template = _template }, buffer);
                if (buffer.Count != 1)
                {
                    Assert.Fail(buffer.RejectionDetail);
                }
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Decode();
        Assert.Equal(0, Decode());
    }

    [Fact]
    public void A_number_is_scaled_as_its_member_says()
    {
        var scaled = Decoding.Run(Json.Decode<Scaled>(), """{"t":615,"triple":2}""").Single();

        Assert.Equal((21.5, 6f), (scaled.Celsius, scaled.Triple));
    }

    private static Decoder<Placed> Make(string format) => format switch
    {
        "json" => Json.Decode<Placed>(),
        "senml" => SenMl.Decode<Placed>(),
        "csv" => Csv.Decode<Placed>(),
        _ => Csv.Decode<Placed>(["temp"]),
    };
}
