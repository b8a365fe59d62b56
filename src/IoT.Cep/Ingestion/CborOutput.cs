using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace IoT.Cep;

/// <summary>Writes CBOR items in their shortest form (RFC 8949, section 4.2.1).</summary>
internal static class CborOutput
{
    internal static void Head(IBufferWriter<byte> output, CborMajor major, ulong argument)
    {
        var target = output.GetSpan(9);
        int first = (int)major << 5;
        switch (argument)
        {
            case < 24:
                target[0] = (byte)(first | (int)argument);
                output.Advance(1);
                break;
            case <= byte.MaxValue:
                target[0] = (byte)(first | 24);
                target[1] = (byte)argument;
                output.Advance(2);
                break;
            case <= ushort.MaxValue:
                target[0] = (byte)(first | 25);
                BinaryPrimitives.WriteUInt16BigEndian(target[1..], (ushort)argument);
                output.Advance(3);
                break;
            case <= uint.MaxValue:
                target[0] = (byte)(first | 26);
                BinaryPrimitives.WriteUInt32BigEndian(target[1..], (uint)argument);
                output.Advance(5);
                break;
            default:
                target[0] = (byte)(first | 27);
                BinaryPrimitives.WriteUInt64BigEndian(target[1..], argument);
                output.Advance(9);
                break;
        }
    }

    internal static void Integer(IBufferWriter<byte> output, long value) =>
        Head(output, value < 0 ? CborMajor.Negative : CborMajor.Unsigned, value < 0 ? (ulong)(-1 - value) : (ulong)value);

    internal static void Text(IBufferWriter<byte> output, ReadOnlySpan<char> value)
    {
        Head(output, CborMajor.Text, (ulong)Encoding.UTF8.GetByteCount(value));
        Encoding.UTF8.GetBytes(value, output);
    }

    internal static void Simple(IBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = (byte)(0xE0 | value);
        output.Advance(1);
    }

    internal static void Number(IBufferWriter<byte> output, double value)
    {
        var target = output.GetSpan(9);
        if ((double)(Half)value == value)
        {
            target[0] = 0xF9;
            BinaryPrimitives.WriteHalfBigEndian(target[1..], (Half)value);
            output.Advance(3);
        }
        else if ((float)value == value)
        {
            target[0] = 0xFA;
            BinaryPrimitives.WriteSingleBigEndian(target[1..], (float)value);
            output.Advance(5);
        }
        else
        {
            target[0] = 0xFB;
            BinaryPrimitives.WriteDoubleBigEndian(target[1..], value);
            output.Advance(9);
        }
    }

    /// <summary>Tag 1 (seconds) where a number gives the time back to the tick; else tag 0 (text).</summary>
    internal static void Time(IBufferWriter<byte> output, long ticks)
    {
        double seconds = (double)ticks / TimeSpan.TicksPerSecond;
        if (BinaryTimes.FromSeconds(seconds, out long back) == TimeResult.Ok && back == ticks)
        {
            Head(output, CborMajor.Tag, 1);
            if (seconds == Math.Truncate(seconds))
            {
                Integer(output, (long)seconds);
            }
            else
            {
                Number(output, seconds);
            }

            return;
        }

        Span<byte> text = stackalloc byte[32];
        int length = Utf8Output.Time(text, ticks);
        Head(output, CborMajor.Tag, 0);
        Head(output, CborMajor.Text, (ulong)length);
        output.Write(text[..length]);
    }
}
