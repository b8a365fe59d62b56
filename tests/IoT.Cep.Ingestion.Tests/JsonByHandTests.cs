using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class JsonByHandTests
{
    private static readonly Decoder<Plain> _decoder = Json.Decode(
        (ref f) => new Plain(f.Time("ts"u8), f.Text("id"u8), f.Number("t"u8), f.Text("unit"u8, otherwise: null)));

    [Theory]
    [InlineData("""{"ts":1767225600000,"id":"s1","t":21.5,"unit":"C"}""")]
    [InlineData("""{"t":21.5,"unit":"C","x":[{"t":1}],"id":"s1","ts":"2026-01-01"}""")]
    [InlineData("""{"t":21.5,"\u0075nit":"C","id":"s\u0031","ts":"2026-01-01"}""")]
    public void A_lambda_reads_members_in_any_order(string payload) => Assert.Equal(
        new Plain(Ticks.ToTime(Decoding.Received), "s1", 21.5, "C"), Decoding.Run(_decoder, payload).Single());

    [Fact]
    public void An_array_is_many_events() => Assert.Equal(
        [1, 2, 3],
        Decoding.Run(_decoder, """[{"t":1,"id":"a","ts":0}, {"ts":0,"id":"a","t":2},{"ts":0,"id":"a","t":3,"y":{}} ]""").Events.Select(e => e.Value));

    [Theory]
    [InlineData("""{"id":"s1","t":21.5}""", DeadLetterReason.MissingField, "ts")]
    [InlineData("""{"ts":0,"id":"s1","t":"x"}""", DeadLetterReason.WrongType, "t:")]
    [InlineData("""{"ts":0,"id":7,"t":1}""", DeadLetterReason.WrongType, "id")]
    [InlineData("""{"ts":0,"id":"a","id":"b","t":1}""", DeadLetterReason.DuplicateField, "id")]
    [InlineData("""{"ts":0,"id":"a","\u0069d":"b","t":1}""", DeadLetterReason.DuplicateField, "id")]
    [InlineData("""{"ts":1e99,"id":"a","t":1}""", DeadLetterReason.OutOfRange, "ts")]
    [InlineData("""{"ts":0,"id":"a","t":1""", DeadLetterReason.Malformed, null)]
    [InlineData("""{"ts":0,"id":"a","t":1}]""", DeadLetterReason.Malformed, null)]
    [InlineData("""[{"ts":0,"id":"a","t":1}""", DeadLetterReason.Malformed, null)]
    [InlineData("7", DeadLetterReason.WrongType, null)]
    public void A_broken_member_rejects_the_payload_and_is_named(string payload, DeadLetterReason reason, string? field) =>
        Decoding.Run(_decoder, payload).IsRejected(reason, field);

    [Fact]
    public void A_lambda_that_trips_over_a_broken_member_blames_the_member()
    {
        var decoder = Json.Decode((ref f) => Enum.Parse<DayOfWeek>(f.Text("day"u8)));
        Decoding.Run(decoder, "{}").IsRejected(DeadLetterReason.MissingField, "day");
        Assert.Equal(DayOfWeek.Friday, Decoding.Run(decoder, """{"day":"Friday"}""").Single());
        Assert.Throws<ArgumentException>(() => Decoding.Run(decoder, """{"day":"Noday"}"""));
    }

    [Fact]
    public void Members_can_be_asked_for_and_given_defaults()
    {
        var decoder = Json.Decode((ref f) => (f.Has("a"u8), f.Number("a"u8, -1), f.Boolean("b"u8), f.Integer("c"u8)));
        Assert.Equal((true, 5, true, 9), Decoding.Run(decoder, """{"a":5,"b":true,"c":9}""").Single());
        Assert.Equal((false, -1, false, -9), Decoding.Run(decoder, """{"a":null,"b":false,"c":-9}""").Single());
        Assert.Equal((false, -1, false, 0), Decoding.Run(decoder, """{"b":false,"c":0}""").Single());
    }

    [Fact]
    public void More_members_than_an_event_has_are_too_many() => Decoding.Run(
        _decoder, "{" + string.Join(",", Enumerable.Repeat("\"a\":1", 1025)) + "}").IsRejected(DeadLetterReason.TooLarge);

    internal sealed record Plain(DateTimeOffset Time, string Sensor, double Value, string? Unit);
}
