using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>What listeners' security writes to the log: names escaped, no secret, and what a client can cause at most once in a while.</summary>
internal static partial class SecurityLog
{
    [LoggerMessage(20, LogLevel.Warning, "'{Principal}' went past its limit of {Limit}; {Count} refusals since the last such line.")]
    internal static partial void Limited(ILogger logger, string principal, string limit, long count);

    [LoggerMessage(21, LogLevel.Error, "The {Function} function of ListenerSecurity failed, and the client was refused.")]
    internal static partial void Failed(ILogger logger, Exception error, string function);

    [LoggerMessage(22, LogLevel.Information, "'{Principal}' was revoked; {Count} connections were closed.")]
    internal static partial void Revoked(ILogger logger, string principal, int count);

    [LoggerMessage(23, LogLevel.Warning, "The keys of tokens could not be read from {Address}: {Reason} The keys of before are used until {Until}.")]
    internal static partial void NoKeys(ILogger logger, string address, string reason, DateTimeOffset until);
}
