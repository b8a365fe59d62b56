using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How a field's value stands on the wire.</summary>
internal enum WireType
{
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    StartGroup = 3,
    EndGroup = 4,
    Fixed32 = 5,
}

/// <summary>Steps through Protobuf's wire format and never throws: what is wrong is kept in <see cref="Fault"/>.</summary>
internal ref struct ProtobufScanner(ReadOnlySpan<byte> bytes, int start = 0)
{
    private const string CutOff = "the payload is cut off";

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    internal DecodeFault Fault;

    internal readonly bool IsEnd => _at >= _bytes.Length;

    /// <summary>The place within the whole payload.</summary>
    internal readonly int Position => start + _at;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTag(out int number, out WireType wire)
    {
        var bytes = _bytes;
        int at = _at;
        if ((uint)at < (uint)bytes.Length && bytes[at] is >= 8 and < 0x80)
        {
            // The numbers up to 15, which nearly all messages have.
            number = bytes[at] >> 3;
            wire = (WireType)(bytes[at] & 7);
            _at = at + 1;
            return true;
        }

        return TryLongTag(out number, out wire);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryVarint(out ulong value)
    {
        var bytes = _bytes;
        int at = _at;
        if ((uint)at < (uint)bytes.Length && bytes[at] < 0x80)
        {
            value = bytes[at];
            _at = at + 1;
            return true;
        }

        return TryLongVarint(out value);
    }

    internal bool TryFixed64(out ulong value)
    {
        if (!BinaryPrimitives.TryReadUInt64LittleEndian(_bytes[_at..], out value))
        {
            Malformed(CutOff);
            return false;
        }

        _at += sizeof(ulong);
        return true;
    }

    internal bool TryFixed32(out uint value)
    {
        if (!BinaryPrimitives.TryReadUInt32LittleEndian(_bytes[_at..], out value))
        {
            Malformed(CutOff);
            return false;
        }

        _at += 4;
        return true;
    }

    internal bool TryBytes(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryVarint(out ulong length))
        {
            return false;
        }

        if (length > (ulong)(_bytes.Length - _at))
        {
            Malformed(CutOff);
            return false;
        }

        value = _bytes.Slice(_at, (int)length);
        _at += value.Length;
        return true;
    }

    internal bool TrySkip(WireType wire)
    {
        switch (wire)
        {
            case WireType.Varint:
                return TryVarint(out _);
            case WireType.Fixed64:
                return TryFixed64(out _);
            case WireType.Bytes:
                return TryBytes(out _);
            case WireType.Fixed32:
                return TryFixed32(out _);
            default:
                Malformed(wire is WireType.StartGroup or WireType.EndGroup ? "a group, which is not read" : "a field has no such kind");
                return false;
        }
    }

    internal void Malformed(string what) => Fault.Set(DeadLetterReason.Malformed, what, Position);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryLongTag(out int number, out WireType wire)
    {
        bool isRead = TryVarint(out ulong tag);
        number = (int)(tag >> 3);
        wire = (WireType)(tag & 7);
        if (isRead && (tag > uint.MaxValue || number == 0))
        {
            Malformed("a field has no number");
        }

        return Fault.Ok;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryLongVarint(out ulong value)
    {
        var bytes = _bytes;
        int at = _at;
        ulong read = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if ((uint)at >= (uint)bytes.Length)
            {
                value = 0;
                _at = at;
                Malformed(CutOff);
                return false;
            }

            byte next = bytes[at++];
            read |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                // The tenth byte has the last of 64 bits; what is above is cut off, as every reader of the format does.
                value = read;
                _at = at;
                return true;
            }
        }

        value = 0;
        _at = at;
        Malformed("a number has more than ten bytes");
        return false;
    }
}
