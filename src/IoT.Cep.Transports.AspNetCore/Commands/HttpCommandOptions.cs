namespace IoT.Cep;

/// <summary>How commands are kept for their devices.</summary>
public sealed class HttpCommandOptions
{
    /// <summary>How many commands may wait for one device; 16 by default. One more is a dead letter.</summary>
    public int MaxPerDevice { get; set; } = 16;

    /// <summary>How many devices may have commands waiting; 100,000 by default. A command for one more is a dead letter.</summary>
    public int MaxDevices { get; set; } = 100_000;

    /// <summary>How long a command waits to be acknowledged; 1 hour by default. Later it is forgotten and counted: a pump should not start because of yesterday.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The longest that a request may wait for a command; 60 seconds by default. Proxies and mobile networks cut off what is silent for longer.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How many requests may wait for commands at a time; 10,000 by default. One more is answered by 503.</summary>
    public int MaxWaiting { get; set; } = 10_000;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPerDevice, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDevices, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(TimeToLive, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWait, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWaiting, 1);
    }
}
