using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Messages of QoS 0 from the embedded broker to a consumer in a process of its own, whose processor time alone counts: the library's
/// <c>Mqtt.Subscribe</c> beside MQTTnet's client. The publisher writes prepared packets into a socket, the same for both.
/// </summary>
internal static class MqttComparison
{
    private const int WarmUp = 200_000;
    private const int MostMessages = 500_000;

    internal static async Task<Figures> RunAsync(CompareOptions options)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        int count = Math.Min(options.Events, MostMessages);
        var cep = new List<Run>();
        var bare = new List<Run>();
        for (int run = 0; run < options.Runs; run++)
        {
            cep.Add(await RunAsync("cep", broker.Port, count, options.Devices));
            bare.Add(await RunAsync("mqttnet", broker.Port, count, options.Devices));
        }

        return new Figures(
            "mqtt", options.Devices, SpeedOf(cep), null, SpeedOf(bare), cep.Min(r => r.AllocatedPerMessage), null)
        {
            FloorName = $"MQTTnet ({bare.Min(r => r.AllocatedPerMessage):F0} B)",
        };
    }

    private static async Task<Run> RunAsync(string consumer, int port, int count, int devices)
    {
        string[] arguments = [.. MemoryCommand.Assembly(), MqttConsumer.Command, consumer, Text(port), Text(WarmUp), Text(count)];
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;
        if (await process.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException("The consumer did not start.");
        }

        await PublishAsync(port, WarmUp + count, devices);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string line = await process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The consumer ended early.");
        await process.WaitForExitAsync(limit.Token);
        string[] parts = line.Split(' ');
        double messages = Number(parts[0]);
        return new Run(messages / 1e6 / Number(parts[1]), messages / 1e6 / Number(parts[2]), Number(parts[3]) / messages);
    }

    private static async Task PublishAsync(int port, int count, int devices)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await SendAsync(socket, Packet(0x10, [0, 4, .. "MQTT"u8, 4, 2, 0, 0, 0, 4, .. "load"u8]));
        byte[] accepted = new byte[4];
        for (int read = 0; read < accepted.Length;)
        {
            read += await socket.ReceiveAsync(accepted.AsMemory(read));
        }

        byte[] some = Packets(1_000, devices);
        for (int sent = 0; sent < count; sent += 1_000)
        {
            await SendAsync(socket, some);
        }

        await SendAsync(socket, Packet(0xE0, []));
        socket.Shutdown(SocketShutdown.Send);
    }

    private static byte[] Packets(int count, int devices)
    {
        var payloads = Payloads.Make(PayloadFormat.Json, count, devices);
        var packets = new List<byte>();
        for (int i = 0; i < count; i++)
        {
            byte[] topic = Encoding.UTF8.GetBytes($"load/{i % Math.Min(devices, 1_000)}/weather");
            packets.AddRange(Packet(0x30, [0, (byte)topic.Length, .. topic, .. payloads[i].Span]));
        }

        return [.. packets];
    }

    /// <summary>A packet of MQTT 3.1.1 (section 2.2): its type, its length in groups of seven bits, its content.</summary>
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

    private readonly record struct Run(double PerSecond, double PerCpuSecond, double AllocatedPerMessage);
}
