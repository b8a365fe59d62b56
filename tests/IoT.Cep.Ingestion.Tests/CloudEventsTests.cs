using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct Enveloped(
    [EventTime, SentTime, ReceivedTime] DateTimeOffset Time, [Header("ce-source")] string Source, [Header("ce-type")] string Type, [Header("ce-id")] string Id,
    [Header("ce-comexampleothervalue")] int? Other, [Header("trace")] string? Trace, [Field("much")] string? Much);

/// <summary>CloudEvents 1.0.2, by the examples of its specifications.</summary>
public sealed class CloudEventsTests
{
    // JSON event format, section 2.3 and 3.2.
    private const string Structured = """
        {
            "specversion" : "1.0",
            "type" : "com.example.someevent",
            "source" : "/mycontext",
            "subject": null,
            "id" : "C234-1234-1234",
            "time" : "2018-04-05T17:31:00Z",
            "comexampleextension1" : "value",
            "comexampleothervalue" : 5,
            "datacontenttype" : "application/json",
            "data" : { "much" : "wow" }
        }
        """;

    private static readonly Enveloped _expected = new(Ticks.ToTime(Decoding.At("2018-04-05T17:31:00Z")), "/mycontext", "com.example.someevent", "C234-1234-1234", 5, "outer", "wow");

    [Theory]
    [InlineData("application/cloudevents+json")]
    [InlineData("application/cloudevents+json; charset=UTF-8")]
    [InlineData(null)]
    public void The_structured_mode_hands_the_data_and_the_attributes_on(string? contentType) => Assert.Equal(
        _expected, Decoding.Message(CloudEvents.Decode(Json.Decode<Enveloped>()), Structured, p => p with { ContentType = contentType, Headers = Decoding.Headers(("trace", "outer")) }).Single());

