using System.Buffers.Binary;

namespace IoT.Cep;

/// <summary>Tells requests under way apart: 0 to 8 bytes, kept as a number so that it can be a key without an allocation.</summary>
internal readonly record struct CoapToken
{
    internal const int MaxLength = 8;

    private readonly ulong _bytes;
    private readonly byte _length;

    private CoapToken(ulong bytes, int length)
    {
        _bytes = bytes;
        _length = (byte)length;
    }

    internal int Length => _length;

    internal static CoapToken Read(ReadOnlySpan<byte> bytes)
    {
        Span<byte> all = stackalloc byte[MaxLength];
        all.Clear();
        bytes.CopyTo(all);
        return new CoapToken(BinaryPrimitives.ReadUInt64LittleEndian(all), bytes.Length);
    }

    internal void Write(Span<byte> output)
    {
        Span<byte> all = stackalloc byte[MaxLength];
        BinaryPrimitives.WriteUInt64LittleEndian(all, _bytes);
        all[.._length].CopyTo(output);
    }
}
