using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>How an engine runs.</summary>
public sealed class CepEngineOptions
{
    /// <summary>How many events an operator holds to put them in order where nothing else is said: as many as it may have keys.</summary>
    internal const int DefaultMaxHeldEvents = 1_000_000;

    /// <summary>How many shards keyed work is spread over; 1 by default: everything then runs on the threads that bring the events.</summary>
    public int Shards { get; set; } = 1;

    /// <summary>What happens when the user's code throws, where a query does not say; <see cref="ErrorPolicy.Stop"/> by default.</summary>
    public ErrorPolicy ErrorPolicy { get; set; } = ErrorPolicy.Stop;

    /// <summary>
    /// How many events an operator that needs them in order of time (patterns, absence, windows per event and by events, the verbs that need order) holds
    /// while the watermark does not reach them, on each shard; 1,000,000 by default, in place too. An event and 28 bytes each.
    /// </summary>
    /// <remarks>
    /// Of one more, the earliest is taken before its time and counted in <see cref="Query.OverflowedEvents"/>; what comes later and is earlier than it is late
    /// for that operator and what is behind it, and counted in <see cref="Query.LateEvents"/>. <c>Reorder</c> has a bound and a policy of its own.
    /// </remarks>
    public int MaxHeldEvents { get; set; } = DefaultMaxHeldEvents;

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
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxHeldEvents, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }
}
