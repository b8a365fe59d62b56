using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>All that TCP, UDP and files write to the log. Nothing per message; nothing from a peer that is not escaped.</summary>
internal static partial class SocketLog
{
    [LoggerMessage(20, LogLevel.Information, "{Name}: listens on {Address}.")]
    internal static partial void Listening(ILogger logger, string name, string address);

    [LoggerMessage(21, LogLevel.Warning, "{Name}: {Peer} was refused: {Reason} {Count} so far.")]
    internal static partial void Refused(ILogger logger, string name, string peer, string reason, long count);

    [LoggerMessage(22, LogLevel.Debug, "{Name}: the connection from {Peer} ended: {Reason}")]
    internal static partial void Ended(ILogger logger, string name, string peer, string reason);

    [LoggerMessage(23, LogLevel.Warning, "{Name}: not connected to {Host}:{Port}: {Reason} Next attempt in {Pause}.")]
    internal static partial void Lost(ILogger logger, string name, string host, int port, string reason, TimeSpan pause);

    [LoggerMessage(24, LogLevel.Warning, "{Name}: the position in {File} can't be kept: {Reason}")]
    internal static partial void PositionNotKept(ILogger logger, string name, string file, string reason);

    [LoggerMessage(25, LogLevel.Information, "{Name}: {What}")]
    internal static partial void FileChanged(ILogger logger, string name, string what);
}
