using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What happens to results when the log on disk is full.</summary>
public enum WhenLogFull
{
    /// <summary>The sink waits for room: backpressure reaches the sources, and nothing is lost. The default.</summary>
    Wait,

    /// <summary>The oldest results make room, an eighth of the log at a time; each becomes a dead letter.</summary>
    DropOldest,
}

/// <summary>How results are kept on disk until they are forwarded.</summary>
public sealed record StoreAndForwardOptions
{
    /// <summary>How many bytes may wait. Default: 256 MiB.</summary>
    public long MaxBytes { get; init; } = 256 << 20;

    /// <summary>What happens when so many wait. Default: the sink waits for room.</summary>
    public WhenLogFull WhenFull { get; init; } = WhenLogFull.Wait;

    /// <summary>
    /// Whether a batch is on the disk before it counts as written. Default: yes; one flush serves a whole batch. Else a crash of the machine, not of the program, loses seconds.
    /// </summary>
    public bool FlushToDisk { get; init; } = true;

    /// <summary>How many results are forwarded at once, at most. Default: 1,024.</summary>
    public int BatchEvents { get; init; } = 1024;

    /// <summary>The first pause after a failure, of which half is random; doubled while failures go on. Default: 100 ms.</summary>
    public TimeSpan RetryMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause. Default: 30 seconds.</summary>
    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the end of the program waits for what can still be forwarded. Default: 2 seconds. The rest goes when it is started again.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(2);

    internal static StoreAndForwardOptions Check(StoreAndForwardOptions? options)
    {
        options ??= new StoreAndForwardOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBytes, 4096, nameof(MaxBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BatchEvents, 1, nameof(BatchEvents));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.RetryMin, TimeSpan.Zero, nameof(RetryMin));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RetryMax, options.RetryMin, nameof(RetryMax));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.DrainTimeout, TimeSpan.Zero, nameof(DrainTimeout));
        return options;
    }
}

/// <summary>A log's counters, read at one moment.</summary>
/// <param name="Stored">Results written to the log since the start.</param>
/// <param name="Forwarded">Results that the sink behind it took since the start.</param>
/// <param name="Waiting">Results in the log.</param>
/// <param name="WaitingBytes">The log's size in bytes.</param>
/// <param name="Dropped">Results that made room for others; they are dead letters.</param>
/// <param name="Rejected">Results that the sink behind it rejected; they are dead letters.</param>
/// <param name="DamagedBytes">Bytes of the log that could not be read when it was opened: what a crash cut off, or a disk lost.</param>
/// <param name="LastError">The last error of the sink behind it, until it succeeds; null where all is well.</param>
public sealed record StoreAndForwardStatistics(
    long Stored, long Forwarded, long Waiting, long WaitingBytes, long Dropped, long Rejected, long DamagedBytes, string? LastError);

/// <summary>Lets results wait on disk while a sink's peer is away.</summary>
public static class StoreAndForwardExtensions
{
    /// <summary>
    /// Writes results to a log on disk first, and from there to the sink, in order, when its peer is there. The result is durable whatever the sink is: a source's messages are
    /// acknowledged when their results are in the log. Each result reaches the sink at least once, also after a crash.
    /// </summary>
    /// <typeparam name="T">The result's type; it needs a codec (an <c>[Event]</c> type has one, others by <see cref="StateCodec.Register{T}"/>).</typeparam>
    /// <param name="sink">The sink; one that sends or writes elsewhere. It is given no identities: a table that upserts is better written directly.</param>
    /// <param name="folder">The log's folder, for this sink alone; made where it is not there.</param>
    /// <param name="options">Bounds and pauses; those of a new <see cref="StoreAndForwardOptions"/> where null.</param>
    /// <exception cref="ArgumentException">The sink is called inline, and never waits for anyone.</exception>
    public static StoreAndForwardSink<T> StoreAndForward<T>(this ISink<T> sink, string folder, StoreAndForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sink);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return sink is IAsyncSink<T> inner
            ? new StoreAndForwardSink<T>(inner, folder, StoreAndForwardOptions.Check(options))
            : throw new ArgumentException($"The sink '{sink.Name}' is called inline and has no peer that could be away.", nameof(sink));
    }
}
