using System.Net;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>All that CoAP writes to the log. Nothing per message; nothing from a device that is not escaped.</summary>
internal static partial class CoapLog
{
    [LoggerMessage(20, LogLevel.Information, "{Name}: listens on {Address}, UDP {Port}, DTLS {DtlsPort}, TCP {TcpPort}, TLS {TlsPort} (0: not).")]
    internal static partial void Listening(ILogger logger, string name, IPAddress address, int port, int dtlsPort, int tcpPort, int tlsPort);

    [LoggerMessage(21, LogLevel.Information, "{Name}: observes.")]
    internal static partial void Observes(ILogger logger, string name);

    [LoggerMessage(22, LogLevel.Warning, "{Name}: not connected: {Reason} Next attempt in {Pause}.")]
    internal static partial void Lost(ILogger logger, string name, string reason, TimeSpan pause);

    [LoggerMessage(23, LogLevel.Debug, "{Name}: could not say goodbye: {Reason}")]
    internal static partial void NoGoodbye(ILogger logger, string name, string reason);

    [LoggerMessage(24, LogLevel.Warning, "{Name}: a connection was refused: {Reason}")]
    internal static partial void Refused(ILogger logger, string name, string reason);
}
