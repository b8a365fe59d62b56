using System.Text.Json;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// Messages' bytes in, results of keyed windows out, on one core; beside it a bare reader that only looks at each value of the same bytes.
/// </summary>
internal static class PayloadsToWindows
{
    // Enough for ten windows and a second of work; ten million messages would be a gigabyte.
    private const int MostMessages = 1_000_000;

    internal static Workload Make(PayloadFormat format, int events, int devices)
    {
        var payloads = Payloads.Make(format, Math.Min(events, MostMessages), devices);
        return new Workload(
            format.ToString().ToLowerInvariant(), payloads.Count,
            new Contender("IoT.Cep", count => Cep(format, payloads, count)),
            null,
            new Contender("bare reader", count => Prepared.Of(() => Read(format, payloads, count))));
    }

    internal static Outcome Read(PayloadFormat format, Payloads payloads, int count) => format switch
    {
        PayloadFormat.Json or PayloadFormat.NdJson => ReadJson(payloads, count),
        PayloadFormat.SenMl => ReadSenMl(payloads, count),
        PayloadFormat.Cbor => BareReaders.Cbor(payloads, count),
        PayloadFormat.SenMlCbor => BareReaders.SenMlCbor(payloads, count),
        PayloadFormat.Protobuf => BareReaders.Protobuf(payloads, count),
        PayloadFormat.Csv => BareReaders.Csv(payloads, count),
        _ => BareReaders.Line(payloads, count),
    };

    internal static QueryRun Cep(PayloadFormat format, Payloads payloads, int count) =>
        QueryRun.Of(Source.FromTransport(new PreparedTransport(payloads, count), DecoderOf(format)), Query, new Sink());

    internal static Decoder<SensorReading> DecoderOf(PayloadFormat format) => format switch
    {
        PayloadFormat.Json => Json.Decode<SensorReading>(),
        PayloadFormat.SenMl => SenMl.Decode<SensorReading>(),
        PayloadFormat.NdJson => NdJson.Decode<SensorReading>(),
        PayloadFormat.Cbor => Cbor.Decode<SensorReading>(),
        PayloadFormat.SenMlCbor => SenMl.DecodeCbor<SensorReading>(),
        PayloadFormat.Protobuf => Protobuf.Decode<SensorReading>(),
        PayloadFormat.Line => LineProtocol.Decode<SensorReading>(),
        _ => Csv.Decode<SensorReading>(["time", "sensor", "temperature", "humidity"]),
    };

    private static IEventStream<Summary> Query(IEventStream<SensorReading> measurements) => measurements
        .KeyBy(m => m.Sensor)
        .Window(Window.Tumbling(TimeSpan.FromSeconds(1)))
        .Select(w => new Summary(w.Key, w.Start, w.Count(), w.Sum(m => m.Celsius), w.Max(m => m.Celsius)));

    internal static Outcome ReadJson(Payloads payloads, int count)
    {
        double celsius = 0, humidity = 0;
        long others = 0;
        for (int i = 0; i < count; i++)
        {
            var reader = new Utf8JsonReader(payloads[i].Span);
            int member = 0;
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.String)
                {
                    others += member++ == 0 ? reader.GetDateTimeOffset().Ticks : reader.ValueSpan.Length;
                }
                else if (reader.TokenType == JsonTokenType.Number)
                {
                    double value = reader.GetDouble();
                    (celsius, humidity) = member++ == 2 ? (celsius + value, humidity) : (celsius, humidity + value);
                }
            }
        }

        return new Outcome(count, others == 0 || humidity < 0 ? double.NaN : celsius);
    }

    internal static Outcome ReadSenMl(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        for (int i = 0; i < count; i++)
        {
            var reader = new Utf8JsonReader(payloads[i].Span);
            int number = 0;
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.String)
                {
                    others += reader.ValueSpan.Length;
                }
                else if (reader.TokenType == JsonTokenType.Number)
                {
                    double value = reader.GetDouble();
                    (celsius, others) = number++ == 1 ? (celsius + value, others) : (celsius, others + value);
                }
            }
        }

        return new Outcome(count, others == 0 ? double.NaN : celsius);
    }

    internal readonly record struct Summary(string Sensor, DateTimeOffset Start, long Count, double Sum, double Max);

    private sealed class Sink : SummingSink<Summary>
    {
        public override void Write(in Batch<Summary> batch)
        {
            foreach (ref readonly var s in batch.Events)
            {
                Count += s.Count;
                Sum += s.Sum;
            }
        }
    }
}
