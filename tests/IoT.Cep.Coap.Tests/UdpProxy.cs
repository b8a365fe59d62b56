using System.Net;
using System.Net.Sockets;

namespace IoT.Cep.CoapTests;

/// <summary>What becomes of a datagram.</summary>
public enum Fate
{
    /// <summary>It arrives.</summary>
    Passes,

    /// <summary>It is lost.</summary>
    Lost,

    /// <summary>It arrives twice.</summary>
    Repeated,

    /// <summary>The next one overtakes it.</summary>
    Overtaken,

    /// <summary>It arrives behind the five next ones, by when it was repeated.</summary>
    Late,
}

/// <summary>Passes datagrams between real sockets on this machine, and decides about each by its number; both directions count together.</summary>
internal sealed class UdpProxy : IAsyncDisposable
{
    private readonly Socket _front = Bound();
    private readonly IPEndPoint _target;
    private readonly Func<int, Fate> _fate;
    private readonly Dictionary<EndPoint, Socket> _clients = [];
    private readonly List<(Action Deliver, int At)> _held = [];
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];
    private int _count;

    internal UdpProxy(int target, Func<int, Fate> fate)
    {
        (_target, _fate) = (new IPEndPoint(IPAddress.Loopback, target), fate);
        _running.Add(ReceiveAsync(_front, FromClient));
    }

    internal int Port => ((IPEndPoint)_front.LocalEndPoint!).Port;

    /// <summary>How many datagrams came.</summary>
    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _count;
            }
        }
    }

    /// <summary>Delivers what is held back.</summary>
    internal void Flush()
    {
        lock (_gate)
        {
            Release(int.MaxValue);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] running;
        lock (_gate)
        {
            running = [.. _running];
        }

        await Task.WhenAll(running);
        _front.Dispose();
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }

        _stop.Dispose();
    }

    private static Socket Bound()
    {
        var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private async Task ReceiveAsync(Socket socket, Action<byte[], EndPoint> take)
    {
        byte[] buffer = new byte[65_535];
        while (true)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                take(buffer[..received.ReceivedBytes], received.RemoteEndPoint);
            }
            catch (SocketException)
            {
                // Somebody did not listen any longer.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void FromClient(byte[] datagram, EndPoint client)
    {
        lock (_gate)
        {
            if (!_clients.TryGetValue(client, out var back))
            {
                // To the server each client has an address of its own.
                back = Bound();
                _clients.Add(client, back);
                _running.Add(ReceiveAsync(back, (answer, _) => Decide(() => _front.SendTo(answer, client))));
            }

            Decide(() => back.SendTo(datagram, _target));
        }
    }

    private void Decide(Action deliver)
    {
        lock (_gate)
        {
            int number = _count++;
            switch (_fate(number))
            {
                case Fate.Passes:
                    deliver();
                    break;
                case Fate.Repeated:
                    deliver();
                    deliver();
                    break;
                case Fate.Overtaken:
                    _held.Add((deliver, number + 1));
                    break;
                case Fate.Late:
                    _held.Add((deliver, number + 5));
                    break;
            }

            Release(number);
        }
    }

    private void Release(int number)
    {
        foreach (var held in _held.Where(h => h.At <= number).ToList())
        {
            _held.Remove(held);
            held.Deliver();
        }
    }
}
