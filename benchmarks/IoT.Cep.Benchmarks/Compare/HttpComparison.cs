using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Messages posted over a number of connections to a server in a process of its own, whose processor time alone counts: the library's endpoint, which decodes them, runs them through a query and answers
/// when they are acknowledged, beside an endpoint of ASP.NET that only reads the body. One message a request, a hundred as a JSON array, a thousand as lines.
/// </summary>
internal static class HttpComparison
{
    private const int Connections = 64;
    private const int MostRequests = 60_000;

    internal static async Task<Figures> RunAsync(string workload, CompareOptions options)
    {
        int each = workload switch { "http-single" => 1, "http-batch" => 100, _ => 1_000 };
        int requests = Math.Clamp(options.Events / each, Connections * 4, MostRequests);
        byte[][] bodies = [.. Enumerable.Range(0, Connections).Select(i => Request(workload, each, i % options.Devices))];
        await using var cep = await Server.StartAsync("cep");
        await using var bare = await Server.StartAsync("bare");
        var runs = new List<Run>();
        var bareRuns = new List<Run>();
        for (int run = -1; run < options.Runs; run++)
        {
            var one = await RunAsync(cep, bodies, requests, each);
            var other = await RunAsync(bare, bodies, requests, each);
            if (run >= 0)
            {
                runs.Add(one);
                bareRuns.Add(other);
            }
        }

        var missing = runs.Find(r => r.Counted != r.Messages);
        return new Figures(workload, options.Devices, SpeedOf(runs), null, SpeedOf(bareRuns), runs.Min(r => r.Allocated), null)
        {
            FloorName = string.Create(CultureInfo.InvariantCulture, $"bare ASP.NET ({bareRuns.Min(r => r.Allocated):F1} B)"),
            ResultErrors = missing.Messages == 0 ? [] : [$"{missing.Counted} of {missing.Messages} messages reached the query"],
        };
    }

    private static byte[] Request(string workload, int each, int device)
    {
        string[] messages = [.. Enumerable.Range(0, each).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""{"sensor":"dev{{device}}","v":{{20 + (i % 100 / 10.0)}}}"""))];
        bool isLines = workload == "http-lines";
        string body = isLines ? string.Join('\n', messages) : each == 1 ? messages[0] : "[" + string.Join(',', messages) + "]";
        string type = isLines ? "application/x-ndjson" : "application/json";
        return Encoding.ASCII.GetBytes($"POST /t/dev{device} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    private static async Task<Run> RunAsync(Server server, byte[][] bodies, int requests, int each)
    {
        await server.SayAsync("begin");
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(bodies.Select(body => Task.Run(() => PostAsync(server.Port, body, requests / Connections))));
        double wall = Stopwatch.GetElapsedTime(started).TotalSeconds;
        string[] parts = (await server.SayAsync("end")).Split(' ');
        double messages = (double)(requests / Connections) * Connections * each;
        double counted = double.Parse(parts[2], CultureInfo.InvariantCulture);
        return new Run(
            messages, counted, messages / 1e6 / wall, messages / 1e6 / double.Parse(parts[0], CultureInfo.InvariantCulture), double.Parse(parts[1], CultureInfo.InvariantCulture) / messages);
    }

    private static async Task PostAsync(int port, byte[] request, int count)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        byte[] answer = new byte[4096];
        for (int i = 0; i < count; i++)
        {
            for (int sent = 0; sent < request.Length;)
            {
                sent += await socket.SendAsync(request.AsMemory(sent));
            }

            int length = 0;
            while (!IsWhole(answer.AsSpan(0, length)))
            {
                int read = await socket.ReceiveAsync(answer.AsMemory(length));
                length += read > 0 ? read : throw new InvalidOperationException("The server closed the connection.");
            }

            if (!answer.AsSpan().StartsWith("HTTP/1.1 20"u8))
            {
                throw new InvalidOperationException("The server answered " + Encoding.ASCII.GetString(answer, 0, length));
            }
        }
    }

    /// <summary>A header without a body, or a report in one chunk.</summary>
    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        int end = answer.IndexOf("\r\n\r\n"u8);
        return end >= 0 && (answer[..end].IndexOf("chunked"u8) < 0 || answer[end..].EndsWith("0\r\n\r\n"u8));
    }

    private static Speed SpeedOf(List<Run> runs) => new(
        Comparison.Median(runs.ConvertAll(r => r.PerSecond)), Comparison.Median(runs.ConvertAll(r => r.PerCpuSecond)),
        runs.Min(r => r.PerCpuSecond), runs.Max(r => r.PerCpuSecond));

    private readonly record struct Run(double Messages, double Counted, double PerSecond, double PerCpuSecond, double Allocated);

    private sealed class Server : IAsyncDisposable
    {
        private readonly Process _process;

        private Server(Process process, int port) => (_process, Port) = (process, port);

        internal int Port { get; }

        internal static async Task<Server> StartAsync(string kind)
        {
            // Begun as "dotnet program.dll" or as a program of its own.
            string self = Environment.ProcessPath!;
            string[] arguments = [HttpServing.Command, kind];
            arguments = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [typeof(HttpComparison).Assembly.Location, .. arguments] : arguments;
            var process = Process.Start(new ProcessStartInfo(self, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
            string port = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The server did not start.");
            return new Server(process, int.Parse(port, CultureInfo.InvariantCulture));
        }

        internal async Task<string> SayAsync(string word)
        {
            await _process.StandardInput.WriteLineAsync(word);
            await _process.StandardInput.FlushAsync();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            return await _process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The server ended early.");
        }

        public async ValueTask DisposeAsync()
        {
            _process.StandardInput.Close();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await _process.WaitForExitAsync(limit.Token);
            _process.Dispose();
        }
    }
}
