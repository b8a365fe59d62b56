using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace IoT.Reference.Gateway;

/// <summary>The cable between a gateway and the bus: while it is cut, connections end at once, and those that there were are reset.</summary>
internal sealed class Uplink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly int _target;
    private readonly Task _accepting;
    private volatile bool _isCut;

    public Uplink(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Cut()
    {
        _isCut = true;
        while (_sockets.TryTake(out Socket? socket))
        {
            socket.LingerState = new LingerOption(enable: true, 0);
            socket.Dispose();
        }
    }

    public void Mend() => _isCut = false;

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
                Socket gateway = await _listener.AcceptSocketAsync();
                if (_isCut)
                {
                    gateway.Dispose();
                    continue;
                }

                var bus = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await bus.ConnectAsync(IPAddress.Loopback, _target);
                _sockets.Add(gateway);
                _sockets.Add(bus);
                _ = PassAsync(gateway, bus);
                _ = PassAsync(bus, gateway);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was stopped.
        }
    }

    private static async Task PassAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[16 * 1024];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
            {
                await to.SendAsync(buffer.AsMemory(0, read));
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}
