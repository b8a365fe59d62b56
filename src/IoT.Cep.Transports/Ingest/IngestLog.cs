using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>All that an ingest endpoint writes to the log. Nothing per message and nothing per connection above Debug: who connects and fails all day must not fill a disk.</summary>
internal static partial class IngestLog
{
    [LoggerMessage(20, LogLevel.Information, "MQTT ingest endpoint: listens on {Address}:{Port}.")]
    internal static partial void Listens(ILogger logger, string address, int port);

    [LoggerMessage(21, LogLevel.Information, "MQTT ingest endpoint: listens when all its sources run; {Running} of {All} do.")]
    internal static partial void Waits(ILogger logger, int running, int all);

    [LoggerMessage(22, LogLevel.Information, "MQTT ingest endpoint: stopped.")]
    internal static partial void Stopped(ILogger logger);

    [LoggerMessage(23, LogLevel.Warning, "MQTT ingest endpoint: {Cut} connections cut and {Refused} requests refused in the last {Span}. The last one: {Client}: {Reason}.")]
    internal static partial void Trouble(ILogger logger, long cut, long refused, TimeSpan span, string client, string reason);

    [LoggerMessage(24, LogLevel.Debug, "MQTT ingest endpoint: {Client} ended: {Reason}.")]
    internal static partial void Ended(ILogger logger, string client, string reason);

    [LoggerMessage(26, LogLevel.Warning, "MQTT ingest endpoint: can't accept a connection: {Reason} Trying on.")]
    internal static partial void AcceptFailed(ILogger logger, string reason);
}
