using System.Diagnostics;
using System.Globalization;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// A process of its own that takes messages from devices: by the ingest endpoint, or by the embedded broker and a subscription to it, as one had to before. Says what each message cost, or, idle,
/// what each connected client costs.
/// </summary>
internal static class MqttIngestServer
{
    internal const string Command = "mqtt-ingest-server";

    internal static async Task<int> RunAsync(string[] args)
    {
        if (args is [var server, "idle", var clients])
        {
            await HoldAsync(server, int.Parse(clients, CultureInfo.InvariantCulture));
            return 0;
        }

        var meter = new MqttConsumer.Meter(int.Parse(args[1], CultureInfo.InvariantCulture), int.Parse(args[2], CultureInfo.InvariantCulture));
        await using var running = await StartAsync(args[0], meter);
        Console.WriteLine($"ready {running.Port}");
        await meter.Done;
        return 0;
    }

    private static async Task<Running> StartAsync(string server, MqttConsumer.Meter meter)
    {
        if (server == "ingest")
        {
            var endpoint = new MqttIngestEndpoint(new MqttIngestOptions { Port = 0, MaxConnecting = 10_000, ConnectionBacklog = 4_096 });
            var taking = new CepEngine(cep => cep.From(endpoint.Subscribe("load/#", new MqttConsumer.LengthDecoder())).To(new MqttConsumer.CountingSink(meter)));
            await taking.StartAsync();
            await endpoint.WaitUntilListeningAsync();
            return new Running(taking, null, endpoint.Port, () => endpoint.Statistics.Connections);
        }

        var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0, MaxClients = 20_000, ConnectionBacklog = 4_096 });
        var engine = new CepEngine(cep =>
        {
            cep.Mqtt(o => o.Port = broker.Port);
            cep.From(Mqtt.Subscribe("load/#", new MqttConsumer.LengthDecoder())).To(new MqttConsumer.CountingSink(meter));
        });
        await engine.StartAsync();
        while (!engine.Sources[0].IsConnected)
        {
            await Task.Delay(10);
        }

        return new Running(engine, broker, broker.Port, () => broker.Clients - 1);
    }

    /// <summary>Prints the memory of the process without clients and with them.</summary>
    private static async Task HoldAsync(string server, int clients)
    {
        await using var running = await StartAsync(server, new MqttConsumer.Meter(1, 1));
        var before = Measure();
        Console.WriteLine($"ready {running.Port}");
        while (running.Connections() < clients)
        {
            await Task.Delay(50);
        }

        // What connecting needed is gone after a moment.
        await Task.Delay(1_000);
        var with = Measure();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{with.Managed - before.Managed} {with.Resident - before.Resident}"));
        await Console.In.ReadLineAsync();
    }

    private static (long Managed, long Resident) Measure()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return (GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64);
    }

    private sealed record Running(CepEngine Engine, MqttBroker? Broker, int Port, Func<int> Connections) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Engine.DisposeAsync();
            if (Broker is not null)
            {
                await Broker.DisposeAsync();
            }
        }
    }
}
