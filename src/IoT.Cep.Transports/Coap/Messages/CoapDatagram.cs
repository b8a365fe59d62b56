using System.Buffers.Binary;

namespace IoT.Cep;

/// <summary>One message as it stands in a datagram (RFC 7252, 3): a view of the bytes, nothing is copied.</summary>
internal ref struct CoapDatagram
{
    internal const int HeaderLength = 4;

    internal CoapType Type;
    internal CoapCode Code;
    internal ushort MessageId;
    internal CoapToken Token;

    /// <summary>The options' bytes, well-formed.</summary>
    internal ReadOnlySpan<byte> Options;
    internal ReadOnlySpan<byte> Payload;

    /// <summary>Reads a datagram. Where it fails behind the header, type and message id are set all the same: a reset can name them.</summary>
    /// <param name="bytes">The datagram.</param>
    /// <param name="message">The message.</param>
    internal static CoapFormatError Parse(ReadOnlySpan<byte> bytes, out CoapDatagram message)
    {
        message = default;
        if (bytes.Length < HeaderLength)
        {
            return CoapFormatError.TooShort;
        }

        if (bytes[0] >> 6 != 1)
        {
            return CoapFormatError.UnknownVersion;
        }

        message.Type = (CoapType)((bytes[0] >> 4) & 3);
        message.Code = (CoapCode)bytes[1];
        message.MessageId = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        int tokenLength = bytes[0] & 0xF;
        if (message.Code == CoapCode.Empty)
        {
            return bytes.Length > HeaderLength || tokenLength != 0 ? CoapFormatError.EmptyWithContent : CoapFormatError.None;
        }

        if (tokenLength > CoapToken.MaxLength || HeaderLength + tokenLength > bytes.Length)
        {
            return CoapFormatError.TokenLength;
        }

        message.Token = CoapToken.Read(bytes.Slice(HeaderLength, tokenLength));
        var body = bytes[(HeaderLength + tokenLength)..];
        var error = CoapFormat.Check(body, out int optionsLength, out int payloadStart);
        if (error == CoapFormatError.None)
        {
            message.Options = body[..optionsLength];
            message.Payload = body[payloadStart..];
        }

        return error;
    }

    /// <summary>How many bytes a message takes.</summary>
    /// <param name="token">Its token.</param>
    /// <param name="options">Its options, encoded.</param>
    /// <param name="payload">Its payload.</param>
    internal static int Measure(CoapToken token, ReadOnlySpan<byte> options, ReadOnlySpan<byte> payload) =>
        HeaderLength + token.Length + options.Length + (payload.IsEmpty ? 0 : 1 + payload.Length);

    /// <summary>Writes a message and returns its length.</summary>
    /// <param name="output">Has room for <see cref="Measure"/> bytes.</param>
    /// <param name="type">How it is meant.</param>
    /// <param name="code">Method or response code.</param>
    /// <param name="messageId">Its id.</param>
    /// <param name="token">Its token.</param>
    /// <param name="options">Its options, encoded.</param>
    /// <param name="payload">Its payload.</param>
    internal static int Write(
        Span<byte> output, CoapType type, CoapCode code, ushort messageId, CoapToken token, ReadOnlySpan<byte> options, ReadOnlySpan<byte> payload)
    {
        output[0] = (byte)((1 << 6) | ((int)type << 4) | token.Length);
        output[1] = (byte)code;
        BinaryPrimitives.WriteUInt16BigEndian(output[2..], messageId);
        int at = HeaderLength;
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

    /// <summary>Writes a message without a code: an acknowledgement, a reset, a ping.</summary>
    /// <param name="output">Has room for four bytes.</param>
    /// <param name="type">How it is meant.</param>
    /// <param name="messageId">The id.</param>
    internal static int WriteEmpty(Span<byte> output, CoapType type, ushort messageId) =>
        Write(output, type, CoapCode.Empty, messageId, default, default, default);
}
