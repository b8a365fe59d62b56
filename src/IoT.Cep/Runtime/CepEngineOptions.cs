using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>How an engine runs.</summary>
public sealed class CepEngineOptions
{
    /// <summary>How many shards keyed work is spread over; 1 by default: everything then runs on the threads that bring the events.</summary>
    public int Shards { get; set; } = 1;

    /// <summary>What happens when the user's code throws, where a query does not say; <see cref="ErrorPolicy.Stop"/> by default.</summary>
    public ErrorPolicy ErrorPolicy { get; set; } = ErrorPolicy.Stop;

    /// <summary>The clock; the system's by default.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>How long stopping waits for sinks to write what they hold; 30 s by default.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Where log events go; nowhere by default.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>The section that holds connection options; the host's <c>IoT.Cep</c> section where there is a host.</summary>
    public IConfiguration? Configuration { get; set; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Shards, StableHash.KeyGroups);
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }
}
