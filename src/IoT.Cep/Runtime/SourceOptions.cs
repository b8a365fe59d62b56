namespace IoT.Cep;

/// <summary>What a source does while the queries do not keep up.</summary>
public enum BackpressureMode
{
    /// <summary>Waits: the transport takes no more from its peer. Nothing is lost. The default.</summary>
    Wait,

    /// <summary>Drops the oldest waiting events.</summary>
    DropOldest,

    /// <summary>Drops the newest message, with all its events.</summary>
    DropNewest,

    /// <summary>Stops the source with an error.</summary>
    Fail,
}

/// <summary>How a source is run.</summary>
public sealed class SourceOptions
{
    /// <summary>What to do while the queries do not keep up; <see cref="BackpressureMode.Wait"/> by default.</summary>
    /// <remarks>An event of a message that is acknowledged (QoS 1 and 2) becomes a dead letter before it is dropped.</remarks>
    public BackpressureMode Backpressure { get; set; } = BackpressureMode.Wait;

    /// <summary>
    /// How many events may wait while the queries do not keep up, in the modes that do not wait; 65,536 by default. In <see cref="BackpressureMode.Wait"/>
    /// the transport waits as soon as a batch of 1,024 (or fewer, where this is less) can't leave.
    /// </summary>
    public int CapacityEvents { get; set; } = 65_536;

    /// <summary>A batch leaves at the latest so long after its first event; 1 ms by default.</summary>
    public TimeSpan MaxBatchDelay { get; set; } = TimeSpan.FromMilliseconds(1);

    /// <summary>How many different texts (device names, units) are kept to be used again; 131,072 by default.</summary>
    public int PooledStrings { get; set; } = 131_072;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(CapacityEvents, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatchDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(PooledStrings, 4);
    }
}

/// <summary>A source's counters, read at one moment.</summary>
/// <param name="Name">The source's name.</param>
/// <param name="IsConnected">Whether its connection is up.</param>
/// <param name="Received">Messages delivered by the transport, redeliveries included; events for a source without messages.</param>
/// <param name="Events">Events decoded.</param>
/// <param name="Duplicates">Messages delivered again that had been taken before; not decoded again.</param>
/// <param name="DeadLetters">Messages and events that became dead letters at the source.</param>
/// <param name="Dropped">Events dropped by the backpressure mode, without those that became dead letters.</param>
/// <param name="Late">Events behind the watermark. They reach the queries all the same; windows that have closed do not take them.</param>
/// <param name="Unacknowledged">Messages that wait for a durable sink.</param>
/// <param name="LatestEventTime">The latest event time; null before the first event.</param>
public sealed record SourceStatistics(
    string Name, bool IsConnected, long Received, long Events, long Duplicates, long DeadLetters, long Dropped, long Late, int Unacknowledged,
    DateTimeOffset? LatestEventTime);
