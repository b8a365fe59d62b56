using System.Buffers;
using System.Buffers.Binary;

namespace IoT.Cep;

/// <summary>How a frame's length stands in front of it. The length does not count the prefix itself.</summary>
public enum FramePrefix
{
    /// <summary>One byte: frames of up to 255 bytes.</summary>
    OneByte,

    /// <summary>Two bytes, the high one first: network order.</summary>
    TwoBytesBigEndian,

    /// <summary>Two bytes, the low one first.</summary>
    TwoBytesLittleEndian,

    /// <summary>Four bytes, the highest first: network order.</summary>
    FourBytesBigEndian,

    /// <summary>Four bytes, the lowest first.</summary>
    FourBytesLittleEndian,

    /// <summary>Seven bits a byte, the lowest first, the high bit says that another byte follows: Protocol Buffers' delimited messages. At most five bytes.</summary>
    VarInt,
}

/// <summary>Reads and writes prefixes.</summary>
internal static class FramePrefixes
{
    internal const int MaxBytes = 5;

    /// <summary>The longest frame that a prefix can announce.</summary>
    internal static long MaxLength(this FramePrefix prefix) => prefix switch
    {
        FramePrefix.OneByte => byte.MaxValue,
        FramePrefix.TwoBytesBigEndian or FramePrefix.TwoBytesLittleEndian => ushort.MaxValue,
        _ => int.MaxValue,
    };

    /// <summary>Reads a prefix.</summary>
    /// <returns>How many bytes it has; 0 where some are missing, -1 where it is no prefix.</returns>
    internal static int Read(this FramePrefix prefix, ReadOnlySpan<byte> bytes, out long length)
    {
        length = 0;
        int size = prefix switch
        {
            FramePrefix.OneByte => 1,
            FramePrefix.TwoBytesBigEndian or FramePrefix.TwoBytesLittleEndian => 2,
            FramePrefix.FourBytesBigEndian or FramePrefix.FourBytesLittleEndian => 4,
            _ => 0,
        };
        if (size == 0)
        {
            return ReadVarInt(bytes, out length);
        }

        if (bytes.Length < size)
        {
            return 0;
        }

        length = prefix switch
        {
            FramePrefix.OneByte => bytes[0],
            FramePrefix.TwoBytesBigEndian => BinaryPrimitives.ReadUInt16BigEndian(bytes),
            FramePrefix.TwoBytesLittleEndian => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            FramePrefix.FourBytesBigEndian => BinaryPrimitives.ReadUInt32BigEndian(bytes),
            _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        };
        return size;
    }

    internal static void Write(this FramePrefix prefix, int length, IBufferWriter<byte> output)
    {
        var bytes = output.GetSpan(MaxBytes);
        int size;
        switch (prefix)
        {
            case FramePrefix.OneByte:
                bytes[0] = (byte)length;
                size = 1;
                break;
            case FramePrefix.TwoBytesBigEndian:
                BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)length);
                size = 2;
                break;
            case FramePrefix.TwoBytesLittleEndian:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)length);
                size = 2;
                break;
            case FramePrefix.FourBytesBigEndian:
                BinaryPrimitives.WriteInt32BigEndian(bytes, length);
                size = 4;
                break;
            case FramePrefix.FourBytesLittleEndian:
                BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
                size = 4;
                break;
            default:
                size = 0;
                for (uint rest = (uint)length; ; rest >>= 7)
                {
                    bytes[size++] = (byte)(rest < 0x80 ? rest : rest | 0x80);
                    if (rest < 0x80)
                    {
                        break;
                    }
                }

                break;
        }

        output.Advance(size);
    }

    private static int ReadVarInt(ReadOnlySpan<byte> bytes, out long length)
    {
        length = 0;
        for (int i = 0; i < bytes.Length && i < MaxBytes; i++)
        {
            length |= (long)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                return i + 1;
            }
        }

        return bytes.Length >= MaxBytes ? -1 : 0;
    }
}
