using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace IoT.Cep.Testing;

/// <summary>Passes bytes between a transport and its peer on this machine, and can be cut: both ends then see their connection reset, and new ones are reset at once until it is restored.</summary>
public sealed class LoopbackProxy : IAsyncDisposable
{
    // Small, so that a transport that does not read is noticed after few bytes.
    private const int SocketBufferBytes = 16 * 1024;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Socket, bool> _sockets = new();
    private readonly int _target;
    private readonly Task _accepting;
    private long _toTransport;
    private long _attempts;
    private volatile bool _isCut;

    /// <summary>Listens on a free port of the loopback address.</summary>
    /// <param name="targetPort">The peer's port, on the loopback address.</param>
    public LoopbackProxy(int targetPort)
    {
        _target = targetPort;
        _listener.Server.ReceiveBufferSize = SocketBufferBytes;
        _listener.Server.SendBufferSize = SocketBufferBytes;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>The port that the transport connects to.</summary>
    public int Port { get; }

    /// <summary>How often the transport has connected, or has tried to while it was cut.</summary>
    public long Attempts => Interlocked.Read(ref _attempts);

    /// <summary>How many bytes went to the transport.</summary>
    public long BytesToTransport => Interlocked.Read(ref _toTransport);

    /// <summary>Resets all connections, and each new one, until <see cref="Restore"/>.</summary>
    public void Cut()
    {
        _isCut = true;
        Reset();
    }

    /// <summary>New connections are passed on again.</summary>
    public void Restore() => _isCut = false;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isCut = true;
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        Reset();
        _listener.Dispose();
    }

    private void Reset()
    {
        foreach (var socket in _sockets.Keys)
        {
            Reset(socket);
        }
    }

    private void Reset(Socket socket)
    {
        if (_sockets.TryRemove(socket, out _))
        {
            try
            {
                socket.LingerState = new LingerOption(enable: true, 0);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has ended by itself.
            }

            socket.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync().ConfigureAwait(false);
                Interlocked.Increment(ref _attempts);
                _sockets[client] = true;
                if (_isCut)
                {
                    Reset(client);
                }
                else
                {
                    _ = ConnectAsync(client);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // It was disposed, perhaps between two connections: then the listener says that it does not listen.
        }
    }

    private async Task ConnectAsync(Socket client)
    {
        var peer = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = SocketBufferBytes, NoDelay = true };
        client.NoDelay = true;
        _sockets[peer] = true;
        try
        {
            await peer.ConnectAsync(IPAddress.Loopback, _target).ConfigureAwait(false);
            await Task.WhenAll(PassAsync(client, peer, isToTransport: false), PassAsync(peer, client, isToTransport: true)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The peer is not there, or the cable was cut.
        }
        finally
        {
            Reset(client);
            Reset(peer);
        }
    }

    private async Task PassAsync(Socket from, Socket to, bool isToTransport)
    {
        byte[] buffer = new byte[SocketBufferBytes];
        int read;
        while ((read = await from.ReceiveAsync(buffer).ConfigureAwait(false)) > 0)
        {
            for (int sent = 0; sent < read;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, read - sent)).ConfigureAwait(false);
            }

            if (isToTransport)
            {
                Interlocked.Add(ref _toTransport, read);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
