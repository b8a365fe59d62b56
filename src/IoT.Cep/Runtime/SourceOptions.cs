using System.Globalization;
using System.Text;

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

    /// <summary>
    /// How far one partition of the source may be ahead of the slowest other one in event time; one day by default. One that is further ahead takes no
    /// more from its peer until the others have caught up, have been silent for the idle bound, or have ended: what open windows hold stays bounded.
    /// </summary>
    /// <remarks>
    /// Looked at before each batch, so it may be exceeded by what one batch of up to 1,024 events spans. Only in <see cref="BackpressureMode.Wait"/>: the other
    /// modes would drop what is merely early.
    /// </remarks>
    public TimeSpan MaxLead { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How many partitions may be open at a time; 1,024 by default. One more is an error in the source.</summary>
    public int MaxPartitions { get; set; } = 1024;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(MaxLead, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPartitions, 1);
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
    DateTimeOffset? LatestEventTime)
{
    /// <summary>No event before this is expected any more; null before the first one. The least of the partitions, and of the queries' timings.</summary>
    public DateTimeOffset? Watermark { get; init; }

    /// <summary>How often a partition was paused because it ran ahead of the others (<see cref="SourceOptions.MaxLead"/>).</summary>
    public long Pauses { get; init; }

    /// <summary>The open partitions; a source without partitions is one.</summary>
    public IReadOnlyList<PartitionStatistics> Partitions { get; init; } = [];

    private bool PrintMembers(StringBuilder builder)
    {
        builder.Append(CultureInfo.InvariantCulture, $"Name = {Name}, IsConnected = {IsConnected}, Received = {Received}, Events = {Events}, Duplicates = {Duplicates}, ")
            .Append(CultureInfo.InvariantCulture, $"DeadLetters = {DeadLetters}, Dropped = {Dropped}, Late = {Late}, Unacknowledged = {Unacknowledged}, ")
            .Append(CultureInfo.InvariantCulture, $"LatestEventTime = {LatestEventTime:O}, Watermark = {Watermark:O}, Pauses = {Pauses}, ")
            .Append("Partitions = [").AppendJoin(", ", Partitions).Append(']');
        return true;
    }
}

/// <summary>What one partition of a source counted, read at one moment.</summary>
/// <param name="Name">The partition's name; the source's where it has no partitions.</param>
/// <param name="IsConnected">Whether its connection is up.</param>
/// <param name="IsPaused">Whether it is too far ahead of the others and waits for them.</param>
/// <param name="Pauses">How often it was.</param>
/// <param name="Events">Events decoded.</param>
/// <param name="LatestEventTime">Its latest event time; null before the first event.</param>
/// <param name="Watermark">Its own watermark; null before the first event.</param>
public sealed record PartitionStatistics(
    string Name, bool IsConnected, bool IsPaused, long Pauses, long Events, DateTimeOffset? LatestEventTime, DateTimeOffset? Watermark);
