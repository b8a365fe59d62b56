using System.Buffers;
using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>The event of the payload workloads: what a small weather station sends.</summary>
[Event]
internal readonly partial record struct SensorReading(
    [EventTime, Field(Number = 1)] DateTimeOffset Time,
    [EventKey, Field(Number = 2)] string Sensor,
    [Field("temperature", Number = 3)] double Celsius,
    [Field(Number = 4)] double Humidity);

internal enum PayloadFormat
{
    Json,
    SenMl,
    Csv,
    NdJson,
    Cbor,
    SenMlCbor,
    Protobuf,
    Line,
}

/// <summary>Messages, one measurement each, in one array as a network would have filled it: a hundred thousand a second of event time.</summary>
/// <param name="Bytes">The messages, one behind the other.</param>
/// <param name="Ends">Where each message ends.</param>
internal sealed record Payloads(byte[] Bytes, int[] Ends)
{
    private static readonly DateTimeOffset _start = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal int Count => Ends.Length;

    internal ReadOnlyMemory<byte> this[int message]
    {
        get
        {
            int start = message == 0 ? 0 : Ends[message - 1];
            return Bytes.AsMemory(start, Ends[message] - start);
        }
    }

    internal static Payloads Make(PayloadFormat format, int count, int devices)
    {
        var random = new SplitMix64(0x9E3779B97F4A7C15);
        using var bytes = new MemoryStream(count * 96);
        int[] ends = new int[count];
        var encoded = new ArrayBufferWriter<byte>();
        var encoder = EncoderOf(format);
        for (int i = 0; i < count; i++)
        {
            ulong a = random.Next(), b = random.Next();
            string device = $"sensor-{(a >> 32) * (ulong)devices >> 32:D6}";
            double celsius = Math.Round((b >> 11) * (40.0 / (1UL << 53)), 2), humidity = Math.Round((a & 0xFFFF) / 655.36, 1);
            var time = _start.AddMilliseconds(i / 100);
            if (encoder is not null)
            {
                encoded.ResetWrittenCount();
                encoder.Encode(new SensorReading(time, device, celsius, humidity), encoded);
                bytes.Write(encoded.WrittenSpan);
            }
            else
            {
                bytes.Write(Encoding.UTF8.GetBytes(Text(format, time, device, celsius, humidity)));
            }

            ends[i] = (int)bytes.Length;
        }

        return new Payloads(bytes.ToArray(), ends);
    }

    private static Encoder<SensorReading>? EncoderOf(PayloadFormat format) => format switch
    {
        PayloadFormat.NdJson => NdJson.Encode<SensorReading>(),
        PayloadFormat.Cbor => Cbor.Encode<SensorReading>(),
        PayloadFormat.SenMlCbor => SenMl.EncodeCbor<SensorReading>(),
        PayloadFormat.Protobuf => Protobuf.Encode<SensorReading>(),
        PayloadFormat.Line => LineProtocol.Encode<SensorReading>("weather"),
        _ => null,
    };

    private static string Text(PayloadFormat format, DateTimeOffset time, string device, double celsius, double humidity)
    {
        FormattableString text = format switch
        {
            PayloadFormat.Json => (FormattableString)
                $$"""{"time":"{{time:yyyy-MM-ddTHH:mm:ss.fffZ}}","sensor":"{{device}}","temperature":{{celsius}},"humidity":{{humidity}}}""",
            PayloadFormat.SenMl =>
                $$"""[{"bn":"{{device}}/","bt":{{time.ToUnixTimeMilliseconds() / 1000.0:F3}},"n":"temperature","u":"Cel","v":{{celsius}}},{"n":"humidity","u":"%RH","v":{{humidity}}}]""",
            _ => (FormattableString)$"{time:yyyy-MM-ddTHH:mm:ss.fffZ},{device},{celsius},{humidity}\n",
        };
        return text.ToString(CultureInfo.InvariantCulture);
    }
}
