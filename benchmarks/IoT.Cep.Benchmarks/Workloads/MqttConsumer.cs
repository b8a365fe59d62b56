using System.Diagnostics;
using System.Globalization;
using IoT.Cep.Extensibility;
using MQTTnet;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// A process of its own that receives messages at QoS 0, by the library or by MQTTnet's client into an empty callback, and says what each cost it.
/// </summary>
internal static class MqttConsumer
{
    internal const string Command = "mqtt-consume";

    internal static async Task<int> RunAsync(string[] args)
    {
        int port = int.Parse(args[1], CultureInfo.InvariantCulture);
        var meter = new Meter(int.Parse(args[2], CultureInfo.InvariantCulture), int.Parse(args[3], CultureInfo.InvariantCulture));
        await (args[0] == "cep" ? ByLibraryAsync(port, meter) : ByMqttNetAsync(port, meter));
        return 0;
    }

    private static async Task ByLibraryAsync(int port, Meter meter)
    {
        await using var engine = new CepEngine(cep =>
        {
            cep.Mqtt(o => o.Port = port);
            cep.From(Mqtt.Subscribe("load/#", new LengthDecoder(), MqttQualityOfService.AtMostOnce)).To(new CountingSink(meter));
        });
        await engine.StartAsync();
        while (!engine.Sources[0].IsConnected)
        {
            await Task.Delay(10);
        }

        Console.WriteLine("ready");
        await meter.Done;
    }

    private static async Task ByMqttNetAsync(int port, Meter meter)
    {
        using var client = new MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += _ =>
        {
            meter.Add(1);
            return Task.CompletedTask;
        };
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("localhost", port).Build());
        await client.SubscribeAsync("load/#");
        Console.WriteLine("ready");
        await meter.Done;
    }

    /// <summary>The least that a decoder can do: one number for each message.</summary>
    internal sealed class LengthDecoder : Decoder<long>
    {
        public override void Decode(in Payload payload, EventBuffer<long> output) => output.Add(payload.Bytes.Length);
    }

    internal sealed class CountingSink(Meter meter) : IInlineSink<long>
    {
        public string Name => "count";

        public void Write(in Batch<long> batch) => meter.Add(batch.Length);
    }

    /// <summary>Begins when so many messages have warmed everything up, and prints what the others cost.</summary>
    internal sealed class Meter(int warmUp, int count)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _received;
        private long _from;
        private long _started;
        private long _allocated;
        private TimeSpan _cpu;

        internal Task Done => _done.Task;

        internal void Add(int messages)
        {
            _received += messages;
            if (_from == 0 && _received >= warmUp)
            {
                _from = _received;
                (_started, _cpu, _allocated) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes());
            }
            else if (_received == warmUp + count)
            {
                var cpu = Environment.CpuUsage.TotalTime - _cpu;
                long allocated = GC.GetTotalAllocatedBytes() - _allocated;
                double wall = Stopwatch.GetElapsedTime(_started).TotalSeconds;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"{_received - _from} {wall:R} {cpu.TotalSeconds:R} {allocated}"));
                _done.TrySetResult();
            }
        }
    }
}
