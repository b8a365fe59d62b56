using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>Every log event of the library in one place. Texts that a device may have had a hand in are escaped before they come here.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Engine started: {Sources} sources, {Queries} queries, {Shards} shards")]
    internal static partial void Started(ILogger logger, int sources, int queries, int shards);

    [LoggerMessage(2, LogLevel.Information, "Engine stopped")]
    internal static partial void Stopped(ILogger logger);

    [LoggerMessage(3, LogLevel.Information, "Source {Source} connected: {Connected} {Detail}")]
    internal static partial void ConnectionChanged(ILogger logger, string source, bool connected, string detail);

    [LoggerMessage(4, LogLevel.Error, "Source {Source} failed")]
    internal static partial void SourceFailed(ILogger logger, Exception error, string source);

    [LoggerMessage(5, LogLevel.Error, "Query {Query} stopped: {Detail}")]
    internal static partial void QueryStopped(ILogger logger, string query, string detail);

    [LoggerMessage(6, LogLevel.Warning, "Sink {Sink} of query {Query} tries again in {Delay}: {Detail}")]
    internal static partial void SinkRetries(ILogger logger, string sink, string query, TimeSpan delay, string detail);

    [LoggerMessage(7, LogLevel.Warning, "Sink {Sink} was given up with {Waiting} results not written")]
    internal static partial void SinkAbandoned(ILogger logger, string sink, int waiting);

    [LoggerMessage(9, LogLevel.Error, "Source {Source} could not acknowledge a message")]
    internal static partial void AcknowledgerFailed(ILogger logger, Exception error, string source);

    [LoggerMessage(10, LogLevel.Error, "Sink {Sink} failed for good")]
    internal static partial void SinkFailed(ILogger logger, Exception error, string sink);

    [LoggerMessage(11, LogLevel.Warning, "Sink {Sink} of query {Query} could not be checked now and will be opened all the same: {Detail}")]
    internal static partial void SinkNotChecked(ILogger logger, string sink, string query, string detail);

    [LoggerMessage(8, LogLevel.Error, "Shard {Stage} failed")]
    internal static partial void StageFailed(ILogger logger, Exception error, string stage);
}
