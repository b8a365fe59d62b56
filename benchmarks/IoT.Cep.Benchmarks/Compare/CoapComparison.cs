using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Small messages that devices PUT over UDP, confirmable or not, to a server in a process of its own, whose processor time alone counts: the library's, which remembers duplicates, hands each message to a
/// query and answers when it is acknowledged, beside a bare socket with the same codec that answers at once. (There is no other CoAP server for .NET that is kept up.)
/// </summary>
internal static class CoapComparison
{
    internal const string Prefix = "coap-";

    /// <summary>An id may not come again within some minutes: a device has fewer than 65,536 messages in a run.</summary>
    private const int MessagesOfDevice = 50_000;
    private const int WarmUp = 50_000;
    private const int MostMessages = 200_000;

    /// <summary>Under way from one device, as many as the server's socket keeps without loss.</summary>
    private const int Window = 32;

    internal static async Task<Figures> RunAsync(string name, CompareOptions options)
    {
        bool isConfirmable = name == Prefix + "con";
        int count = Math.Min(options.Events, MostMessages) / Window * Window;
        var cep = new List<Run>();
        var bare = new List<Run>();
        for (int run = 0; run < options.Runs; run++)
        {
            cep.Add(await RunAsync("cep", isConfirmable, count));
            bare.Add(await RunAsync("bare", isConfirmable, count));
        }

        return new Figures(name, options.Devices, SpeedOf(cep), null, SpeedOf(bare), cep.Min(r => r.AllocatedPerMessage), null)
        {
            FloorName = $"bare UDP ({bare.Min(r => r.AllocatedPerMessage):F0} B)",
        };
    }

    private static async Task<Run> RunAsync(string server, bool isConfirmable, int count)
    {
        string[] arguments = [.. MemoryCommand.Assembly(), CoapBenchmarkServer.Command, server, Text(WarmUp), Text(count)];
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;
        int port = await process.StandardOutput.ReadLineAsync() is { } ready && ready.Split(' ') is ["ready", var told]
            ? int.Parse(told, CultureInfo.InvariantCulture) : throw new InvalidOperationException("The server did not start.");
        for (int sent = 0; sent < WarmUp + count; sent += MessagesOfDevice)
        {
            await SendAsync(port, isConfirmable, Math.Min(MessagesOfDevice, WarmUp + count - sent));
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string line = await process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The server ended early.");
        await process.WaitForExitAsync(limit.Token);
        string[] parts = line.Split(' ');
        double messages = Number(parts[0]);
        return new Run(messages / 1e6 / Number(parts[1]), messages / 1e6 / Number(parts[2]), Number(parts[3]) / messages);
    }

    /// <summary>One device's messages, so many under way at a time; each has to be answered.</summary>
    private static async Task SendAsync(int port, bool isConfirmable, int count)
    {
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        byte[] answer = new byte[64];
        byte[] request = [(byte)(isConfirmable ? 0x42 : 0x52), 3, 0, 0, 0, 0, 0xB4, .. "load"u8, 0x02, .. "d1"u8, 0xFF, .. Encoding.ASCII.GetBytes("{\"v\":21.5}")];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        for (int sent = 0, answered = 0; answered < count;)
        {
            while (sent < count && sent - answered < Window)
            {
                // The id is the token as well: another one for each request.
                BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(2), (ushort)sent);
                BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(4), (ushort)sent);
                await socket.SendAsync(request, limit.Token);
                sent++;
            }

            int length = await socket.ReceiveAsync(answer, limit.Token);
            answered += length >= 6 && answer[1] == 0x44 ? 1 : throw new InvalidOperationException($"A message was answered by code {answer[1] >> 5}.{answer[1] & 31:D2} and not by 2.04.");
        }
    }

    private static Speed SpeedOf(List<Run> runs) => new(
        Comparison.Median(runs.ConvertAll(r => r.PerSecond)), Comparison.Median(runs.ConvertAll(r => r.PerCpuSecond)),
        runs.Min(r => r.PerCpuSecond), runs.Max(r => r.PerCpuSecond));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private readonly record struct Run(double PerSecond, double PerCpuSecond, double AllocatedPerMessage);
}
