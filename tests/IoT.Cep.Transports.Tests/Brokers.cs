using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace IoT.Cep;

/// <summary>A broker to test against: the embedded one, or a real mosquitto.</summary>
internal interface IBroker : IAsyncDisposable
{
    int Port { get; }
}

internal sealed class EmbeddedBroker(MqttBroker broker) : IBroker
{
    public int Port => broker.Port;

    internal MqttBroker Broker => broker;

    public ValueTask DisposeAsync() => broker.DisposeAsync();

    internal static async Task<EmbeddedBroker> StartAsync(Action<MqttBrokerOptions>? configure = null)
    {
        var options = new MqttBrokerOptions { Port = 0 };
        configure?.Invoke(options);
        return new EmbeddedBroker(await MqttBroker.StartAsync(options));
    }
}

/// <summary>A mosquitto process on a free loopback port.</summary>
internal sealed class Mosquitto : IBroker
{
    private readonly Process _process;
    private readonly DirectoryInfo _folder;

    private Mosquitto(Process process, DirectoryInfo folder, int port)
    {
        _process = process;
        _folder = folder;
        Port = port;
    }

    public int Port { get; }

    internal static async Task<Mosquitto> StartAsync(string moreSettings = "allow_anonymous true", int port = 0, bool isKept = false)
    {
        port = port == 0 ? FreePort() : port;
        var folder = Directory.CreateTempSubdirectory("mosquitto");
        string file = Path.Combine(folder.FullName, "mosquitto.conf");
        await File.WriteAllTextAsync(file, $"""
            listener {port} 127.0.0.1
            max_queued_messages 0
            max_inflight_messages 0
            {(isKept ? "" : "persistence false")}
            log_dest stderr
            {(Environment.UserName == "root" ? "user root" : "")}
            {moreSettings}
            """);
        var process = Process.Start(new ProcessStartInfo(Needs.Mosquitto, ["-c", file]) { RedirectStandardError = true })!;
        await WaitForPortAsync(process, port);
        _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
        return new Mosquitto(process, folder, port);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Ends it in an orderly way: it saves its sessions.</summary>
    internal async Task StopAsync()
    {
        using (var stop = Process.Start("kill", ["-TERM", $"{_process.Id}"]))
        {
            await stop.WaitForExitAsync();
        }

        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        _folder.Delete(recursive: true);
    }

    internal static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    // It says "running" when it listens; where a build does not, connecting is the proof.
    private static async Task WaitForPortAsync(Process process, int port)
    {
        while (await process.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10)) is { } line)
        {
            if (line.Contains("running", StringComparison.Ordinal))
            {
                return;
            }

            Assert.DoesNotContain("Error", line, StringComparison.Ordinal);
        }

        Assert.Fail($"mosquitto on port {port} ended.");
    }
}
