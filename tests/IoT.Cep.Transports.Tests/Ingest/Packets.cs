using System.Buffers.Binary;
using System.Text;

namespace IoT.Cep.Ingest;

/// <summary>The versions of the protocol, as CONNECT names them.</summary>
internal enum Level : byte
{
    V31 = 3,
    V311 = 4,
    V5 = 5,
}

/// <summary>MQTT packets, byte by byte as the specification has them, written without any code of the product.</summary>
internal static class Packets
{
    internal static byte[] Packet(int first, params byte[] body)
    {
        var packet = new List<byte> { (byte)first };
        int rest = body.Length;
        do
        {
            packet.Add((byte)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
            rest >>= 7;
        }
        while (rest > 0);
        packet.AddRange(body);
        return [.. packet];
    }

    internal static byte[] Text(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return [.. Two(utf8.Length), .. utf8];
    }

    internal static byte[] Two(int number)
    {
        byte[] two = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(two, (ushort)number);
        return two;
    }

    internal static byte[] Four(uint number)
    {
        byte[] four = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(four, number);
        return four;
    }

    internal static byte[] Connect(Level level, string clientId, bool clean = true, int keepAlive = 0, byte[]? properties = null, string? user = null, string? password = null, byte[]? will = null, int willFlags = 0)
    {
        int flags = (clean ? 2 : 0) | (user is null ? 0 : 0x80) | (password is null ? 0 : 0x40) | (will is null ? 0 : 4 | willFlags);
        byte[] own = level == Level.V5 ? Properties(properties ?? []) : [];
        return Packet(
            0x10,
            [
                .. Text(level == Level.V31 ? "MQIsdp" : "MQTT"), (byte)level, (byte)flags, .. Two(keepAlive), .. own, .. Text(clientId), .. will ?? [],
                .. user is null ? [] : Text(user), .. password is null ? [] : Text(password),
            ]);
    }

    internal static byte[] Properties(byte[] properties) => [(byte)properties.Length, .. properties];

    internal static byte[] Publish(Level level, string topic, string text, int quality = 0, int packetId = 0, bool repeated = false, byte[]? properties = null, bool retained = false) => Packet(
        0x30 | (quality << 1) | (repeated ? 8 : 0) | (retained ? 1 : 0),
        [.. Text(topic), .. quality > 0 ? Two(packetId) : [], .. level == Level.V5 ? Properties(properties ?? []) : [], .. Encoding.UTF8.GetBytes(text)]);

    internal static byte[] Subscribe(Level level, int packetId, params (string Filter, int Options)[] filters) => Packet(
        0x82, [.. Two(packetId), .. level == Level.V5 ? (byte[])[0] : [], .. filters.SelectMany(f => (byte[])[.. Text(f.Filter), (byte)f.Options])]);

    internal static byte[] Unsubscribe(Level level, int packetId, params string[] filters) =>
        Packet(0xA2, [.. Two(packetId), .. level == Level.V5 ? (byte[])[0] : [], .. filters.SelectMany(Text)]);

    internal static byte[] Release(int packetId) => Packet(0x62, Two(packetId));

    internal static byte[] Ping { get; } = Packet(0xC0);

    internal static byte[] Disconnect { get; } = Packet(0xE0);
}
