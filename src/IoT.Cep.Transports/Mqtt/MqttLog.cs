using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>All that this package writes to the log. Nothing per message; nothing from a device that is not escaped.</summary>
internal static partial class MqttLog
{
    [LoggerMessage(1, LogLevel.Information, "{Name}: connected to {Host}:{Port}, session {Session}.")]
    internal static partial void Connected(ILogger logger, string name, string host, int port, string session);

    [LoggerMessage(2, LogLevel.Warning, "{Name}: not connected to {Host}:{Port}: {Reason} Next attempt in {Pause}.")]
    internal static partial void Lost(ILogger logger, string name, string host, int port, string reason, TimeSpan pause);

    [LoggerMessage(3, LogLevel.Debug, "{Name}: could not say goodbye to the broker: {Reason}")]
    internal static partial void NoGoodbye(ILogger logger, string name, string reason);

    [LoggerMessage(4, LogLevel.Debug, "{Name}: could not publish to {Topic}: {Reason}")]
    internal static partial void NoReply(ILogger logger, string name, string topic, string reason);
}
