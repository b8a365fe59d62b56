using System.Buffers.Binary;
using System.Text.Unicode;

namespace IoT.Cep;

/// <summary>Reads the fields of one control packet. What is not there reads as zero or nothing and sets <see cref="IsBad"/>, which is looked at once, at the end.</summary>
/// <param name="bytes">The packet's body.</param>
internal ref struct PacketReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Whether something was missing or malformed.</summary>
    internal bool IsBad { get; private set; }

    /// <summary>What has not been read.</summary>
    internal readonly ReadOnlySpan<byte> Rest => _rest;

    internal byte Byte()
    {
        var taken = Take(1);
        return taken.IsEmpty ? (byte)0 : taken[0];
    }

    internal ushort UInt16()
    {
        var taken = Take(2);
        return taken.IsEmpty ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(taken);
    }

    internal uint UInt32()
    {
        var taken = Take(4);
        return taken.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32BigEndian(taken);
    }

    /// <summary>An integer in groups of seven bits (MQTT 5, 1.5.5).</summary>
    internal int VariableInteger()
    {
        int value = 0;
        for (int shift = 0; shift <= 21; shift += 7)
        {
            byte group = Byte();
            value |= (group & 0x7F) << shift;
            if (group < 0x80)
            {
                // A longer form than needed is malformed.
                IsBad |= shift > 0 && group == 0;
                return value;
            }
        }

        IsBad = true;
        return 0;
    }

    /// <summary>Bytes behind their length.</summary>
    internal ReadOnlySpan<byte> Binary() => Take(UInt16());

    /// <summary>UTF-8 text behind its length: valid, and without U+0000 (MQTT 5, 1.5.4).</summary>
    internal ReadOnlySpan<byte> Text()
    {
        var text = Binary();
        IsBad |= text.Contains((byte)0) || !Utf8.IsValid(text);
        return text;
    }

    internal ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length)
        {
            IsBad = true;
            _rest = default;
            return default;
        }

        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
