using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

using IoT.Cep;
using IoT.Cep.Extensibility;

namespace IoT.Reference.Gateway;

/// <summary>
/// The sensors' side: datagrams come in as a source of the engine, and what is for a sensor goes back to the address it sent from last. A transport of one's own is no more than this.
/// </summary>
internal sealed class Southbound(GatewayOptions options) : ITransport, IDisposable
{
    private readonly Socket _socket = Bind(options.Datagrams);
    private readonly ConcurrentDictionary<string, IPEndPoint> _addresses = new(StringComparer.Ordinal);
    private long _number;

    public string Name => "sensors";

    public int Port => ((IPEndPoint)_socket.LocalEndPoint!).Port;

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        receiver.ConnectionChanged(true);
        byte[] buffer = new byte[64 * 1024];
        var anyone = new IPEndPoint(IPAddress.Any, 0);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                SocketReceiveFromResult datagram = await _socket.ReceiveFromAsync(buffer, anyone, stop);
                Note(buffer.AsMemory(0, datagram.ReceivedBytes), (IPEndPoint)datagram.RemoteEndPoint);
                var payload = new Payload(new ReadOnlySequence<byte>(buffer, 0, datagram.ReceivedBytes), Name);
                await receiver.ReceiveAsync(in payload);
            }
            catch (SocketException)
            {
                // A sensor that had gone when something was sent to it: others go on.
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        receiver.ConnectionChanged(false, "stopped");
    }

    /// <summary>Sends what is for a sensor to where it is; nowhere, if it was never heard.</summary>
    public void Send(Message message)
    {
        string device = Frame.DeviceOf(message);
        if (!_addresses.TryGetValue(device, out IPEndPoint? address))
        {
            return;
        }

        var frame = new JsonObject
        {
            ["d"] = device,
            ["q"] = Interlocked.Increment(ref _number),
            ["k"] = message.Topic[..message.Topic.IndexOf('/', StringComparison.Ordinal)],
            ["b"] = JsonNode.Parse(message.Body.Span),
        };
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(frame, GatewayJson.Default.JsonObject);
        try
        {
            _socket.SendTo(bytes, address);
        }
        catch (SocketException)
        {
            // As any radio may fail: the device manager repeats what is not acknowledged.
        }
    }

    public void Dispose() => _socket.Dispose();

    private static Socket Bind(IPEndPoint local)
    {
        var socket = new Socket(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(local);
        return socket;
    }

    // Only devices of this gateway are remembered, so the table is bounded by its list.
    private void Note(ReadOnlyMemory<byte> bytes, IPEndPoint from)
    {
        if (Frame.Read(bytes, options, default, out _) is { } message)
        {
            _addresses[Frame.DeviceOf(message)] = from;
        }
    }
}
