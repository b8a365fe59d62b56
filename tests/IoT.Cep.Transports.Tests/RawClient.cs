using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace IoT.Cep;

/// <summary>A client that a test speaks MQTT 3.1.1 or 5 through by hand, packet by packet.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly MqttProtocol _protocol;

    private RawClient(MqttProtocol protocol) => _protocol = protocol;

    /// <summary>Whether the broker went on with a session that it had.</summary>
    internal bool SessionPresent { get; private set; }

    internal static async Task<RawClient> ConnectAsync(int port, MqttProtocol protocol = MqttProtocol.V311)
    {
        var client = new RawClient(protocol);
        await client._socket.ConnectAsync(IPAddress.Loopback, port);
        bool v5 = protocol == MqttProtocol.V5;

        // A session that is kept (MQTT 5: for an hour), no keep-alive.
        await client.SendAsync(0x10, [.. Text("MQTT"), (byte)(v5 ? 5 : 4), 0, 0, 0, .. v5 ? (byte[])[5, 0x11, 0, 0, 0x0E, 0x10] : [], .. Text("raw")]);
        byte[] answer = await client.NextAsync(0x20);
        Assert.Equal(0, answer[1]);
        client.SessionPresent = answer[0] == 1;
        return client;
    }

    internal async Task SubscribeAsync(string filter)
    {
        await SendAsync(0x82, [0, 1, .. Properties, .. Text(filter), 1]);
        await NextAsync(0x90);
    }

    internal Task PublishAsync(string topic, string text, ushort packetId) =>
        SendAsync(0x32, [.. Text(topic), (byte)(packetId >> 8), (byte)packetId, .. Properties, .. Encoding.UTF8.GetBytes(text)]);

    internal Task AcknowledgeAsync(ushort packetId) => SendAsync(0x40, [(byte)(packetId >> 8), (byte)packetId]);

    /// <summary>Says goodbye and closes, as a client does that will come back.</summary>
    internal async Task LeaveAsync()
    {
        await SendAsync(0xE0, []);
        _socket.Dispose();
    }

    /// <summary>The next message of QoS 1.</summary>
    internal async Task<(string Text, ushort PacketId, bool IsRepeated)> ReceiveAsync()
    {
        byte flags;
        byte[] body;
        do
        {
            (flags, body) = await ReadAsync();
        }
        while ((flags & 0xF0) != 0x30);

        int start = 2 + BinaryPrimitives.ReadUInt16BigEndian(body);
        return (Encoding.UTF8.GetString(body.AsSpan(start + 2 + Properties.Length)), BinaryPrimitives.ReadUInt16BigEndian(body.AsSpan(start)), (flags & 8) != 0);
    }

    /// <summary>The next packet's body, which must be of the kind.</summary>
    internal async Task<byte[]> NextAsync(byte kind)
    {
        var (flags, body) = await ReadAsync();
        Assert.Equal(kind, flags);
        return body;
    }

    public void Dispose() => _socket.Dispose();

    private byte[] Properties => _protocol == MqttProtocol.V5 ? [0] : [];

    private static byte[] Text(string text) => [0, (byte)text.Length, .. Encoding.UTF8.GetBytes(text)];

    private async Task SendAsync(byte kind, byte[] body) => await _socket.SendAsync((byte[])[kind, checked((byte)body.Length), .. body]);

    private async Task<(byte Flags, byte[] Body)> ReadAsync()
    {
        byte[] head = await ReadAsync(2);
        return (head[0], await ReadAsync(head[1]));
    }

    private async Task<byte[]> ReadAsync(int length)
    {
        byte[] bytes = new byte[length];
        for (int read = 0; read < length;)
        {
            int more = await _socket.ReceiveAsync(bytes.AsMemory(read)).AsTask().WaitAsync(Collector.Patience);
            Assert.NotEqual(0, more);
            read += more;
        }

        return bytes;
    }
}
