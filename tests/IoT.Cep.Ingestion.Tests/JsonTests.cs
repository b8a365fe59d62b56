using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class JsonTests
{
    private const string Good = """{"time":"2026-01-01T00:00:00Z","sensor":"s1","temperature":21.5,"count":7,"ok":true}""";

    private static readonly Sample _expected = new(Decoding.Received, "s1", 21.5, 7, true);

    [Fact]
    public void One_object_is_one_event() => Assert.Equal(_expected, Decode(Good).Single());

    [Fact]
    public void An_array_is_many_events() => Assert.Equal([_expected, _expected], Decode($" [ {Good} ,\n{Good} ] ").Events);

    [Fact]
    public void An_empty_array_is_no_event_and_no_dead_letter() => Assert.Equal((0, null), (Decode("[]").Events.Length, Decode("[]").Reason));

    [Theory]
    [InlineData("""{"ok":true,"count":7,"temperature":21.5,"sensor":"s1","time":1767225600}""")]
    [InlineData("""{ "time" : "2026-01-01T01:00:00+01:00" , "sensor" : "s1" , "temperature" : 2.15e1 , "count" : 7 , "ok" : true }""")]
    [InlineData("""{"x":{"time":[1,{"y":"}"}]},"time":1767225600000,"z":null,"sensor":"s1","temperature":21.5,"count":7.0,"ok":true,"w":[]}""")]
    [InlineData("""{"time":"2026-01-01T01:00:00\u002B01:00","sensor":"s1","temperature":21.5,"count":7,"ok":true}""")]
    [InlineData("""{"t\u0069me":1767225600,"sensor":"\u0073\u0031","temperature":21.5,"count":7,"ok":true}""")]
    public void Order_spacing_unknown_members_and_escapes_make_no_difference(string payload) =>
        Assert.Equal(_expected, Decode(payload).Single());

    [Fact]
    public void A_member_that_is_not_required_may_be_missing_or_null()
    {
        var expected = _expected with { Count = null, Ok = false };
        Assert.Equal(expected, Decode("""{"time":1767225600,"sensor":"s1","temperature":21.5}""").Single());
        Assert.Equal(expected, Decode("""{"time":1767225600,"sensor":"s1","temperature":21.5,"count":null}""").Single());
    }

    [Fact]
    public void Text_may_hold_any_character()
    {
        string payload = """{"time":0,"sensor":"Zürich \"Süd\" \ud834\udd1e 𝄞 \u0000\/","temperature":1}""";
        Assert.Equal("Zürich \"Süd\" 𝄞 𝄞 \0/", Decode(payload).Single().Sensor);
    }

    [Theory]
    [InlineData("""{"time":0,"sensor":"s"}""", DeadLetterReason.MissingField, "temperature")]
    [InlineData("""{}""", DeadLetterReason.MissingField, "time")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1,"temperature":2}""", DeadLetterReason.DuplicateField, "temperature")]
    [InlineData("""{"time":0,"sensor":"s","temperature":"1"}""", DeadLetterReason.WrongType, "temperature")]
    [InlineData("""{"time":0,"sensor":"s","temperature":null}""", DeadLetterReason.WrongType, "temperature")]
    [InlineData("""{"time":0,"sensor":"s","temperature":[1]}""", DeadLetterReason.WrongType, "temperature")]
    [InlineData("""{"time":0,"sensor":5,"temperature":1}""", DeadLetterReason.WrongType, "sensor")]
    [InlineData("""{"time":"now","sensor":"s","temperature":1}""", DeadLetterReason.WrongType, "time")]
    [InlineData("""{"time":true,"sensor":"s","temperature":1}""", DeadLetterReason.WrongType, "time")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1,"count":1.5}""", DeadLetterReason.WrongType, "count")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1,"ok":1}""", DeadLetterReason.WrongType, "ok")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1,"count":9223372036854775808}""", DeadLetterReason.OutOfRange, "count")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1e999}""", DeadLetterReason.OutOfRange, "temperature")]
    [InlineData("""{"time":1e300,"sensor":"s","temperature":1}""", DeadLetterReason.OutOfRange, "time")]
    [InlineData("""{"time":"0001-01-01T00:00:00+01:00","sensor":"s","temperature":1}""", DeadLetterReason.OutOfRange, "time")]
    [InlineData("""{"time":0,"sensor":"s","temperature":NaN}""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"time":0,"sensor":"s","temperature":Infinity}""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"time":0,"sensor":"s","temperature":01}""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"time":0,"sensor":"s","temperature":1,}""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"time":0,"sensor":"\ud834","temperature":1}""", DeadLetterReason.Malformed, "sensor")]
    [InlineData("""{"time":0,"sensor":"\udd1e\ud834","temperature":1}""", DeadLetterReason.Malformed, "sensor")]
    [InlineData("""{"time":0,"sensor":"s","temperature":1} x""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"time":0,"sensor":"s","temperature":}""", DeadLetterReason.Malformed, null)]
    [InlineData("", DeadLetterReason.Malformed, null)]
    [InlineData("   ", DeadLetterReason.Malformed, null)]
    [InlineData("5", DeadLetterReason.WrongType, null)]
    [InlineData("[5]", DeadLetterReason.WrongType, null)]
    [InlineData("[[]]", DeadLetterReason.WrongType, null)]
    public void A_broken_payload_says_what_is_wrong(string payload, DeadLetterReason reason, string? field) =>
        Decode(payload).IsRejected(reason, field);

    [Fact]
    public void One_broken_object_rejects_the_whole_array() =>
        Decode($$"""[{{Good}},{"time":0}]""").IsRejected(DeadLetterReason.MissingField, "sensor");

    [Fact]
    public void Control_characters_in_a_name_or_text_are_malformed_and_not_repeated()
    {
        Decode("{\"a\u0007\":1}").IsRejected(DeadLetterReason.Malformed);
        Decode("{\"sensor\":\"a\nb\"}").IsRejected(DeadLetterReason.Malformed);
    }

    [Theory]
    [InlineData(new byte[] { 0xFF })]
    [InlineData(new byte[] { 0xC3 })]
    [InlineData(new byte[] { 0xC0, 0x80 })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xF5, 0x80, 0x80, 0x80 })]
    public void Text_that_is_not_utf8_is_malformed_wherever_it_stands(byte[] wrong)
    {
        foreach (string name in (string[])["sensor", "other"])
        {
            byte[] payload = [.. Encoding.UTF8.GetBytes($"{{\"{name}\":\"s"), .. wrong, .. "\",\"time\":0}"u8];
            Decoding.Run(Json.Decode<Sample>(), payload).IsRejected(DeadLetterReason.Malformed);
        }
    }

    [Fact]
    public void Limits_are_kept()
    {
        var small = new PayloadLimits(MaxBytes: 100, MaxDepth: 3, MaxEvents: 2, MaxTextBytes: 4);
        var decoder = Json.Decode<Sample>(small);
        string tiny = """{"time":0,"sensor":"s","temperature":1}""";
        Decoding.Run(Json.Decode<Sample>(small with { MaxBytes = 1000 }), $"[{tiny},{tiny},{tiny}]").IsRejected(DeadLetterReason.TooLarge);
        Decoding.Run(decoder, tiny + new string(' ', 100)).IsRejected(DeadLetterReason.TooLarge);
        Decoding.Run(decoder, """{"x":[[0]]}""").IsRejected(DeadLetterReason.MissingField);
        Decoding.Run(decoder, """{"x":[[[0]]]}""").IsRejected(DeadLetterReason.TooDeep);
        Decoding.Run(decoder, """[{"x":[[0]]}]""").IsRejected(DeadLetterReason.TooDeep);
        Decoding.Run(decoder, """{"sensor":"12345"}""").IsRejected(DeadLetterReason.OutOfRange, "sensor");
    }

    [Fact]
    public void Limits_that_make_no_sense_are_refused_at_once()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Json.Decode<Sample>(new PayloadLimits(MaxBytes: 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Json.Decode<Sample>(new PayloadLimits(MaxDepth: 65)));
        Assert.Throws<ArgumentOutOfRangeException>(() => SenMl.Decode<Sample>(limits: new PayloadLimits(MaxEvents: 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Csv.Decode<Sample>(limits: new PayloadLimits(MaxTextBytes: 0)));
    }

    private static Outcome<Sample> Decode(string payload) => Decoding.Run(Json.Decode<Sample>(), payload);
}
