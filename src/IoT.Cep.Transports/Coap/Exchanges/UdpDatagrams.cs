using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>CoAP over plain UDP. Receiving and answering allocate nothing for addresses that are known.</summary>
internal sealed class UdpDatagrams : ICoapDatagrams
{
    /// <summary>The largest datagram there can be.</summary>
    private const int MaxDatagramBytes = 65_535;

    /// <summary>Datagrams that arrive while others are handled wait in the system: some thousand of usual size.</summary>
    private const int SocketBufferBytes = 1 << 20;

    /// <summary>Addresses whose objects are kept; forgotten all at once where there are more, which costs no more than making them again.</summary>
    private const int MaxRoutes = 10_000;

    private readonly Socket _socket;
    private readonly Dictionary<SocketAddress, Route> _routes = [];
    private volatile Route? _latest;

    internal UdpDatagrams(IPEndPoint local)
    {
        _socket = new Socket(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            _socket.Blocking = false;
            _socket.ReceiveBufferSize = SocketBufferBytes;
            _socket.Bind(local);
            LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    public IPEndPoint LocalEndPoint { get; }

    public void Send(ReadOnlySpan<byte> datagram, CoapRemote remote)
    {
        try
        {
            var latest = _latest;
            var address = latest is not null && ReferenceEquals(latest.Remote, remote) ? latest.Address : remote.Address.Serialize();
            _socket.SendTo(datagram, SocketFlags.None, address);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // As good as lost on its way: what must arrive is repeated.
        }
    }

    public ValueTask<CoapRemote> ConnectAsync(IPEndPoint address, string host, CancellationToken stop) => new(new CoapRemote(address));

    public async Task RunAsync(ICoapDatagramReceiver receiver, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(MaxDatagramBytes, pinned: true);
        var from = new SocketAddress(_socket.AddressFamily);
        while (!stop.IsCancellationRequested)
        {
            int length;
            try
            {
                length = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, from, stop).ConfigureAwait(false);
            }
            catch (SocketException error) when (error.SocketErrorCode is not (SocketError.OperationAborted or SocketError.NotSocket))
            {
                // Some systems tell here that an earlier datagram found no receiver.
                continue;
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                return;
            }

            receiver.OnDatagram(buffer.AsSpan(0, length), Find(from));
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private CoapRemote Find(SocketAddress from)
    {
        if (!_routes.TryGetValue(from, out var route))
        {
            if (_routes.Count == MaxRoutes)
            {
                _routes.Clear();
            }

            var copy = new SocketAddress(from.Family, from.Size);
            from.Buffer.Span[..from.Size].CopyTo(copy.Buffer.Span);
            route = new Route(new CoapRemote((IPEndPoint)LocalEndPoint.Create(copy)), copy);
            _routes.Add(copy, route);
        }

        _latest = route;
        return route.Remote;
    }

    private sealed record Route(CoapRemote Remote, SocketAddress Address);
}
