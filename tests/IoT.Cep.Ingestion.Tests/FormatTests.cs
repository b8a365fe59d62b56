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
    };
}
