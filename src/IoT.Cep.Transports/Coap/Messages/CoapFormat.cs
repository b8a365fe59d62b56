namespace IoT.Cep;

/// <summary>What is wrong with the bytes of a message.</summary>
internal enum CoapFormatError
{
    None,
    TooShort,
    UnknownVersion,
    TokenLength,
    EmptyWithContent,
    OptionHeader,
    OptionTruncated,
    OptionNumber,
    PayloadMissing,
    TooLong,
    NoCapabilities,
}

/// <summary>The parts that messages over datagrams and over streams have in common: options, the payload marker, the payload (RFC 7252, 3.1).</summary>
internal static class CoapFormat
{
    /// <summary>Stands between options and payload; also what makes 15 invalid as a delta or length.</summary>
    internal const byte PayloadMarker = 0xFF;

    /// <summary>An option whose number needs more than 16 bits does not exist.</summary>
    private const int MaxOptionNumber = ushort.MaxValue;

    /// <summary>Checks what follows the token, so that whoever enumerates its options later meets no malformed one.</summary>
    /// <param name="body">Options, marker and payload.</param>
    /// <param name="optionsLength">How many bytes the options have, without the marker.</param>
    /// <param name="payloadStart">Where the payload begins; the body's length where there is none.</param>
    internal static CoapFormatError Check(ReadOnlySpan<byte> body, out int optionsLength, out int payloadStart)
    {
        int at = 0;
        int number = 0;
        while (at < body.Length)
        {
            if (body[at] == PayloadMarker)
            {
                optionsLength = at;
                payloadStart = at + 1;
                return payloadStart == body.Length ? CoapFormatError.PayloadMissing : CoapFormatError.None;
            }

            var error = ReadHeader(body, ref at, ref number, out int length);
            if (error != CoapFormatError.None || length > body.Length - at)
            {
                optionsLength = payloadStart = 0;
                return error == CoapFormatError.None ? CoapFormatError.OptionTruncated : error;
            }

            at += length;
        }

        optionsLength = payloadStart = at;
        return CoapFormatError.None;
    }

    /// <summary>Reads an option's delta and length.</summary>
    /// <param name="bytes">The options.</param>
    /// <param name="at">Where the option begins; moved to its value.</param>
    /// <param name="number">The number of the option before; made this one's.</param>
    /// <param name="length">The value's length; it may reach past the end.</param>
    internal static CoapFormatError ReadHeader(ReadOnlySpan<byte> bytes, ref int at, ref int number, out int length)
    {
        int first = bytes[at++];
        length = 0;
        int delta = Extended(bytes, ref at, first >> 4);
        if (delta < 0)
        {
            return delta == Reserved ? CoapFormatError.OptionHeader : CoapFormatError.OptionTruncated;
        }

        length = Extended(bytes, ref at, first & 0xF);
        if (length < 0)
        {
            return length == Reserved ? CoapFormatError.OptionHeader : CoapFormatError.OptionTruncated;
        }

        number += delta;
        return number > MaxOptionNumber ? CoapFormatError.OptionNumber : CoapFormatError.None;
    }

    internal static string Describe(this CoapFormatError error) => error switch
    {
        CoapFormatError.None => "It is well-formed.",
        CoapFormatError.TooShort => "It is shorter than its header.",
        CoapFormatError.UnknownVersion => "Its version is not 1.",
        CoapFormatError.TokenLength => "Its token is longer than 8 bytes or than the message.",
        CoapFormatError.EmptyWithContent => "It is an empty message, but something follows its header.",
        CoapFormatError.OptionHeader => "An option's header uses the reserved value 15.",
        CoapFormatError.OptionTruncated => "An option reaches past the end.",
        CoapFormatError.OptionNumber => "An option's number is larger than 65,535.",
        CoapFormatError.PayloadMissing => "A payload marker stands at its end.",
        CoapFormatError.TooLong => "It is larger than the limit.",
        CoapFormatError.NoCapabilities => "It is the first one and no CSM.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private const int Reserved = -1;
    private const int Truncated = -2;

    private static int Extended(ReadOnlySpan<byte> bytes, ref int at, int nibble)
    {
        switch (nibble)
        {
            case 13 when at < bytes.Length:
                return bytes[at++] + 13;
            case 14 when at + 1 < bytes.Length:
                at += 2;
                return ((bytes[at - 2] << 8) | bytes[at - 1]) + 269;
            case 13 or 14:
                return Truncated;
            case 15:
                return Reserved;
            default:
                return nibble;
        }
    }
}

/// <summary>Walks over options that <see cref="CoapFormat.Check"/> found well-formed; nothing is allocated.</summary>
/// <param name="options">The options' bytes.</param>
internal ref struct CoapOptionReader(ReadOnlySpan<byte> options)
{
    private readonly ReadOnlySpan<byte> _options = options;
    private int _at;
    private int _number;

    /// <summary>The current option's number.</summary>
    internal readonly int Number => _number;

    /// <summary>The current option's value.</summary>
    internal ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Where the current value begins.</summary>
    internal int ValueStart { get; private set; }

    internal bool Next()
    {
        if (_at >= _options.Length)
        {
            return false;
        }

        var error = CoapFormat.ReadHeader(_options, ref _at, ref _number, out int length);
        System.Diagnostics.Debug.Assert(error == CoapFormatError.None && length <= _options.Length - _at, "Options are checked before they are read.");
        ValueStart = _at;
        Value = _options.Slice(_at, length);
        _at += length;
        return true;
    }

    /// <summary>The current value as a number of 0 to 4 bytes, most significant first; leading zeros count as RFC 7252, 3.2 asks.</summary>
    internal readonly uint UInt()
    {
        uint value = 0;
        foreach (byte b in Value)
        {
            value = (value << 8) | b;
        }

        return value;
    }
}
