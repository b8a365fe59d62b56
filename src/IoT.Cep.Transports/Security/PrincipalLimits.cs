namespace IoT.Cep;

/// <summary>How much one identity may ask of a listener, over all its connections. What goes past a limit is refused in the protocol's own way, counted, and logged once in a while.</summary>
public sealed record PrincipalLimits
{
    /// <summary>The limits of a listener that was given none.</summary>
    public static PrincipalLimits Default { get; } = new();

    /// <summary>How many messages a second, on average. Default: 10,000.</summary>
    public int MessagesPerSecond { get; init; } = 10_000;

    /// <summary>How many messages at once, before the average counts. Default: 20,000.</summary>
    public int Burst { get; init; } = 20_000;

    /// <summary>The longest payload, in bytes, decompressed. Default: 1 MiB.</summary>
    public int MaxPayloadBytes { get; init; } = 1 << 20;

    /// <summary>How many different topics or paths it may send to in an hour: each may become a key of a query. Default: 10,000.</summary>
    public int MaxTopics { get; init; } = 10_000;

    /// <summary>How many messages may be taken from it and not be acknowledged yet. Default: 1,000.</summary>
    public int MaxInFlight { get; init; } = 1_000;

    /// <summary>How many connections at once. Default: 100; those who did not say who they are share one identity and may have as many as the listener.</summary>
    public int MaxConnections { get; init; } = 100;

    /// <summary>How deep a payload may nest. Default: 32.</summary>
    public int MaxDepth { get; init; } = 32;

    /// <summary>How many times longer than what was sent a decompressed body may be. Default: 20, where sensor data reaches about 10.</summary>
    public int MaxDecompressionRatio { get; init; } = 20;
}
