using System.Net;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>All that DTLS writes to the log.</summary>
internal static partial class CoapDtlsLog
{
    [LoggerMessage(30, LogLevel.Information, "DTLS: the handshake with {Address} failed: {Reason}")]
    internal static partial void HandshakeFailed(ILogger logger, IPEndPoint address, string reason);
}
