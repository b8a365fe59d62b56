using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace IoT.Cep;

/// <summary>Passes bytes on to a broker until a test cuts the cable: both ends see their connection reset, and neither has said goodbye.</summary>
internal sealed class CuttableProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly ConcurrentBag<Task> _passing = [];
    private readonly int _target;
    private readonly Task _accepting;

    internal CuttableProxy(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    internal void Cut()
    {
        while (_sockets.TryTake(out var socket))
        {
            socket.LingerState = new LingerOption(enable: true, 0);
            socket.Dispose();
        }
    }

    /// <summary>Completes when both ends of every connection have closed it, and therefore have had all that was sent to them.</summary>
    internal Task EndedAsync() => Task.WhenAll(_passing).WaitAsync(TimeSpan.FromSeconds(30));

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _accepting;
        Cut();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync();
                var broker = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await broker.ConnectAsync(IPAddress.Loopback, _target);
                _sockets.Add(client);
                _sockets.Add(broker);
                _passing.Add(PassAsync(client, broker));
                _passing.Add(PassAsync(broker, client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private static async Task PassAsync(Socket from, Socket to)
    {
        try
        {
            byte[] buffer = new byte[16_384];
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                await to.SendAsync(buffer.AsMemory(0, read));
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }
}
