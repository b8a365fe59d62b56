using System.Globalization;
using System.Net.Sockets;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Devices' messages into an engine: through the ingest endpoint, beside the embedded broker with a subscription to it in the same process. The devices are a process of its own with prepared packets; only
/// the server's processor time counts, and every message has to arrive.
/// </summary>
internal static class MqttIngestComparison
{
    internal const string Prefix = "mqtt-ingest";
    private const int WarmUp = 100_000;
    private const int MostMessages = 1_000_000;
    private const int Batch = 1_000;
    private const int Fewer = 10;

    internal static async Task<Figures> RunAsync(string name, CompareOptions options)
    {
        // Four gateways that send as fast as they can; the same with an acknowledgement for each message; a thousand devices that send one message at a time.
        var load = name switch
        {
            Prefix + "-gateways" => new Load(4, Batch, IsAcknowledged: false),
            Prefix + "-qos1" => new Load(4, Batch, IsAcknowledged: true),
            _ => new Load(1_000, 1, IsAcknowledged: false),
        };
        int count = Math.Min(options.Events, MostMessages) / Batch * Batch;
        var ingest = new List<MqttRun>();
        var broker = new List<MqttRun>();
        for (int run = 0; run < options.Runs; run++)
        {
            ingest.Add(await RunAsync("ingest", load, WarmUp, count, options.Devices));

            // It needs dozens of times as long for a message.
            broker.Add(await RunAsync("broker", load, WarmUp / Fewer, count / Fewer / Batch * Batch, options.Devices));
        }

        return new Figures(name, options.Devices, MqttLoad.SpeedOf(ingest), null, MqttLoad.SpeedOf(broker), ingest.Min(r => r.AllocatedPerMessage), null)
        {
            FloorName = $"broker ({broker.Min(r => r.AllocatedPerMessage):F0} B)",
        };
    }

    /// <summary>The command <c>mqtt-ingest-idle</c>: memory of the server's process for each of ten thousand connected, silent clients.</summary>
    internal static async Task<int> MeasureIdleAsync()
    {
        const int Clients = 10_000;
        foreach (string server in (string[])["ingest", "broker"])
        {
            var (process, ready) = await MqttLoad.StartAsync(MqttIngestServer.Command, server, "idle", MqttLoad.Text(Clients));
            using (process)
            {
                var sockets = new List<Socket>(Clients);
                for (int i = 0; i < Clients; i++)
                {
                    sockets.Add(await MqttLoad.ConnectAsync(PortOf(ready), $"idle-{i}"));
                }

                string[] figures = (await process.StandardOutput.ReadLineAsync())!.Split(' ');
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{server,-7} {Clients:N0} idle clients: {MqttLoad.Number(figures[0]) / Clients:F0} bytes of the heap and {MqttLoad.Number(figures[1]) / Clients:F0} bytes of the process's memory each"));
                await process.StandardInput.WriteLineAsync();
                process.StandardInput.Close();
                sockets.ForEach(s => s.Dispose());
                await process.WaitForExitAsync();
            }
        }

        return 0;
    }

    private static async Task<MqttRun> RunAsync(string server, Load load, int warmUp, int count, int devices)
    {
        var (process, ready) = await MqttLoad.StartAsync(MqttIngestServer.Command, server, MqttLoad.Text(warmUp), MqttLoad.Text(count));
        using (process)
        {
            await SendAsync(PortOf(ready), load, warmUp + count, devices);
            return await MqttLoad.FinishAsync(process);
        }
    }

    private static int PortOf(string[] ready) => int.Parse(ready[1], CultureInfo.InvariantCulture);

    private static async Task SendAsync(int port, Load load, int count, int devices)
    {
        var sockets = new List<Socket>();
        for (int i = 0; i < load.Connections; i++)
        {
            sockets.Add(await MqttLoad.ConnectAsync(port, $"load-{i}"));
        }

        // The same messages from each, so that memory for them is no matter: a gateway sends many at once, a device one.
        var packets = MqttLoad.Packets(Batch, devices, load.IsAcknowledged);
        byte[] all = [.. packets.SelectMany(p => p)];
        byte[] answers = new byte[4 * Batch];
        bool[] waits = new bool[sockets.Count];
        for (int sent = 0, at = 0; sent < count; sent += load.AtOnce, at = (at + 1) % sockets.Count)
        {
            if (waits[at])
            {
                // Ids are used again only when all of them are acknowledged; the other gateways are under way meanwhile.
                await MqttLoad.ReceiveAsync(sockets[at], answers);
            }

            await MqttLoad.SendAsync(sockets[at], load.AtOnce == 1 ? packets[sent % Batch] : all);
            waits[at] = load.IsAcknowledged;
        }

        for (int i = 0; i < sockets.Count; i++)
        {
            if (waits[i])
            {
                await MqttLoad.ReceiveAsync(sockets[i], answers);
            }

            await MqttLoad.LeaveAsync(sockets[i]);
            sockets[i].Dispose();
        }
    }

    private readonly record struct Load(int Connections, int AtOnce, bool IsAcknowledged);
}
