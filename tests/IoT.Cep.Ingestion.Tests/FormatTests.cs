using System.Buffers;
using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>The same reading gives the identical event in every format.</summary>
public sealed class FormatTests
{
    internal static readonly Rich Example = new(
        Ticks.ToTime(Decoding.At("2026-01-01T00:00:00.5Z")), "s1", 21.5, -3, 1L << 60, true, Level.Below, "a \"b\", c\r\né=\\", 0.5f, null, 7, Ticks.ToTime(Decoding.At("2025-12-31Z")), false, -1);

    public static TheoryData<string> Names => [.. Formats.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reading_comes_back_however_its_bytes_are_cut(string format)
    {
        var (encoder, decoder) = Formats.All[format];
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(Example, output);

        Assert.Equal(Example, Decoding.Run(decoder, output.WrittenSpan.ToArray()).Single());
    }

    [Fact]
    public void A_reading_is_the_same_event_in_a_form() => Assert.Equal(
        Example,
        Decoding.Run(
            Form.Decode<Rich>(),
            "time=2026-01-01T00:00:00.5Z&sensor=s1&temperature=21.5&count=-3&total=1152921504606846976&ok=true&level=Below&note=a+%22b%22%2C+c%0D%0A%C3%A9%3D%5C"
            + "&small=0.5&maybe=&serial=7&since=2025-12-31&flag=false&balance=-1").Single());

    [Theory]
    [InlineData("json", "")]
    [InlineData("cbor", "ce-")]
    [InlineData("protobuf", "cloudEvents:")]
    public void A_reading_is_the_same_event_as_a_binary_CloudEvent(string format, string prefix)
    {
        var (encoder, decoder) = Formats.All[format];
        var binary = CloudEvents.EncodeBinary(encoder, "/plant", "reading", static r => r.Sensor, prefix);
        var output = new ArrayBufferWriter<byte>();
        var headers = new List<KeyValuePair<string, string>>();
        binary.Encode(Example, output);
        binary.WriteHeaders(Example, headers);

        Assert.Equal([$"{prefix}specversion=1.0", $"{prefix}source=/plant", $"{prefix}type=reading", $"{prefix}id=s1"], headers.Select(h => $"{h.Key}={h.Value}"));
        Assert.Equal(
            Example,
            Decoding.Message(CloudEvents.Decode(decoder), output.WrittenSpan.ToArray(), p => p with { ContentType = binary.ContentType, Headers = new PayloadHeaders(headers) }).Single());
    }

    [Fact]
    public void A_reading_is_the_same_event_in_Sparkplug()
    {
        byte[] birth = SparkplugTests.Payload(
            0, 1_767_225_600_500,
            SparkplugTests.Metric("temperature", 1, 10, w => SparkplugTests.Double(w, 21.5)), SparkplugTests.Metric("count", 2, 3, w => SparkplugTests.Int(w, unchecked((uint)-3))),
            SparkplugTests.Metric("total", 3, 4, w => SparkplugTests.Long(w, 1UL << 60)), SparkplugTests.Metric("ok", 4, 11, w => SparkplugTests.Bool(w, true)),
            SparkplugTests.Metric("level", 5, 12, w => SparkplugTests.Text(w, "Below")), SparkplugTests.Metric("note", 6, 12, w => SparkplugTests.Text(w, Example.Note)),
            SparkplugTests.Metric("small", 7, 10, w => SparkplugTests.Double(w, 0.5)), SparkplugTests.Metric("serial", 8, 8, w => SparkplugTests.Long(w, 7)),
            SparkplugTests.Metric("since", 9, 13, w => SparkplugTests.Long(w, 1_767_139_200_000)), SparkplugTests.Metric("flag", 10, 11, w => SparkplugTests.Bool(w, false)),
            SparkplugTests.Metric("balance", 11, 4, w => SparkplugTests.Long(w, ulong.MaxValue)));

        Assert.Equal(
            Example,
            Decoding.Message(Sparkplug.Decode<Rich>(), birth, p => p with { Template = TopicTemplate.Parse("spBv1.0/{group}/{type}/{sensor}") }, "spBv1.0/g/NBIRTH/s1").Single());
    }

    [Property(MaxTest = 1000)]
    public void Any_reading_is_the_same_event_in_every_format(
        long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag)
    {
        var value = RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag);
        foreach (var (name, (encoder, decoder)) in Formats.All)
        {
            var outcome = RichEvents.Trip(encoder, decoder, value);
            Assert.Equal((name, ""), (name, outcome.Detail));
            Assert.Equal((name, value), (name, outcome.Single()));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_allocates_nothing_once_names_were_seen(string format)
    {
        var (encoder, decoder) = Formats.All[format];
        var bytes = new ArrayBufferWriter<byte>();
        encoder.Encode(Example, bytes);
        var whole = new ReadOnlySequence<byte>(bytes.WrittenMemory);
        var inTwo = Decoding.Split(bytes.WrittenSpan.ToArray(), 10);
        using var buffer = new EventBuffer<Rich>(new StringPool());

        Assert.Contains(0L, Enumerable.Range(0, 60).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                buffer.Clear();
                buffer.BeginMessage(Decoding.Received);
                decoder.Decode(new Payload(i % 2 == 0 ? whole : inTwo, "t"), buffer);
                if (buffer.Count != 1)
                {
                    Assert.Fail(buffer.RejectionDetail);
                }
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Encoding_allocates_next_to_nothing(string format)
    {
        var encoder = Formats.All[format].Encoder;
        var output = new ArrayBufferWriter<byte>(1 << 12);

        // SenML's base name is the key with a colon, a string of its own; nothing else is made.
        long allowed = format.StartsWith("senml", StringComparison.Ordinal) ? 40 : 0;
        Assert.Contains(true, Enumerable.Range(0, 60).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                output.ResetWrittenCount();
                encoder.Encode(Example, output);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before <= 100 * allowed;
        }));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Places_of_the_topic_win_in_every_format(string format)
    {
        var (encoder, decoder) = Formats.All[format];
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(Example, output);

        Assert.Equal(
            Example with { Sensor = "other", Count = 8, Ok = false },
            Decoding.Message(decoder, output.WrittenSpan.ToArray(), p => p with { Template = TopicTemplate.Parse("{ok}/{sensor}/{count}") }, "false/other/8").Single());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Mutated_payloads_give_an_event_or_a_dead_letter(string format)
    {
        var (encoder, decoder) = Formats.All[format];
        Fuzz.Run(format, encoder, decoder, Example);
    }
}

/// <summary>The formats that carry a whole event.</summary>
internal static class Formats
{
    internal static Dictionary<string, (Encoder<Rich> Encoder, Decoder<Rich> Decoder)> All => new(StringComparer.Ordinal)
    {
        ["json"] = (Json.Encode<Rich>(), Json.Decode<Rich>()),
        ["ndjson"] = (NdJson.Encode<Rich>(), NdJson.Decode<Rich>()),
        ["senml"] = (SenMl.Encode<Rich>(), SenMl.Decode<Rich>()),
        ["senml-cbor"] = (SenMl.EncodeCbor<Rich>(), SenMl.DecodeCbor<Rich>()),
        ["csv"] = (Csv.Encode<Rich>(), Csv.Decode<Rich>()),
        ["cbor"] = (Cbor.Encode<Rich>(), Cbor.Decode<Rich>()),
        ["cbor-numbers"] = (Cbor.Encode<Rich>(byNumber: true), Cbor.Decode<Rich>()),
        ["line"] = (LineProtocol.Encode<Rich>(), LineProtocol.Decode<Rich>()),
        ["protobuf"] = (Protobuf.Encode<Rich>(), Protobuf.Decode<Rich>()),
        ["cloudevents"] = (CloudEvents.Encode(Json.Encode<Rich>(), "/plant", "reading", static _ => "7"), CloudEvents.Decode(Json.Decode<Rich>())),
        ["cloudevents-base64"] = (CloudEvents.Encode(Cbor.Encode<Rich>(), "/plant", "reading", static _ => "7"), CloudEvents.Decode(Cbor.Decode<Rich>())),
    };
}
