using System.Buffers.Binary;

namespace IoT.Cep;

/// <summary>One message as it stands in a stream, without its length (RFC 8323, 3.2): code, token, options, payload. A view of the bytes.</summary>
internal ref struct CoapFrame
{
    /// <summary>What a peer takes that has not said more (RFC 8323, 5.3.1).</summary>
    internal const int BaseMessageBytes = 1152;

    /// <summary>The longest header: length and token length, four bytes of length, code, token.</summary>
    internal const int MaxHeaderBytes = 6 + CoapToken.MaxLength;

    internal CoapCode Code;
    internal CoapToken Token;
    internal ReadOnlySpan<byte> Options;
    internal ReadOnlySpan<byte> Payload;

    internal static CoapFormatError Parse(int tokenLength, ReadOnlySpan<byte> bytes, out CoapFrame frame)
    {
        frame = default;
        if (bytes.IsEmpty)
        {
            return CoapFormatError.TooShort;
        }

        if (tokenLength > CoapToken.MaxLength || 1 + tokenLength > bytes.Length)
        {
            return CoapFormatError.TokenLength;
        }

        frame.Code = (CoapCode)bytes[0];
        frame.Token = CoapToken.Read(bytes.Slice(1, tokenLength));
        var body = bytes[(1 + tokenLength)..];
        var error = CoapFormat.Check(body, out int optionsLength, out int payloadStart);
        if (error == CoapFormatError.None)
        {
            frame.Options = body[..optionsLength];
            frame.Payload = body[payloadStart..];
        }

        return error;
    }

    /// <summary>Reads a frame's length; false: more bytes are needed.</summary>
    /// <param name="bytes">The first bytes.</param>
    /// <param name="headerLength">How many bytes stand before the code.</param>
    /// <param name="frameLength">How many bytes the whole frame has.</param>
    internal static bool TryMeasure(ReadOnlySpan<byte> bytes, out int headerLength, out long frameLength)
    {
        headerLength = 0;
        frameLength = 0;
        if (bytes.IsEmpty)
        {
            return false;
        }

        int nibble = bytes[0] >> 4;
        int extended = nibble switch { 13 => 1, 14 => 2, 15 => 4, _ => 0 };
        if (bytes.Length < 1 + extended)
        {
            return false;
        }

        long length = nibble switch
        {
            13 => 13 + bytes[1],
            14 => 269 + BinaryPrimitives.ReadUInt16BigEndian(bytes[1..]),
            15 => 65_805L + BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]),
            _ => nibble,
        };
        headerLength = 1 + extended;
        frameLength = headerLength + 1 + (bytes[0] & 0xF) + length;
        return true;
    }

    /// <summary>How many bytes options, marker and payload take.</summary>
    /// <param name="options">The options.</param>
    /// <param name="payload">The payload.</param>
    internal static int MeasureBody(ReadOnlySpan<byte> options, ReadOnlySpan<byte> payload) => options.Length + (payload.IsEmpty ? 0 : 1 + payload.Length);

    /// <summary>Writes a frame and gives its length.</summary>
    /// <param name="output">Has room for <see cref="MaxHeaderBytes"/> and the body.</param>
    /// <param name="hasLength">Whether the length is written; a WebSocket's message has one of its own.</param>
    /// <param name="code">The code.</param>
    /// <param name="token">The token.</param>
    /// <param name="options">The options.</param>
    /// <param name="payload">The payload.</param>
    internal static int Write(Span<byte> output, bool hasLength, CoapCode code, CoapToken token, ReadOnlySpan<byte> options, ReadOnlySpan<byte> payload)
    {
        int length = hasLength ? MeasureBody(options, payload) : 0;
        int at = 1;
        int nibble;
        switch (length)
        {
            case < 13:
                nibble = length;
                break;
            case < 269:
                nibble = 13;
                output[at++] = (byte)(length - 13);
                break;
            case < 65_805:
                nibble = 14;
                BinaryPrimitives.WriteUInt16BigEndian(output[at..], (ushort)(length - 269));
                at += 2;
                break;
            default:
                nibble = 15;
                BinaryPrimitives.WriteUInt32BigEndian(output[at..], (uint)(length - 65_805));
                at += 4;
                break;
        }

        output[0] = (byte)((nibble << 4) | token.Length);
        output[at++] = (byte)code;
        token.Write(output[at..]);
        at += token.Length;
        options.CopyTo(output[at..]);
        at += options.Length;
        if (!payload.IsEmpty)
        {
            output[at++] = CoapFormat.PayloadMarker;
            payload.CopyTo(output[at..]);
            at += payload.Length;
        }

        return at;
    }
}

/// <summary>Carries frames: a TCP or TLS connection, or a WebSocket.</summary>
internal interface ICoapFrames : IAsyncDisposable
{
    /// <summary>Whether frames have their length written in front.</summary>
    bool HasLength { get; }

    /// <summary>The next frame; null: the other side has closed. Valid until the next call.</summary>
    /// <param name="maxBytes">The largest frame.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="CoapFrameException">It is too long, or no frame.</exception>
    ValueTask<(int TokenLength, ReadOnlyMemory<byte> Bytes)?> ReadAsync(int maxBytes, CancellationToken stop);

    /// <summary>Sends a frame; one at a time.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="stop">Gives up; the connection is of no more use then.</param>
    ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken stop);
}

/// <summary>What came is no frame that can be gone on behind: the connection ends.</summary>
/// <param name="error">What is wrong.</param>
#pragma warning disable CA1032 // made here only
internal sealed class CoapFrameException(CoapFormatError error) : IOException($"A message can't be read: {error.Describe()}")
#pragma warning restore CA1032
{
    internal CoapFormatError Error => error;
}
