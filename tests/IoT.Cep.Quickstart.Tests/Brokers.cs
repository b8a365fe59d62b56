using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MQTTnet.Server;

namespace IoT.Cep.Quickstart.Tests;

/// <summary>A mosquitto on a free loopback port.</summary>
internal sealed class Mosquitto : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);

    private readonly Process _process;

    private Mosquitto(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    internal int Port { get; }

    internal static async Task<Mosquitto> StartAsync(string path, string folder)
    {
        int port = FreePort();
        string file = Path.Combine(folder, "mosquitto.conf");
        await File.WriteAllTextAsync(file, $"""
            listener {port} 127.0.0.1
            allow_anonymous true
            max_queued_messages 0
            max_inflight_messages 0
            persistence false
            log_dest stderr
            {(Environment.UserName == "root" ? "user root" : "")}
            """);
        var process = Process.Start(new ProcessStartInfo(path, ["-c", file]) { RedirectStandardError = true })!;
        var running = new TaskCompletionSource();
        process.ErrorDataReceived += (_, e) =>
        {
            // It says "running" when it listens.
            if (e.Data is null || e.Data.Contains("running", StringComparison.Ordinal))
            {
                running.TrySetResult();
            }
        };
        process.BeginErrorReadLine();
        await running.Task.WaitAsync(_patience);
        return new Mosquitto(process, port);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    internal static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

/// <summary>A broker that acknowledges all messages and forgets some: what a full queue does elsewhere, without the timing.</summary>
internal sealed class LossyBroker : IAsyncDisposable
{
    private readonly MqttServer _server;

    private LossyBroker(MqttServer server, int port)
    {
        _server = server;
        Port = port;
    }

    internal int Port { get; }

    internal static async Task<LossyBroker> StartAsync(int losesOneIn)
    {
        int port = Mosquitto.FreePort(), count = 0;
        var options = new MqttServerOptionsBuilder().WithDefaultEndpoint().WithDefaultEndpointBoundIPAddress(IPAddress.Loopback)
            .WithDefaultEndpointBoundIPV6Address(IPAddress.None).WithDefaultEndpointPort(port).Build();
        var server = new MqttServerFactory().CreateMqttServer(options);
        server.InterceptingClientEnqueueAsync += e =>
        {
            e.AcceptEnqueue = ++count % losesOneIn != 0;
            return Task.CompletedTask;
        };
        await server.StartAsync();
        return new LossyBroker(server, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync();
        _server.Dispose();
    }
}
