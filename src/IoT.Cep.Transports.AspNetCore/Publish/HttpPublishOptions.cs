namespace IoT.Cep;

/// <summary>What becomes of a client that takes results more slowly than they come.</summary>
public enum SlowClient
{
    /// <summary>It does not get the oldest ones, and is told how many.</summary>
    DropOldest,

    /// <summary>Its connection ends; when it comes back it may ask for what is still kept.</summary>
    Disconnect,
}

/// <summary>How results are sent to those who listen.</summary>
public sealed class HttpPublishOptions
{
    /// <summary>How many results are kept for clients that are slow or come back; 1,024 by default. All clients share them.</summary>
    public int KeptResults { get; set; } = 1024;

    /// <summary>How many bytes these may have together; 16 MiB by default. Beyond it fewer are kept.</summary>
    public long KeptBytes { get; set; } = 16L << 20;

    /// <summary>What becomes of a client that falls behind what is kept; <see cref="SlowClient.DropOldest"/> by default.</summary>
    public SlowClient SlowClient { get; set; } = SlowClient.DropOldest;

    /// <summary>How many may listen at a time; 1,000 by default. One more is answered by 503.</summary>
    public int MaxClients { get; set; } = 1000;

    /// <summary>How often something is sent to a client when there are no results, so that proxies keep the connection and a client that has gone is found out; 15 seconds by default.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(KeptResults, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(KeptBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxClients, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Heartbeat, TimeSpan.Zero);
    }
}
