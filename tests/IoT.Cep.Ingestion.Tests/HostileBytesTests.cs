using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>Whatever the bytes are, the outcome is events or a rejection, and nothing is thrown.</summary>
public sealed class HostileBytesTests
{
    private const string Object = """{"time":"2026-01-01T00:00:00.5+01:00","sensor":"s\u00e9\"1","temperature":-21.5e-1,"x":[{"y":[null,true]}],"count":7,"ok":true}""";
    private const string Pack = """[{"bn":"s1:","bt":1767225600.25,"bver":5,"n":"temperature","u":"Cel","v":21.5},{"n":"count","v":4,"t":0},{"n":"ok","vb":true},{"n":"w","vs":"\u00e9"}]""";
    private const string Wrapper = """{"e":[{"n":"temperature","v":"21.5"},{"n":"ok","vb":true},{"n":"source","sv":"s1"}],"bt":1767225600000}""";
    private const string Table = "time,sensor,temperature,count,ok,x\r\n2026-01-01 00:00:00.5,\"s\"\"1\",-21.5e-1,7,true,é\r\n1767225600,s,.5,,0,\r\n";

    public static TheoryData<string, string> Formats => new()
    {
        { "json", Object },
        { "json", $"[{Object},{Object}]" },
        { "hand", Object },
        { "hand", $"[{Object}, {Object}]" },
        { "senml", Pack },
        { "senml-lenient", Wrapper },
        { "senml-lenient", Pack },
        { "senml-records", Pack },
        { "csv", Table },
        { "csv-hand", Table },
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_payload_cut_off_at_any_byte_gives_events_or_a_rejection(string format, string payload)
    {
        var decoder = Make(format);
        byte[] bytes = Encoding.UTF8.GetBytes(payload);
        Assert.Null(Decoding.Run(decoder, bytes).Reason);
        for (int length = 0; length < bytes.Length; length++)
        {
            var outcome = Decoding.Once(decoder, new ReadOnlySequence<byte>(bytes, 0, length));
            Assert.True(outcome.Reason is not null || format.StartsWith("csv", StringComparison.Ordinal), $"{length} bytes");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Random_changes_give_events_or_a_rejection(string format, string payload)
    {
        const int Runs = 100_000;
        var decoder = Make(format);
        var random = new Random(20260102);
        byte[] alphabet = Encoding.UTF8.GetBytes("{}[]\",:\\ \r\n0123456789.eE+-_truefalsnbvusTZ\0\u007fé");
        byte[] original = Encoding.UTF8.GetBytes(payload);
        using var buffer = new EventBuffer<Sample>(new StringPool(64));
        for (int run = 0; run < Runs; run++)
        {
            byte[] bytes = Mutate(original, random, alphabet);
            try
            {
                Same(decoder, bytes, random.Next(bytes.Length + 1), buffer);
            }
            catch (Exception failure) when (failure is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"run {run}, {Convert.ToBase64String(bytes)}: {failure}");
            }
        }
    }

    [Theory]
    [InlineData("json", "[", "]")]
    [InlineData("json", "{\"x\":", "}")]
    [InlineData("hand", "{\"x\":", "}")]
    [InlineData("senml", "[", "]")]
    [InlineData("senml-lenient", "{\"e\":", "}")]
    public void Deep_nesting_is_rejected_without_using_the_stack(string format, string open, string close)
    {
        var text = new StringBuilder();
        for (int i = 0; i < 100_000; i++)
        {
            text.Append(open);
        }

        for (int i = 0; i < 100_000; i++)
        {
            text.Append(close);
        }

        Assert.NotNull(Decoding.Run(Make(format), text.ToString()).Reason);
    }

    [Fact]
    public void A_member_nested_too_deep_says_so() => Decoding.Run(
        Make("json"), """{"x":""" + new string('[', 32) + new string(']', 32) + "}").IsRejected(DeadLetterReason.TooDeep);

    [Theory]
    [InlineData("json")]
    [InlineData("hand")]
    [InlineData("senml")]
    public void A_huge_number_costs_no_more_than_its_length(string format)
    {
        string digits = new('9', 900_000);
        foreach (string number in (string[])[digits, "0." + digits, "1e" + digits, "1e-" + digits, "-" + digits + "." + digits[..1000]])
        {
            string payload = format == "senml"
                ? $$"""[{"bn":"s","n":"temperature","v":{{number}}}]"""
                : $$"""{"time":0,"sensor":"s","temperature":{{number}},"count":1,"ok":true}""";
            var outcome = Decoding.Run(Make(format), payload);
            Assert.True(outcome.Reason is null or DeadLetterReason.OutOfRange, outcome.Detail);
        }
    }

    [Fact]
    public void A_pack_of_many_times_is_grouped_in_linear_time()
    {
        var text = new StringBuilder("""[{"bn":"s","n":"temperature","v":1}""");
        for (int i = 1; i < 25_000; i++)
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $$""",{"n":"temperature","v":1,"t":-{{i}}}""");
        }

        Assert.Equal(25_000, Decoding.Run(SenMl.Decode<Sample>(), text.Append(']').ToString()).Events.Length);
    }

    private static Decoder<Sample> Make(string format) => format switch
    {
        "json" => Json.Decode<Sample>(),
        "hand" => Json.Decode((ref f) => new Sample(
            Ticks.From(f.Time("time"u8)), f.Text("sensor"u8), f.Number("temperature"u8), f.Integer("count"u8), f.Boolean("ok"u8))),
        "senml" => SenMl.Decode<Sample>(),
        "senml-lenient" => SenMl.Decode<Sample>(SenMl.Lenient),
        "senml-records" => SenMl.Decode(r => new Sample(r.Ticks, r.Name + r.Text + r.Unit, r.Value, null, r.Boolean)),
        "csv" => Csv.Decode<Sample>(),
        _ => Csv.Decode((ref row) => new Sample(Ticks.From(row.Time(0)), row.Text(1), row.Number(2), null, row.Boolean(4)), hasHeader: true),
    };

    private static byte[] Mutate(byte[] original, Random random, byte[] alphabet)
    {
        var bytes = new List<byte>(original);
        for (int change = random.Next(1, 5); change > 0; change--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] = alphabet[random.Next(alphabet.Length)];
                    break;
                case 2:
                    bytes.Insert(at, alphabet[random.Next(alphabet.Length)]);
                    break;
                case 3 when bytes.Count > 1:
                    bytes.RemoveAt(at);
                    break;
                default:
                    // A piece twice: doubled members, doubled commas, doubled records.
                    int length = random.Next(1, Math.Min(40, bytes.Count - at) + 1);
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
            }
        }

        return [.. bytes];
    }

    private static void Same(Decoder<Sample> decoder, byte[] bytes, int cut, EventBuffer<Sample> buffer)
    {
        var whole = Decode(decoder, new ReadOnlySequence<byte>(bytes), buffer);
        var inTwo = Decode(decoder, Decoding.Split(bytes, cut), buffer);
        Assert.Equal(whole, inTwo);
    }

    private static (int Count, DeadLetterReason? Reason, string Detail) Decode(
        Decoder<Sample> decoder, ReadOnlySequence<byte> bytes, EventBuffer<Sample> buffer)
    {
        buffer.Clear();
        buffer.BeginMessage(Decoding.Received);
        decoder.Decode(new Payload(bytes, "test"), buffer);
        Assert.True(buffer.Rejection is null || buffer.Count == 0);
        return (buffer.Count, buffer.Rejection, buffer.Rejection is null ? "" : buffer.RejectionDetail);
    }
}
