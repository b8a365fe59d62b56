using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// What many clients cost the embedded broker, in a process of its own: idle ones (memory of each, time to connect), and busy ones beside them, each with one message of QoS 1 under way.
/// </summary>
internal static class ClientsCommand
{
    internal const string Name = "clients", HostName = "clients-broker";

    private const int PayloadBytes = 100;

    private static readonly TimeSpan _busyFor = TimeSpan.FromSeconds(5);

    internal static async Task<int> RunAsync(string[] arguments)
    {
        int idle = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : 10_000;
        int busy = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 1_000;
        bool isHosted = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet";
        string[] host = [.. isHosted ? (string[])[typeof(ClientsCommand).Assembly.Location] : [], HostName, .. arguments.Skip(2)];
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, host) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        int port = int.Parse((await process.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
        var before = await AskAsync(process);

        var watch = Stopwatch.StartNew();
        var sockets = new List<Socket>();
        for (int i = 0; i < idle; i += 100)
        {
            sockets.AddRange(await Task.WhenAll(Enumerable.Range(i, Math.Min(100, idle - i)).Select(n => MqttLoad.ConnectAsync(port, n.ToString("D8", CultureInfo.InvariantCulture)))));
        }

        double connecting = watch.Elapsed.TotalSeconds;
        var resting = await AskAsync(process);
        Print($"{idle:N0} idle clients: connected in {connecting:F1} s ({idle / connecting:N0}/s), {(resting.Memory - before.Memory) / (double)idle / 1024:F1} KiB each ({resting.Memory / 1048576.0:F0} MiB in all)");

        var workers = sockets.Take(busy).ToArray();
        long ends = Stopwatch.GetTimestamp() + (long)(_busyFor.TotalSeconds * Stopwatch.Frequency);
        var times = await Task.WhenAll(workers.Select((s, i) => PublishAsync(s, i, ends)));
        var after = await AskAsync(process);
        long[] all = [.. times.SelectMany(t => t)];
        Array.Sort(all);
        Print($"{busy:N0} busy clients beside: {all.Length / _busyFor.TotalSeconds:N0} messages/s of QoS 1, PUBACK after {Milliseconds(all[all.Length / 2]):F1} ms (median), {Milliseconds(all[(int)(all.Length * 0.99)]):F1} ms (99 %); broker: {(after.Cpu - resting.Cpu) * 1000.0 / all.Length:F1} us of processor per message, {after.Memory / 1048576.0:F0} MiB");
        process.StandardInput.Close();
        foreach (var socket in sockets)
        {
            socket.Dispose();
        }

        await process.WaitForExitAsync();
        return 0;
    }

    /// <summary>The broker's process: prints its port, then its memory and processor time for each line that it gets.</summary>
    internal static async Task<int> HostAsync(string[] arguments)
    {
        var folder = arguments is ["stored"] ? Directory.CreateTempSubdirectory("clients") : null;
        await using (var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0, MaxClients = 100_000, ConnectionBacklog = 4_096, StoreFolder = folder?.FullName }))
        {
            Console.WriteLine(broker.Port);
            while (await Console.In.ReadLineAsync() is not null)
            {
                GC.Collect();
                using var self = Process.GetCurrentProcess();
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{self.WorkingSet64} {self.TotalProcessorTime.TotalMilliseconds:F0}"));
            }
        }

        folder?.Delete(recursive: true);
        return 0;
    }

    private static async Task<(long Memory, double Cpu)> AskAsync(Process process)
    {
        await process.StandardInput.WriteLineAsync("?");
        string[] parts = (await process.StandardOutput.ReadLineAsync())!.Split(' ');
        return (long.Parse(parts[0], CultureInfo.InvariantCulture), double.Parse(parts[1], CultureInfo.InvariantCulture));
    }

    private static async Task<List<long>> PublishAsync(Socket socket, int number, long ends)
    {
        byte[] topic = System.Text.Encoding.ASCII.GetBytes($"load/{number % 100}");
        byte[] packet = [0x32, (byte)(4 + topic.Length + PayloadBytes), 0, (byte)topic.Length, .. topic, 0, 1, .. new byte[PayloadBytes]];
        byte[] answer = new byte[4];
        var times = new List<long>();
        while (Stopwatch.GetTimestamp() is var start && start < ends)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4 + topic.Length), (ushort)((times.Count % 60_000) + 1));
            await socket.SendAsync(packet);
            await MqttLoad.ReceiveAsync(socket, answer);
            times.Add(Stopwatch.GetTimestamp() - start);
        }

        return times;
    }

    private static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency;

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