    [Fact]
    public void Cut_anywhere_it_is_the_same()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Structured);
        var decoder = CloudEvents.Decode(Json.Decode<Enveloped>());
        for (int cut = 1; cut < bytes.Length; cut++)
        {
            Assert.Equal(_expected with { Trace = null }, Decoding.Once(decoder, Decoding.Split(bytes, cut)).Single());
        }
    }

    [Theory]
    [InlineData("ce-")]
    [InlineData("CE-")]
    [InlineData("cloudEvents:")]
    [InlineData("cloudEvents_")]
    [InlineData("")]
    public void The_binary_mode_has_the_attributes_in_the_headers(string prefix)
    {
        var headers = Decoding.Headers(
            (prefix + "specversion", "1.0"), (prefix + "type", "com.example.someevent"), (prefix + "source", "/mycontext"), (prefix + "id", "C234-1234-1234"),
            (prefix + "time", "2018-04-05T17:31:00Z"), (prefix + "comexampleothervalue", "5"), ("trace", "outer"));

        Assert.Equal(_expected, Decoding.Message(
            CloudEvents.Decode(Json.Decode<Enveloped>()), """{"much":"wow"}""", p => p with { ContentType = "application/json; charset=utf-8", Headers = headers }).Single());
    }

    [Fact]
    public void A_batch_is_many_events()
    {
        var outcome = Decoding.Message(
            CloudEvents.Decode(Json.Decode<Enveloped>()), $"[{Structured}, {Structured.Replace("wow", "wo", StringComparison.Ordinal)}]", p => p with { ContentType = "application/cloudevents-batch+json" });

        Assert.Equal(["wow", "wo"], outcome.Events.Select(e => e.Much));
        Assert.Empty(Decoding.Message(CloudEvents.Decode(Json.Decode<Enveloped>()), "[]", p => p with { ContentType = "application/cloudevents-batch+json" }).Events);
    }

    [Fact]
    public void Data_in_base64_and_as_text_go_to_the_decoder_of_their_type()
    {
        var inner = Decoder.ByContentType(("application/cbor", Cbor.Decode<OneNumber>()), ("text/plain", PlainValue.Decode<OneNumber>("v")), ("application/json", Json.Decode<OneNumber>()));
        double Value(string envelope) => Decoding.Run(CloudEvents.Decode(inner), """{"specversion":"1.0","id":"1","source":"a","type":"b",""" + envelope + "}").Single().Value;

        Assert.Equal(7, Value($"\"datacontenttype\":\"application/cbor\",\"data_base64\":\"{Convert.ToBase64String(Convert.FromHexString("a1617607"))}\""));
        Assert.Equal(7.5, Value("\"data\":\"7.\\u0035\",\"datacontenttype\":\"text/plain\""));
        Assert.Equal(8, Value("\"data\":{\"v\":8}"));
    }

    [Theory]
    [InlineData("""{"id":"1","source":"a","type":"b","data":{}}""", DeadLetterReason.MissingField, "specversion")]
    [InlineData("""{"specversion":"1.0","source":"a","type":"b","data":{}}""", DeadLetterReason.MissingField, "id")]
    [InlineData("""{"specversion":"1.0","id":"","source":"a","type":"b","data":{}}""", DeadLetterReason.MissingField, "id")]
    [InlineData("""{"specversion":"0.3","id":"1","source":"a","type":"b","data":{}}""", DeadLetterReason.UnknownTopic, "version")]
    [InlineData("""{"specversion":"1.0","id":1,"source":"a","type":"b","data":{}}""", DeadLetterReason.WrongType, "id")]
    [InlineData("""{"specversion":"1.0","id":"1","id":"2","source":"a","type":"b","data":{}}""", DeadLetterReason.DuplicateField, "id")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b","data":{},"data_base64":""}""", DeadLetterReason.DuplicateField, "data")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b","data_base64":"*"}""", DeadLetterReason.Malformed, "base64")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b","time":"soon","data":{}}""", DeadLetterReason.WrongType, "time")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b","x":{},"data":{}}""", DeadLetterReason.WrongType, "x")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b","data":{}} x""", DeadLetterReason.Malformed, "")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"a","type":"b"}""", DeadLetterReason.Malformed, "")]
    [InlineData("7", DeadLetterReason.WrongType, "object")]
    [InlineData("", DeadLetterReason.Malformed, "")]
    public void What_is_no_CloudEvent_is_a_dead_letter(string payload, DeadLetterReason reason, string mentions) =>
        Decoding.Run(CloudEvents.Decode(Json.Decode<Enveloped>()), payload).IsRejected(reason, mentions);

    [Fact]
    public void A_message_of_another_kind_is_a_dead_letter() => Decoding.Message(
        CloudEvents.Decode(Json.Decode<Enveloped>()), "{}", p => p with { ContentType = "application/json" }).IsRejected(DeadLetterReason.UnknownTopic);

    [Fact]
    public void What_is_put_into_an_envelope_comes_out_of_it()
    {
        var rich = FormatTests.Example;
        foreach (string format in (string[])["json", "cbor", "protobuf", "senml"])
        {
            var (encoder, decoder) = Formats.All[format];
            var output = new ArrayBufferWriter<byte>();
            CloudEvents.Encode(encoder, "/plant", "reading", r => $"{r.Sensor}-{r.Time.UtcTicks}").Encode(rich, output);
            Assert.Equal(rich, Decoding.Once(CloudEvents.Decode(decoder), new ReadOnlySequence<byte>(output.WrittenMemory)).Single());
        }
    }

    [Fact]
    public void An_envelope_is_as_the_specification_has_it() => Assert.Equal(
        """{"specversion":"1.0","id":"7","source":"/plant","type":"reading","datacontenttype":"application/json","data":{"v":7}}""",
        RichEvents.Encode(CloudEvents.Encode(Json.Encode<OneNumber>(), "/plant", "reading", n => $"{n.Value}"), new OneNumber(7)));

    [Fact]
    public void Mutated_payloads_give_an_event_or_a_dead_letter() => Fuzz.Run(
        "cloudevents", CloudEvents.Decode(Json.Decode<Enveloped>()),
        [Encoding.UTF8.GetBytes(Structured), Encoding.UTF8.GetBytes($"[{Structured}]"), """{"specversion":"1.0","id":"1","source":"a","type":"b","datacontenttype":"x/json","data_base64":"eyJtdWNoIjoiYSJ9"}"""u8.ToArray()], p => p);

    [Fact]
    public void Nothing_is_allocated_once_names_were_seen()
    {
        var decoder = CloudEvents.Decode(Json.Decode<OneNumber>());
        var bytes = new ReadOnlySequence<byte>("""{"specversion":"1.0","id":"1","source":"a","type":"b","time":"2018-04-05T17:31:00Z","data":{"v":7}}"""u8.ToArray());
        using var buffer = new EventBuffer<OneNumber>(new StringPool());
        Assert.Contains(0L, Enumerable.Range(0, 60).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                buffer.Clear();
                buffer.BeginMessage(Decoding.Received);
                decoder.Decode(new Payload(bytes, "t"), buffer);
                if (buffer.Count != 1)
                {
                    Assert.Fail(buffer.RejectionDetail);
                }
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }
}
