namespace IoT.Cep.Extensibility;

/// <summary>Where a query's results go: either an <see cref="IInlineSink{T}"/> or an <see cref="IAsyncSink{T}"/>.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public interface ISink<T>
{
    /// <summary>What it is, for metrics and messages; also the default name of the query that ends here: <c>sqlite summaries</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Whether it takes results back: it is then given identities and kinds, and must remove the result of an identity whose kind is
    /// <see cref="EventKind.Retract"/>. A query that may take results back refuses any other sink when it is built.
    /// </summary>
    /// <remarks>
    /// There may be no result of that identity: a condition behind a window does not know whether the result that a correction replaces had passed, and after
    /// a restart it may have been lost. The sink does nothing then. The value beside a <see cref="EventKind.Retract"/> may be the type's default.
    /// </remarks>
    bool TakesRetractions => false;
}

/// <summary>A sink that is called on the shard's thread, batch by batch. It must not block.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public interface IInlineSink<T> : ISink<T>
{
    /// <summary>
    /// Whether results should carry their identity and kind (<see cref="Batch{T}.Ids"/>, <see cref="Batch{T}.Kinds"/>), and an
    /// <see cref="EventKind.Update"/> replaces the result of its identity. By default not: then a stream that may correct its results refuses the sink when
    /// the query is built, since it would take each correction for a result of its own. <see cref="ISink{T}.TakesRetractions"/> asks for them as well.
    /// </summary>
    bool UsesIdentity => false;

    /// <summary>
    /// Takes a batch of results; copy what must be kept. Throwing means that none of it was taken: each result is then given again by itself, and the
    /// one that fails alone is the query's error.
    /// </summary>
    /// <param name="batch">The results.</param>
    void Write(in Batch<T> batch);

    /// <summary>No result before this time is expected any more.</summary>
    /// <param name="ticks">100 ns ticks since 1970-01-01 UTC.</param>
    void Advance(long ticks)
    {
    }

    /// <summary>There are no more results.</summary>
    void Complete()
    {
    }
}

/// <summary>
/// A sink that writes elsewhere: the engine gives it a bounded queue and a loop of its own, gathers results into batches,
/// tries again when it throws, and acknowledges messages when it returns.
/// </summary>
/// <typeparam name="T">The result's type.</typeparam>
public interface IAsyncSink<T> : ISink<T>, IAsyncDisposable
{
    /// <summary>Whether what <see cref="WriteAsync"/> wrote survives a crash: messages that reach only such sinks are acknowledged by them.</summary>
    bool IsDurable { get; }

    /// <summary>Whether results should carry their identity.</summary>
    bool UsesIdentity { get; }

    /// <summary>
    /// Looks for what no later attempt can heal (a table that does not fit, a connection that was never declared), before anything runs, and throws
    /// <see cref="SinkConfigurationException"/> for it: the engine does not start. Any other exception is left to <see cref="OpenAsync"/>, which is
    /// tried again: a file that is locked or a broker that is away now must not fail the start. By default nothing is looked at.
    /// </summary>
    /// <remarks>
    /// Changes nothing, does not wait for a network, and leaves nothing open. For a query declared after the start it is called on the sink's loop,
    /// and what it throws fails that query alone.
    /// </remarks>
    /// <param name="context">Clock, connections, log, and what results will come.</param>
    /// <param name="stop">Gives up.</param>
    ValueTask CheckAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

    /// <summary>Connects. Throwing means: try again later, with backoff.</summary>
    /// <param name="context">Clock, connections, log, and what results will come.</param>
    /// <param name="stop">Gives up.</param>
    ValueTask OpenAsync(SinkContext context, CancellationToken stop);

    /// <summary>
    /// Writes a batch: when it returns, all of it is in place. Throws <see cref="SinkRejectedException"/> for a row
    /// that can never be written (it becomes a dead letter; the rows before it and those behind it are given again as two batches); any other exception
    /// means: try again later. Either way the sink leaves nothing half done, or says by <see cref="SinkBatch{T}.MarkWritten"/> which rows are in place.
    /// </summary>
    /// <param name="batch">The results.</param>
    /// <param name="stop">Gives up.</param>
    ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop);
}

/// <summary>Results on their way to an <see cref="IAsyncSink{T}"/>: columns of equal length.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public sealed class SinkBatch<T>
{
    private bool[]? _written;

    /// <summary>The results.</summary>
    public ReadOnlyMemory<T> Events { get; init; }

    /// <summary>Their times: 100 ns ticks since 1970-01-01 UTC.</summary>
    public ReadOnlyMemory<long> Ticks { get; init; }

    /// <summary>Their identities; empty where they have none or the sink does not use them.</summary>
    public ReadOnlyMemory<ResultId> Ids { get; init; }

    /// <summary>
    /// Whether each is new, replaces the result of its identity, or takes it back; empty where all are new. A store that acts on identities upserts
    /// the first two and deletes at the third.
    /// </summary>
    public ReadOnlyMemory<EventKind> Kinds { get; init; }

    /// <summary>How many results.</summary>
    public int Length => Events.Length;

    /// <summary>
    /// A row is in place: should this write fail in the end, it counts as written and is not given again. For sinks that can't write a batch as a whole,
    /// such as one that sends messages; the others have no need of it.
    /// </summary>
    /// <param name="row">The row's index in this batch.</param>
    public void MarkWritten(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Length, nameof(row));
        (_written ??= new bool[Length])[row] = true;
    }

    /// <summary>Whether the sink said that a row is in place (<see cref="MarkWritten"/>).</summary>
    /// <param name="row">The row's index in this batch.</param>
    public bool IsWritten(int row) => _written is not null && _written[row];
}

/// <summary>A row that a sink can never write.</summary>
#pragma warning disable CA1032 // the row is what it is for
public sealed class SinkRejectedException : Exception
#pragma warning restore CA1032
{
    /// <summary>Rejects a row.</summary>
    /// <param name="row">The row's index in the batch.</param>
    /// <param name="message">What is wrong with it.</param>
    /// <param name="inner">The store's own error.</param>
    public SinkRejectedException(int row, string message, Exception? inner = null)
        : base(message, inner) => Row = row;

    /// <summary>The row's index in the batch.</summary>
    public int Row { get; }
}

/// <summary>A sink is set up in a way that can never work: the engine does not start with it.</summary>
#pragma warning disable CA1032 // without the remedy it helps nobody
public sealed class SinkConfigurationException : Exception
#pragma warning restore CA1032
{
    /// <summary>Refuses a configuration.</summary>
    /// <param name="message">What is wrong and what to do about it; the engine puts the query's and the sink's name in front.</param>
    /// <param name="inner">The store's own error.</param>
    public SinkConfigurationException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
