using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Devices' messages into an engine: through the ingest endpoint, beside the embedded broker with a subscription to it in the same process. The devices are a process of its own with prepared packets; only
/// the server's processor time counts, and every message has to arrive.
/// </summary>
internal static class MqttIngestComparison
{
    internal const string Prefix = "mqtt-ingest";
    private const int WarmUp = 200_000;
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
        var ingest = new List<Run>();
        var broker = new List<Run>();
        for (int run = 0; run < options.Runs; run++)
        {
            ingest.Add(await RunAsync("ingest", load, WarmUp, count, options.Devices));

            // It needs dozens of times as long for a message.
            broker.Add(await RunAsync("broker", load, WarmUp / Fewer, count / Fewer / Batch * Batch, options.Devices));
        }

        return new Figures(name, options.Devices, SpeedOf(ingest), null, SpeedOf(broker), ingest.Min(r => r.AllocatedPerMessage), null)
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
            var (process, port) = await StartAsync([server, "idle", Text(Clients)]);
            using (process)
            {
                var sockets = new List<Socket>(Clients);
                for (int i = 0; i < Clients; i++)
                {
                    sockets.Add(await ConnectAsync(port, $"idle-{i}"));
                }

                string[] figures = (await process.StandardOutput.ReadLineAsync())!.Split(' ');
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{server,-7} {Clients:N0} idle clients: {Number(figures[0]) / Clients:F0} bytes of the heap and {Number(figures[1]) / Clients:F0} bytes of the process's memory each"));
                await process.StandardInput.WriteLineAsync();
                process.StandardInput.Close();
                sockets.ForEach(s => s.Dispose());
                await process.WaitForExitAsync();
            }
        }

        return 0;
    }

    private static async Task<Run> RunAsync(string server, Load load, int warmUp, int count, int devices)
    {
        var (process, port) = await StartAsync([server, Text(warmUp), Text(count)]);
        using (process)
        {
            await SendAsync(port, load, warmUp + count, devices);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            string line = await process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The server ended early.");
            await process.WaitForExitAsync(limit.Token);
            string[] parts = line.Split(' ');
            double messages = Number(parts[0]);
            return new Run(messages / 1e6 / Number(parts[1]), messages / 1e6 / Number(parts[2]), Number(parts[3]) / messages);
        }
    }

    private static async Task<(Process Process, int Port)> StartAsync(string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. MemoryCommand.Assembly(), MqttIngestServer.Command, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        string? ready = await process.StandardOutput.ReadLineAsync();
        return ready?.Split(' ') is ["ready", var port] ? (process, int.Parse(port, CultureInfo.InvariantCulture)) : throw new InvalidOperationException("The server did not start.");
    }

    private static async Task SendAsync(int port, Load load, int count, int devices)
    {
        var sockets = new List<Socket>();
        for (int i = 0; i < load.Connections; i++)
        {
            sockets.Add(await ConnectAsync(port, $"load-{i}"));
        }

        // The same messages from each, so that memory for them is no matter: a gateway sends many at once, a device one.
        var packets = Packets(load, devices);
        byte[] all = [.. packets.SelectMany(p => p)];
        byte[] answers = new byte[4 * Batch];
        bool[] waits = new bool[sockets.Count];
        for (int sent = 0, at = 0; sent < count; sent += load.AtOnce, at = (at + 1) % sockets.Count)
        {
            if (waits[at])
            {
                // Ids are used again only when all of them are acknowledged; the other gateways are under way meanwhile.
                await ReceiveAsync(sockets[at], answers);
            }

            await SendAsync(sockets[at], load.AtOnce == 1 ? packets[sent % Batch] : all);
            waits[at] = load.IsAcknowledged;
        }

        for (int i = 0; i < sockets.Count; i++)
        {
            if (waits[i])
            {
                await ReceiveAsync(sockets[i], answers);
            }

            await SendAsync(sockets[i], Packet(0xE0, []));
            sockets[i].Shutdown(SocketShutdown.Send);
            sockets[i].Dispose();
        }
    }

    private static async Task ReceiveAsync(Socket socket, byte[] answers)
    {
        for (int read = 0; read < answers.Length;)
        {
            int more = await socket.ReceiveAsync(answers.AsMemory(read));
            read += more > 0 ? more : throw new InvalidOperationException("The server closed the connection.");
        }
    }

    private static async Task<Socket> ConnectAsync(int port, string clientId)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await SendAsync(socket, Packet(0x10, [0, 4, .. "MQTT"u8, 4, 2, 0, 0, 0, (byte)clientId.Length, .. Encoding.ASCII.GetBytes(clientId)]));
        byte[] accepted = new byte[4];
        for (int read = 0; read < accepted.Length;)
        {
            read += await socket.ReceiveAsync(accepted.AsMemory(read));
        }

        return socket;
    }

    private static List<byte[]> Packets(Load load, int devices)
    {
        var payloads = Payloads.Make(PayloadFormat.Json, Batch, devices);
        var packets = new List<byte[]>(Batch);
        for (int i = 0; i < Batch; i++)
        {
            byte[] topic = Encoding.UTF8.GetBytes($"load/{i % Math.Min(devices, Batch)}/weather");
            byte[] id = load.IsAcknowledged ? [(byte)((i + 1) >> 8), (byte)(i + 1)] : [];
            packets.Add(Packet((byte)(load.IsAcknowledged ? 0x32 : 0x30), [0, (byte)topic.Length, .. topic, .. id, .. payloads[i].Span]));
        }

        return packets;
    }

    private static byte[] Packet(byte type, ReadOnlySpan<byte> content) => content.Length < 128
        ? [type, (byte)content.Length, .. content]
        : [type, (byte)((content.Length & 127) | 128), (byte)(content.Length >> 7), .. content];

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes)..];
        }
    }

    private static Speed SpeedOf(List<Run> runs) => new(
        Comparison.Median(runs.ConvertAll(r => r.PerSecond)), Comparison.Median(runs.ConvertAll(r => r.PerCpuSecond)),
        runs.Min(r => r.PerCpuSecond), runs.Max(r => r.PerCpuSecond));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private readonly record struct Load(int Connections, int AtOnce, bool IsAcknowledged);

    private readonly record struct Run(double PerSecond, double PerCpuSecond, double AllocatedPerMessage);
}
