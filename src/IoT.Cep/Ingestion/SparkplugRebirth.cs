using System.Buffers;
using System.Text;

namespace IoT.Cep;

/// <summary>The command that asks an edge node to tell its births again (Sparkplug 3.0, section 6.4.20).</summary>
internal static class SparkplugRebirth
{
    private const ulong Boolean = 11;

    internal static string TopicOf(SparkplugNode node) => $"spBv1.0/{node.Group}/NCMD/{node.Node}";

    /// <summary>The payload: its time and the metric <c>Node Control/Rebirth</c> that is true.</summary>
    internal static byte[] PayloadAt(long ticks)
    {
        var metric = new ArrayBufferWriter<byte>();
        byte[] name = Encoding.UTF8.GetBytes("Node Control/Rebirth");
        ulong milliseconds = (ulong)Math.Max(0, ticks / TimeSpan.TicksPerMillisecond);
        Varint(metric, (1 << 3) | (ulong)WireType.Bytes, (ulong)name.Length);
        metric.Write(name);
        Varint(metric, 3 << 3, milliseconds);
        Varint(metric, 4 << 3, Boolean);
        Varint(metric, 14 << 3, 1);

        var payload = new ArrayBufferWriter<byte>();
        Varint(payload, 1 << 3, milliseconds);
        Varint(payload, (2 << 3) | (ulong)WireType.Bytes, (ulong)metric.WrittenCount);
        payload.Write(metric.WrittenSpan);
        return payload.WrittenSpan.ToArray();
    }

    private static void Varint(ArrayBufferWriter<byte> output, params ReadOnlySpan<ulong> values)
    {
        foreach (ulong value in values)
        {
            ulong rest = value;
            var target = output.GetSpan(10);
            int length = 0;
            for (; rest >= 0x80; rest >>= 7)
            {
                target[length++] = (byte)(rest | 0x80);
            }

            target[length++] = (byte)rest;
            output.Advance(length);
        }
    }
}
