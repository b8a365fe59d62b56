using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>What measures over MQTT has in common: the load's side of the protocol, written without any code of the product, and processes whose own figures count.</summary>
internal static class MqttLoad
{
    /// <summary>Starts this program again, as the side that is measured.</summary>
    /// <returns>It, and the first line that it says.</returns>
    internal static async Task<(Process Process, string[] Ready)> StartAsync(string command, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. MemoryCommand.Assembly(), command, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        string[] ready = (await process.StandardOutput.ReadLineAsync())?.Split(' ') ?? [];
        return ready is ["ready", ..] ? (process, ready) : throw new InvalidOperationException($"{command} did not start.");
    }

    /// <summary>The figures of the other side, which ends then: messages, seconds, seconds of the processor, bytes.</summary>
    internal static async Task<MqttRun> FinishAsync(Process process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string line = await process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The measured process ended early.");
        await process.WaitForExitAsync(limit.Token);
        double[] figures = [.. line.Split(' ').Select(Number)];
        return new MqttRun(figures[0] / 1e6 / figures[1], figures[0] / 1e6 / figures[2], figures[3] / figures[0]);
    }

    internal static async Task<Socket> ConnectAsync(int port, string clientId)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await SendAsync(socket, Packet(0x10, [0, 4, .. "MQTT"u8, 4, 2, 0, 0, 0, (byte)clientId.Length, .. Encoding.ASCII.GetBytes(clientId)]));
        await ReceiveAsync(socket, new byte[4]);
        return socket;
    }

    /// <summary>Says goodbye; what was sent before still arrives.</summary>
    internal static async Task LeaveAsync(Socket socket)
    {
        await SendAsync(socket, Packet(0xE0, []));
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Messages of devices in JSON, on a topic for each.</summary>
    internal static List<byte[]> Packets(int count, int devices, bool isAcknowledged)
    {
        var payloads = Payloads.Make(PayloadFormat.Json, count, devices);
        var packets = new List<byte[]>(count);
        for (int i = 0; i < count; i++)
        {
            byte[] topic = Encoding.UTF8.GetBytes($"load/{i % Math.Min(devices, 1_000)}/weather");
            byte[] id = isAcknowledged ? [(byte)((i + 1) >> 8), (byte)(i + 1)] : [];
            packets.Add(Packet((byte)(isAcknowledged ? 0x32 : 0x30), [0, (byte)topic.Length, .. topic, .. id, .. payloads[i].Span]));
        }

        return packets;
    }

    internal static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes)..];
        }
    }

    /// <summary>Fills the buffer.</summary>
    internal static async Task ReceiveAsync(Socket socket, byte[] buffer)
    {
        for (int read = 0; read < buffer.Length;)
        {
            int more = await socket.ReceiveAsync(buffer.AsMemory(read));
            read += more > 0 ? more : throw new InvalidOperationException("The server closed the connection.");
        }
    }

    internal static Speed SpeedOf(List<MqttRun> runs) => new(
        Comparison.Median(runs.ConvertAll(r => r.PerSecond)), Comparison.Median(runs.ConvertAll(r => r.PerCpuSecond)),
        runs.Min(r => r.PerCpuSecond), runs.Max(r => r.PerCpuSecond));

    internal static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    internal static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>A packet of MQTT 3.1.1 (section 2.2): its type, its length in groups of seven bits, its content.</summary>
    private static byte[] Packet(byte type, ReadOnlySpan<byte> content) => content.Length < 128
        ? [type, (byte)content.Length, .. content]
        : [type, (byte)((content.Length & 127) | 128), (byte)(content.Length >> 7), .. content];
}

/// <summary>One run: millions of messages in a second, and in a second of the processor, and bytes allocated for each.</summary>
internal readonly record struct MqttRun(double PerSecond, double PerCpuSecond, double AllocatedPerMessage);
