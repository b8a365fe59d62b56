using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Links;

/// <summary>
/// A sensor behind a gateway: it sends datagrams over the gateway's own network and has no way to the bus but the gateway. One message is one datagram,
/// <c>{"d":"s-17","q":12,"k":"t","b":...}</c>: the device, a number that counts up, the topic's first word, and the payload as JSON; what is for the device comes back alike.
/// </summary>
/// <param name="device">The device's id.</param>
/// <param name="gateway">Where the gateway listens.</param>
public sealed class GatewayLink(string device, IPEndPoint gateway) : IDeviceLink
{
    private readonly Socket _socket = new(gateway.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
    private readonly CancellationTokenSource _stop = new();
    private Task _receiving = Task.CompletedTask;
    private long _number;

    /// <inheritdoc/>
    public Task OpenAsync(IDeviceReceiver receiver, CancellationToken stop)
    {
        _socket.Connect(gateway);
        _receiving = ReceiveAsync(receiver);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task SendAsync(string topic, ReadOnlyMemory<byte> body, string contentType, CancellationToken stop)
    {
        long number = Interlocked.Increment(ref _number);
        await SendAsync(topic[..topic.IndexOf('/', StringComparison.Ordinal)], number, body, stop);
    }

    /// <summary>Sends a message under a number of its own: one that came before is the same frame again, as a radio repeats it.</summary>
    public async Task SendAsync(string kind, long number, ReadOnlyMemory<byte> body, CancellationToken stop)
    {
        var frame = new JsonObject { ["d"] = device, ["q"] = number, ["k"] = kind, ["b"] = JsonNode.Parse(body.Span) };
        try
        {
            await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(frame, Agent.AgentJson.Default.JsonObject), stop);
        }
        catch (SocketException e)
        {
            throw new IOException($"The gateway is away: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void UseSecret(string secret)
    {
        // Who is behind a gateway has no secret: the gateway speaks for it.
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _receiving;
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ReceiveAsync(IDeviceReceiver receiver)
    {
        byte[] buffer = new byte[64 * 1024];
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                int length = await _socket.ReceiveAsync(buffer, _stop.Token);
                using var frame = JsonDocument.Parse(buffer.AsMemory(0, length));
                string kind = frame.RootElement.GetProperty("k").GetString() ?? "";
                await Inbox.TakeAsync(receiver, $"{kind}/{device}", JsonSerializer.SerializeToUtf8Bytes(frame.RootElement.GetProperty("b"), WireJson.Default.JsonElement));
            }
            catch (Exception e) when (e is SocketException or JsonException or KeyNotFoundException or InvalidOperationException)
            {
                // The gateway is not there at present, or something else speaks on this port: the next datagram counts.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
