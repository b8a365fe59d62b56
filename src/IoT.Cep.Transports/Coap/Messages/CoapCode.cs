using System.Globalization;

namespace IoT.Cep;

/// <summary>Methods, response codes and signals: three bits of class, five of detail (RFC 7252, 12.1; RFC 8323, 5).</summary>
internal enum CoapCode : byte
{
    Empty = 0,
    Get = 0x01,
    Post = 0x02,
    Put = 0x03,
    Delete = 0x04,
    Fetch = 0x05,
    Patch = 0x06,
    IPatch = 0x07,
    Created = 0x41,
    Deleted = 0x42,
    Valid = 0x43,
    Changed = 0x44,
    Content = 0x45,
    Continue = 0x5F,
    BadRequest = 0x80,
    Unauthorized = 0x81,
    BadOption = 0x82,
    Forbidden = 0x83,
    NotFound = 0x84,
    MethodNotAllowed = 0x85,
    NotAcceptable = 0x86,
    RequestEntityIncomplete = 0x88,
    PreconditionFailed = 0x8C,
    RequestEntityTooLarge = 0x8D,
    UnsupportedContentFormat = 0x8F,
    UnprocessableEntity = 0x96,
    TooManyRequests = 0x9D,
    InternalServerError = 0xA0,
    NotImplemented = 0xA1,
    ServiceUnavailable = 0xA3,
    GatewayTimeout = 0xA4,
    ProxyingNotSupported = 0xA5,
    Csm = 0xE1,
    Ping = 0xE2,
    Pong = 0xE3,
    Release = 0xE4,
    Abort = 0xE5,
}

/// <summary>What a code is.</summary>
internal static class CoapCodes
{
    internal static bool IsRequest(this CoapCode code) => (byte)code is > 0 and < 0x20;

    internal static bool IsResponse(this CoapCode code) => ((byte)code >> 5) is 2 or 4 or 5;

    internal static bool IsSignal(this CoapCode code) => (byte)code >> 5 == 7;

    internal static bool IsSuccess(this CoapCode code) => (byte)code >> 5 == 2;

    internal static bool IsClientError(this CoapCode code) => (byte)code >> 5 == 4;

    /// <summary>As the RFCs write it: <c>4.04</c>.</summary>
    /// <param name="code">The code.</param>
    internal static string Text(this CoapCode code) =>
        string.Create(CultureInfo.InvariantCulture, $"{(byte)code >> 5}.{(byte)code & 0x1F:00}");
}

/// <summary>How a datagram is meant (RFC 7252, 3).</summary>
internal enum CoapType : byte
{
    /// <summary>Wants an acknowledgement.</summary>
    Confirmable = 0,

    /// <summary>Wants none.</summary>
    NonConfirmable = 1,

    /// <summary>Acknowledges, and may carry the response.</summary>
    Acknowledgement = 2,

    /// <summary>Says that the message made no sense here.</summary>
    Reset = 3,
}
