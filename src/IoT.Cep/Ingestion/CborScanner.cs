using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The kinds of data items (RFC 8949, section 3.1).</summary>
internal enum CborMajor : byte
{
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Simple,
}

/// <summary>A data item's first bytes.</summary>
internal readonly record struct CborHead(CborMajor Major, byte Info, ulong Argument)
{
    internal bool IsIndefinite => Info == 31;

    internal bool IsBreak => Major == CborMajor.Simple && Info == 31;
}

/// <summary>
/// Steps through CBOR (RFC 8949) and never throws: what is wrong is kept in <see cref="Fault"/>. Every item takes a byte at least, so that no count in a payload, however large,
/// costs more than the payload's length; nesting uses no stack.
/// </summary>
internal ref partial struct CborScanner(ReadOnlySpan<byte> bytes, int maxDepth)
{
    // A double has exponents up to 308; past this a number is 0 or too large whatever its digits.
    private const ulong MostExponent = 1_000_000;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    internal DecodeFault Fault;

    internal int Position { readonly get => _at; set => _at = value; }

    /// <summary>How many containers are open around the current place; the owner counts those it opens itself.</summary>
    internal int Depth { get; set; }

    internal readonly bool IsEnd => _at >= _bytes.Length;

    internal readonly int MaxDepth => maxDepth;

    internal void Malformed(string what) => Fault.Set(DeadLetterReason.Malformed, what, _at);

    /// <summary>Takes these bytes if they stand here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTake(ReadOnlySpan<byte> expected)
    {
        if (!_bytes[_at..].StartsWith(expected))
        {
            return false;
        }

        _at += expected.Length;
        return true;
    }

    /// <summary>The item's first byte, without taking it; -1 at the end.</summary>
    internal readonly int Peek() => (uint)_at < (uint)_bytes.Length ? _bytes[_at] : -1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryHead(out CborHead head)
    {
        var bytes = _bytes;
        int at = _at;
        if ((uint)at < (uint)bytes.Length && (bytes[at] & 31) < 24)
        {
            head = new CborHead((CborMajor)(bytes[at] >> 5), (byte)(bytes[at] & 31), (ulong)(bytes[at] & 31));
            _at = at + 1;
            return true;
        }

        return TryLongHead(out head);
    }

    /// <summary>Takes a head that is no tag; tags in front of it are passed over, since the item's own kind says what can be done with it.</summary>
    internal bool TryUntagged(out CborHead head, out ulong tag)
    {
        tag = ulong.MaxValue;
        while (TryHead(out head))
        {
            if (head.Major != CborMajor.Tag)
            {
                return true;
            }

            tag = head.Argument;
        }

        return false;
    }

    /// <summary>The bytes of a string of definite length whose head was taken.</summary>
    internal bool TrySlice(scoped in CborHead head, out ReadOnlySpan<byte> slice)
    {
        slice = default;
        if (head.Argument > (ulong)(_bytes.Length - _at))
        {
            Malformed("the payload is cut off");
            return false;
        }

        slice = _bytes.Slice(_at, (int)head.Argument);
        _at += slice.Length;
        if (head.Major == CborMajor.Text && !Utf8.IsValid(slice))
        {
            Malformed("a text is not UTF-8");
            return false;
        }

        return true;
    }

    /// <summary>The bytes of a string whose head was taken; the chunks of one of indefinite length are put together.</summary>
    internal bool TryString(scoped in CborHead head, PayloadBuffer buffer, out ReadOnlySpan<byte> text)
    {
        if (!head.IsIndefinite)
        {
            return TrySlice(in head, out text);
        }

        var room = buffer.Text(_bytes.Length);
        int length = 0;
        text = default;
        while (TryHead(out var chunk))
        {
            if (chunk.IsBreak)
            {
                text = room[..length];
                return true;
            }

            if (chunk.Major != head.Major || chunk.IsIndefinite)
            {
                Malformed("a string of indefinite length holds something else than chunks");
                return false;
            }

            if (!TrySlice(in chunk, out var part))
            {
                return false;
            }

            part.CopyTo(room[length..]);
            length += part.Length;
        }

        return false;
    }

    /// <summary>A number of any kind, among them decimal fractions (tag 4); false where the item is none or too large, and then the fault is set.</summary>
    internal bool TryNumber(out double value, string name)
    {
        value = 0;
        int start = _at;
        if (!TryUntagged(out var head, out ulong tag))
        {
            return false;
        }

        switch (head.Major)
        {
            case CborMajor.Unsigned:
                value = head.Argument;
                return true;
            case CborMajor.Negative:
                value = -1.0 - head.Argument;
                return true;
            case CborMajor.Simple when head.Info is >= 25 and <= 27:
                value = Real(in head);
                if (!double.IsFinite(value))
                {
                    Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", start, name);
                    value = 0;
                }

                return Fault.Ok;
            case CborMajor.Array when tag == 4 && head is { IsIndefinite: false, Argument: 2 }:
                return TryDecimal(out value, start, name);
            default:
                Fault.Set(DeadLetterReason.WrongType, "the value is not a number", start, name);
                return false;
        }
    }

    /// <summary>A decimal fraction (tag 4) of whole numbers; where something else stands here, nothing is taken.</summary>
    internal bool TryFraction(out DecimalNumber number)
    {
        number = default;
        if (!_bytes[_at..].StartsWith((ReadOnlySpan<byte>)[0xC4, 0x82]))
        {
            return false;
        }

        int start = _at;
        var before = Fault;
        _at += 2;
        bool isRead = TryHead(out var power) & TryHead(out var digits) && TryNumberOf(in power, in digits, out number);
        if (!isRead)
        {
            _at = start;
            Fault = before;
        }

        return isRead;
    }

    internal static double Real(in CborHead head) => head.Info switch
    {
        25 => (double)BitConverter.UInt16BitsToHalf((ushort)head.Argument),
        26 => BitConverter.UInt32BitsToSingle((uint)head.Argument),
        _ => BitConverter.UInt64BitsToDouble(head.Argument),
    };

    private static bool TryNumberOf(in CborHead power, in CborHead digits, out DecimalNumber number)
    {
        number = default;
        bool isNegative = digits.Major == CborMajor.Negative;
        if (power.Major > CborMajor.Negative || digits.Major > CborMajor.Negative || power.Argument > MostExponent || (isNegative && digits.Argument == ulong.MaxValue))
        {
            return false;
        }

        number.IsNegative = isNegative;
        number.Mantissa = digits.Argument + (isNegative ? 1UL : 0);
        number.Exponent = power.Major == CborMajor.Unsigned ? (int)power.Argument : -1 - (int)power.Argument;
        number.IsExact = true;
        return true;
    }

    private bool TryDecimal(out double value, int start, string name)
    {
        value = 0;
        if (!TryHead(out var exponent) || !TryHead(out var mantissa))
        {
            return false;
        }

        bool isWhole = exponent.Major <= CborMajor.Negative && mantissa.Major <= CborMajor.Negative;
        if (!isWhole || exponent.Argument > MostExponent)
        {
            Fault.Set(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is no decimal fraction that can be read", start, name);
            return false;
        }

        // Small ones are one division of exact numbers.
        if (TryNumberOf(in exponent, in mantissa, out var number) && number.Mantissa <= 1UL << 53 && Math.Abs(number.Exponent) <= 22)
        {
            return Utf8Numbers.TryToDouble(default, in number, out value);
        }

        // The framework rounds exactly, which multiplying by a power of ten does not.
        Span<byte> text = stackalloc byte[64];
        decimal digits = mantissa.Major == CborMajor.Unsigned ? mantissa.Argument : -1m - mantissa.Argument;
        long power = exponent.Major == CborMajor.Unsigned ? (long)exponent.Argument : -1 - (long)exponent.Argument;
        System.Globalization.CultureInfo invariant = System.Globalization.CultureInfo.InvariantCulture;
        digits.TryFormat(text, out int length, "0", invariant);
        text[length++] = (byte)'E';
        power.TryFormat(text[length..], out int powerLength, default, invariant);
        value = double.Parse(text[..(length + powerLength)], System.Globalization.NumberStyles.Float, invariant);
        if (!double.IsFinite(value))
        {
            Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", start, name);
            value = 0;
        }

        return Fault.Ok;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryLongHead(out CborHead head)
    {
        head = default;
        if (_at >= _bytes.Length)
        {
            Malformed("the payload is cut off");
            return false;
        }

        var major = (CborMajor)(_bytes[_at] >> 5);
        byte info = (byte)(_bytes[_at] & 31);
        bool isReserved = info is >= 28 and <= 30 || (info == 31 && major is CborMajor.Unsigned or CborMajor.Negative or CborMajor.Tag);
        int length = info is >= 24 and <= 27 ? 1 << (info - 24) : 0;
        if (isReserved || _bytes.Length - _at - 1 < length)
        {
            Malformed(isReserved ? "a byte begins no item" : "the payload is cut off");
            return false;
        }

        var rest = _bytes[(_at + 1)..];
        ulong argument = length switch
        {
            1 => rest[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(rest),
            4 => BinaryPrimitives.ReadUInt32BigEndian(rest),
            8 => BinaryPrimitives.ReadUInt64BigEndian(rest),
            _ => 0,
        };
        if (major == CborMajor.Simple && info == 24 && argument < 32)
        {
            Malformed("a simple value stands in two bytes and needs one");
            return false;
        }

        _at += 1 + length;
        head = new CborHead(major, info, argument);
        return true;
    }
}
