using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace IoT.Cep.CoapTests;

/// <summary>libcoap's own programs, as peers that we did not write.</summary>
internal static class Libcoap
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(60);

    /// <summary>Runs the client and gives what it printed.</summary>
    internal static async Task<string> ClientAsync(params string[] arguments)
    {
        using var process = Start("/usr/bin/coap-client-openssl", arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(_longest);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }

        return (await output + await errors).Trim();
    }

    /// <summary>Starts a client that goes on; its lines come as they are printed.</summary>
    internal static Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}

/// <summary>libcoap's server on loopback.</summary>
internal sealed class LibcoapServer : IAsyncDisposable
{
    private readonly Process _process;

    private LibcoapServer(Process process, int port) => (_process, Port) = (process, port);

    internal int Port { get; }

    internal static async Task<LibcoapServer> StartAsync(params string[] arguments)
    {
        for (int attempt = 0; ; attempt++)
        {
            int port = FreePort();
            var process = Libcoap.Start("/usr/bin/coap-server-openssl", ["-A", "127.0.0.1", "-p", $"{port}", .. arguments]);
            _ = process.StandardOutput.ReadToEndAsync();
            _ = process.StandardError.ReadToEndAsync();
            if (await AnswersAsync(port) && !process.HasExited)
            {
                return new LibcoapServer(process, port);
            }

            process.Kill();
            process.Dispose();
            Assert.True(attempt < 5, "libcoap's server does not start.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        for (int i = 0; i < 10; i++)
        {
            if ((await Libcoap.ClientAsync("-B", "1", $"coap://127.0.0.1:{port}/time")).Length > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A port that no test's own listener is given by the system, whose neighbour, which the server takes for DTLS, is free as well.</summary>
    private static int FreePort()
    {
        while (true)
        {
            int port = Random.Shared.Next(10_000, 15_000) * 2;
            try
            {
                foreach (int taken in new[] { port, port + 1 })
                {
                    using var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, taken));
                    using var tcp = new TcpListener(IPAddress.Loopback, taken);
                    tcp.Start();
                }

                return port;
            }
            catch (SocketException)
            {
                // Somebody has one of them.
            }
        }
    }
}
