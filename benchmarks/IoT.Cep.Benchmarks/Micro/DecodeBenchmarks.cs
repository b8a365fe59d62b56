using System.Buffers;
using BenchmarkDotNet.Attributes;
using IoT.Cep.Benchmarks.Workloads;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Micro;

/// <summary>One message into one event, for each format, beside a bare reader of the JSON ones.</summary>
[MemoryDiagnoser]
public class DecodeBenchmarks : IDisposable
{
    private const int Messages = 1_000;

    private readonly Payloads _json = Payloads.Make(PayloadFormat.Json, Messages, 100);
    private readonly Payloads _senMl = Payloads.Make(PayloadFormat.SenMl, Messages, 100);
    private readonly Payloads _csv = Payloads.Make(PayloadFormat.Csv, Messages, 100);
    private readonly Decoder<SensorReading> _jsonDecoder = PayloadsToWindows.DecoderOf(PayloadFormat.Json);
    private readonly Decoder<SensorReading> _senMlDecoder = PayloadsToWindows.DecoderOf(PayloadFormat.SenMl);
    private readonly Decoder<SensorReading> _csvDecoder = PayloadsToWindows.DecoderOf(PayloadFormat.Csv);
    private readonly EventBuffer<SensorReading> _buffer = new(new StringPool(1_024));

    [Benchmark(Baseline = true, OperationsPerInvoke = Messages)]
    public double BareJsonReader() => PayloadsToWindows.ReadJson(_json, Messages).Sum;

    [Benchmark(OperationsPerInvoke = Messages)]
    public double BareSenMlReader() => PayloadsToWindows.ReadSenMl(_senMl, Messages).Sum;

    [Benchmark(OperationsPerInvoke = Messages)]
    public int Json() => Decode(_json, _jsonDecoder);

    [Benchmark(OperationsPerInvoke = Messages)]
    public int SenMl() => Decode(_senMl, _senMlDecoder);

    [Benchmark(OperationsPerInvoke = Messages)]
    public int Csv() => Decode(_csv, _csvDecoder);

    [GlobalCleanup]
    public void Dispose()
    {
        _buffer.Dispose();
        GC.SuppressFinalize(this);
    }

    private int Decode(Payloads payloads, Decoder<SensorReading> decoder)
    {
        int events = 0;
        for (int i = 0; i < Messages; i++)
        {
            _buffer.BeginMessage(0);
            decoder.Decode(new Payload(new ReadOnlySequence<byte>(payloads[i]), "weather"), _buffer);
            events += _buffer.MessageCount;
            _buffer.Clear();
        }

        return events == Messages ? events : throw new InvalidOperationException("A message was refused.");
    }
}
