using System.Net;
using System.Net.Sockets;
using System.Text;

namespace IoT.Cep;

/// <summary>A packet as it came: its first byte, and what follows its length.</summary>
internal sealed record RawPacket(byte Head, byte[] Body)
{
    internal int Kind => Head >> 4;

    public override string ToString() => $"{Head:X2} {Convert.ToHexString(Body)}";
}

/// <summary>Speaks MQTT byte by byte: what a test writes goes out, right or wrong.</summary>
internal sealed class RawMqtt(Stream stream) : IDisposable
{
    internal const byte ConnAck = 2, Publish = 3, PubAck = 4, PubRec = 5, PubRel = 6, PubComp = 7, SubAck = 9, UnsubAck = 11, PingResp = 13, Disconnect = 14;

    internal static async Task<RawMqtt> OpenAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return new RawMqtt(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Connects and returns with the CONNACK.</summary>
    internal static async Task<(RawMqtt Client, RawPacket Answer)> ConnectAsync(
        int port, int version = 5, string clientId = "raw", bool clean = true, string? user = null, string? password = null, (string Topic, string Text)? will = null, uint expiry = 0)
    {
        var client = await OpenAsync(port);
        await client.SendAsync(0x10, Connect(version, clientId, clean, user, password, will, expiry));
        return (client, (await client.ReadAsync())!);
    }

    internal static byte[] Connect(
        int version = 5, string clientId = "raw", bool clean = true, string? user = null, string? password = null, (string Topic, string Text)? will = null, uint expiry = 0)
    {
        bool v5 = version == 5;
        int flags = (clean ? 2 : 0) | (user is null ? 0 : 0x80) | (password is null ? 0 : 0x40) | (will is null ? 0 : 4);
        return
        [
            .. Text(version == 3 ? "MQIsdp" : "MQTT"), (byte)version, (byte)flags, 0, 0,
            .. !v5 ? (byte[])[] : expiry == 0 ? [0] : [5, 0x11, (byte)(expiry >> 24), (byte)(expiry >> 16), (byte)(expiry >> 8), (byte)expiry],
            .. Text(clientId),
            .. will is { } w ? (byte[])[.. v5 ? (byte[])[0] : [], .. Text(w.Topic), .. Text(w.Text)] : [],
            .. user is null ? [] : Text(user),
            .. password is null ? [] : Text(password),
        ];
    }

    internal Task SendAsync(byte head, params byte[] body)
    {
        List<byte> packet = [head];
        int length = body.Length;
        do
        {
            packet.Add((byte)((length & 0x7F) | (length > 0x7F ? 0x80 : 0)));
            length >>= 7;
        }
        while (length > 0);
        return SendBytesAsync([.. packet, .. body]);
    }

    internal async Task SendBytesAsync(byte[] bytes)
    {
        try
        {
            await stream.WriteAsync(bytes);
            await stream.FlushAsync();
        }
        catch (IOException)
        {
            // The other side closed already; reading will tell.
        }
    }

    internal Task SubscribeAsync(int version, string filter, byte options = 1) =>
        SendAsync(0x82, [0, 7, .. version == 5 ? (byte[])[0] : [], .. Text(filter), options]);

    internal Task PublishAsync(int version, string topic, string text, int qualityOfService = 1, ushort packetId = 1, bool retain = false, bool dup = false) => SendAsync(
        (byte)(0x30 | (qualityOfService << 1) | (retain ? 1 : 0) | (dup ? 8 : 0)),
        [.. Text(topic), .. qualityOfService == 0 ? (byte[])[] : [(byte)(packetId >> 8), (byte)packetId], .. version == 5 ? (byte[])[0] : [], .. Encoding.UTF8.GetBytes(text)]);

    /// <summary>The next packet; null: the connection was closed.</summary>
    internal async Task<RawPacket?> ReadAsync()
    {
        try
        {
            byte[] one = new byte[1];
            if (await stream.ReadAsync(one).AsTask().WaitAsync(Collector.Patience) == 0)
            {
                return null;
            }

            byte head = one[0];
            int length = 0;
            for (int shift = 0; ; shift += 7)
            {
                await stream.ReadExactlyAsync(one).AsTask().WaitAsync(Collector.Patience);
                length |= (one[0] & 0x7F) << shift;
                if ((one[0] & 0x80) == 0)
                {
                    break;
                }
            }

            byte[] body = new byte[length];
            await stream.ReadExactlyAsync(body).AsTask().WaitAsync(Collector.Patience);
            return new RawPacket(head, body);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The next packet, which must be of a kind.</summary>
    internal async Task<byte[]> NextAsync(byte kind)
    {
        var packet = await ReadAsync();
        Assert.True(packet is not null, "The connection was closed.");
        Assert.True(packet.Kind == kind, $"Wanted {kind}, got {packet}");
        return packet.Body;
    }

    /// <summary>Reads until the connection is closed; the reason of a DISCONNECT on the way, or null.</summary>
    internal async Task<byte?> ClosedAsync()
    {
        byte? reason = null;
        while (await ReadAsync() is { } packet)
        {
            reason = packet.Kind == Disconnect ? packet.Body.Length == 0 ? (byte)0 : packet.Body[0] : reason;
        }

        return reason;
    }

    internal static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
    }

    public void Dispose() => stream.Dispose();
}
