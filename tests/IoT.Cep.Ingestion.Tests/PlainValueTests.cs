using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct PlainNumber([EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Sensor, double Value);

[Event]
internal readonly partial record struct PlainText([EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Sensor, string State);

[Event]
internal readonly partial record struct PlainFlag([EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Sensor, bool? On, long Count = 0);

/// <summary>Payloads of one value, lines of JSON, and decoders by media type.</summary>
public sealed class PlainValueTests
{
    private static readonly DateTimeOffset _received = Ticks.ToTime(Decoding.Received);

    [Theory]
    [InlineData("21.5", 21.5)]
    [InlineData(" -3e2\r\n", -300)]
    [InlineData("+007", 7)]
    public void A_number_with_its_sensor_in_the_topic_is_an_event(string body, double value) =>
        Assert.Equal(new PlainNumber(_received, "t1", value), At(PlainValue.Decode<PlainNumber>(), body).Single());

    [Theory]
    [InlineData("")]
    [InlineData("21.5 C")]
    [InlineData("NaN")]
    [InlineData("{}")]
    public void What_is_no_number_is_a_dead_letter(string body) => At(PlainValue.Decode<PlainNumber>(), body).IsRejected(DeadLetterReason.WrongType, "value");

    [Fact]
    public void Text_is_taken_as_it_is()
    {
        Assert.Equal(" open é", At(PlainValue.Decode<PlainText>(), " open é").Single().State);
        Assert.Equal("", At(PlainValue.Decode<PlainText>(), "").Single().State);
        At(PlainValue.Decode<PlainText>(limits: new PayloadLimits(MaxTextBytes: 3)), "open").IsRejected(DeadLetterReason.OutOfRange, "state");
        Decoding.Message(PlainValue.Decode<PlainText>(), [0xFF], p => p with { Template = TopicTemplate.Parse("{sensor}") }, "a").IsRejected(DeadLetterReason.Malformed, "state");
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("ON", true)]
    [InlineData("1", true)]
    [InlineData("False", false)]
    [InlineData("off", false)]
    [InlineData("0", false)]
    [InlineData("", null)]
    public void A_Boolean_has_the_names_that_devices_give_it(string body, bool? value) => Assert.Equal(value, At(PlainValue.Decode<PlainFlag>("on"), body).Single().On);

    [Fact]
    public void The_member_must_be_known()
    {
        Assert.Equal(7, At(PlainValue.Decode<PlainFlag>("count"), "7", "{sensor}/{on}", "s/true").Single().Count);
        Assert.Throws<ArgumentException>(() => PlainValue.Decode<PlainFlag>());
        Assert.Throws<ArgumentException>(() => PlainValue.Decode<PlainFlag>("of"));
        Assert.Equal("21.5", RichEvents.Encode(PlainValue.Encode<PlainNumber>(), new PlainNumber(_received, "s", 21.5)));
    }

    [Fact]
    public void A_body_that_says_nothing_of_its_sensor_needs_a_topic_that_does() =>
        Decoding.Run(PlainValue.Decode<PlainNumber>(), "21.5").IsRejected(DeadLetterReason.MissingField, "sensor");

    [Fact]
    public void Lines_of_JSON_are_an_event_each()
    {
        var decoder = NdJson.Decode<MachineReading>();
        double[] Values(string text) => [.. Decoding.Run(decoder, text).Events.Select(e => e.Value)];

        Assert.Equal([1, 2, 3], Values("{\"timestamp\":0,\"value\":1}\n\r\n{\"timestamp\":0,\"value\":2} \r\n{\"timestamp\":0,\"value\":3}\n"));
        Assert.Equal([1], Values("{\"timestamp\":0,\"value\":1}"));
        Decoding.Run(decoder, "{\"timestamp\":0,\"value\":1} {\"timestamp\":0,\"value\":2}").IsRejected(DeadLetterReason.Malformed, "more than one value");
        Decoding.Run(decoder, "{\"timestamp\":0,\"value\":1}\n{\"timestamp\":0,").IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(decoder, "{\"timestamp\":0,\"value\":1},\n{\"timestamp\":0,\"value\":1}").IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(decoder, "").IsRejected(DeadLetterReason.Malformed);
        Assert.Equal([4, 5], Decoding.Run(NdJson.Decode((ref f) => f.Number("v"u8)), "{\"v\":4}\n{\"v\":5,\"w\":[1]}\n").Events);
    }

    [Fact]
    public void The_media_type_picks_the_decoder()
    {
        var decoder = Decoder.ByContentType(("application/json", Json.Decode<PlainNumber>()), ("text/plain", PlainValue.Decode<PlainNumber>()), ("application/CBOR", Cbor.Decode<PlainNumber>()));
        Outcome<PlainNumber> As(string? type, string body) => Decoding.Message(decoder, body, p => p with { ContentType = type, Template = TopicTemplate.Parse("{sensor}") }, "s");

        Assert.Equal(1, As("application/json", """{"value":1}""").Single().Value);
        Assert.Equal(2, As("Text/Plain ; charset=utf-8", "2").Single().Value);
        As("image/png", "2").IsRejected(DeadLetterReason.UnknownTopic, "image/png");
        As(null, "2").IsRejected(DeadLetterReason.UnknownTopic);
        Assert.Equal(3, Decoding.Message(Decoder.ByContentType(("*/*", PlainValue.Decode<PlainNumber>())), "3", p => p with { Template = TopicTemplate.Parse("{sensor}") }, "s").Single().Value);
        Assert.Throws<ArgumentException>(() => Decoder.ByContentType<Reading>());
        Assert.Throws<ArgumentException>(() => Decoder.ByContentType(("json", Json.Decode<Reading>())));
        Assert.Throws<ArgumentException>(() => Decoder.ByContentType(("a/b", Json.Decode<Reading>()), ("A/B", Json.Decode<Reading>())));
    }

    private static Outcome<T> At<T>(Decoder<T> decoder, string body, string template = "plant/{sensor}", string topic = "plant/t1") =>
        Decoding.Message(decoder, body, p => p with { Template = TopicTemplate.Parse(template) }, topic);
}
