using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace IoT.Cep.Extensibility;

/// <summary>Where events come from. Made by a transport with a decoder (<see cref="Source.FromTransport"/>), or from memory.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public interface ISource<T>
{
    /// <summary>What it is, for metrics and messages.</summary>
    string Name { get; }

    /// <summary>Whether it ends by itself: a bounded source is never idle and has no far future.</summary>
    bool IsBounded { get; }

    /// <summary>
    /// Whether it writes to partitions (<see cref="SourceWriter{T}.OpenPartition"/>): one for each connection or file whose events are in an order of their
    /// own. False by default: the source is its one partition.
    /// </summary>
    bool IsPartitioned => false;

    /// <summary>Runs until it is stopped or ends.</summary>
    /// <param name="writer">Where events go.</param>
    /// <param name="context">Clock, connections and log.</param>
    /// <param name="stop">Stops it.</param>
    Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop);
}

/// <summary>Where a source puts its events; implemented by the engine.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public abstract class SourceWriter<T>
{
    private protected SourceWriter()
    {
    }

    /// <summary>
    /// Pushes events through the queries, on the caller's thread where the engine has one shard. The memory is free when the
    /// returned task completes, and that is also when the next call is allowed.
    /// </summary>
    /// <param name="events">The events.</param>
    /// <param name="ticks">Their times (100 ns ticks since 1970-01-01 UTC), or empty: the query's selector gives them.</param>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks);

    /// <summary>Takes messages instead of events: each is decoded into the current batch.</summary>
    /// <param name="decoder">The decoder.</param>
    public abstract IPayloadReceiver Decode(Decoder<T> decoder);

    /// <summary>
    /// Opens a partition: it has its own watermark, its own idle time and its own backpressure, and the source's watermark is the least of its
    /// partitions'. Those that are there before the first event are waited for, for the idle bound; one that opens later has a say from its first event on.
    /// </summary>
    /// <remarks>
    /// A partition that runs ahead of the others by more than <see cref="SourceOptions.MaxLead"/> is paused: its call does not complete until they have
    /// caught up. So each partition needs a loop of its own; one loop that writes to several in turn may wait for itself.
    /// </remarks>
    /// <param name="name">What it is, for metrics and messages: a file's name, a peer's address.</param>
    /// <exception cref="InvalidOperationException">The source is not partitioned, or has as many partitions open as its options allow.</exception>
    public abstract SourceWriter<T> OpenPartition(string name);

    /// <summary>Ends this partition, when all it was given has been pushed: the others no longer wait for its time. Nothing may be written to it any more.</summary>
    public abstract ValueTask ClosePartitionAsync();

    /// <summary>One subscription is made; a start waits for as many as <see cref="IAwaitedSource"/> says.</summary>
    internal virtual void OnListening()
    {
    }
}

/// <summary>What a transport, source or sink may use of the engine that runs it.</summary>
/// <param name="TimeProvider">The clock.</param>
/// <param name="Connections">Named connection options.</param>
/// <param name="Logger">The log; never write what a device sent without <see cref="SafeText"/>.</param>
public record ConnectionContext(TimeProvider TimeProvider, Connections Connections, ILogger Logger);

/// <summary>What a sink may use of the engine, and what it is going to get.</summary>
/// <param name="TimeProvider">The clock.</param>
/// <param name="Connections">Named connection options.</param>
/// <param name="Logger">The log.</param>
/// <param name="HasIdentity">Whether its results carry their identity, so that a store can make the table before the first one comes.</param>
public sealed record SinkContext(TimeProvider TimeProvider, Connections Connections, ILogger Logger, bool HasIdentity)
    : ConnectionContext(TimeProvider, Connections, Logger)
{
    /// <summary>Makes a dead letter of a result that a sink gives up later than in its <see cref="IAsyncSink{T}.WriteAsync"/>: reason, what was wrong, the result. Null outside an engine.</summary>
    public Action<DeadLetterReason, string, object?>? DeadLetter { get; init; }
}

/// <summary>Named connection options: <c>cep.Mqtt(o =&gt; ...)</c> puts them in, transports and stores take them out when they start.</summary>
/// <param name="configuration">The host's configuration, section <c>IoT.Cep</c>; null without a host.</param>
public sealed class Connections(IConfiguration? configuration = null)
{
    private readonly Dictionary<(Type Type, string Name), object> _options = [];

    /// <summary>The name of the connection that is meant where none is named.</summary>
    public const string Default = "default";

    /// <summary>Sets a connection's options.</summary>
    /// <typeparam name="TOptions">The kind of connection.</typeparam>
    /// <param name="options">The options.</param>
    /// <param name="name">The connection's name.</param>
    public void Set<TOptions>(TOptions options, string name = Default)
        where TOptions : class => _options[(typeof(TOptions), name)] = options;

    /// <summary>A connection's options, or null where none of this name were set.</summary>
    /// <typeparam name="TOptions">The kind of connection.</typeparam>
    /// <param name="name">The connection's name.</param>
    public TOptions? Find<TOptions>(string name = Default)
        where TOptions : class => _options.GetValueOrDefault((typeof(TOptions), name)) as TOptions;

    /// <summary>The host's configuration of one connection (<c>IoT.Cep:Mqtt:default</c>), or null without a host.</summary>
    /// <param name="kind">The kind of connection: <c>Mqtt</c>.</param>
    /// <param name="name">The connection's name.</param>
    public IConfigurationSection? Section(string kind, string name = Default) => configuration?.GetSection(kind).GetSection(name);
}
