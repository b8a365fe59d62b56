using System.Buffers;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>
/// Owns sources, queries, shards and sinks: declare the queries, start it, and stop it by <see cref="DrainAsync"/> (all that was accepted
/// is finished) or <see cref="SuspendAsync"/> (open windows are not fired).
/// </summary>
/// <remarks>Declaring is for one thread at a time, before or after the start. All other members may be used from any thread.</remarks>
public sealed class CepEngine : ICep, IHostedService, IAsyncDisposable
{
    private readonly CepEngineOptions _options;
    private readonly List<(IIngress Ingress, bool IsDeadLetters)> _sources = [];
    private readonly List<Query> _queries = [];
    private readonly List<Query> _removed = [];
    private readonly EngineLife _life;
    private readonly CepMeters _meters;
    private int _disposed;

    /// <summary>An engine without queries.</summary>
    /// <param name="options">How it runs.</param>
    public CepEngine(CepEngineOptions? options = null)
    {
        _options = options ?? new CepEngineOptions();
        _options.Validate();
        Logger = (_options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger("IoT.Cep");
        Stages = new StageSet(_options.Shards);
        Connections = new Connections(_options.Configuration);
        Context = new ConnectionContext(_options.TimeProvider, Connections, Logger);
        DeadLetters = new DeadLetters(_options.TimeProvider);
        _life = new EngineLife(this, _options);
        _meters = new CepMeters(this);
    }

    /// <summary>An engine with queries: <c>new CepEngine(Queries.Declare)</c>.</summary>
    /// <param name="queries">Declares them.</param>
    /// <param name="options">How it runs.</param>
    public CepEngine(Action<ICep> queries, CepEngineOptions? options = null)
        : this(options)
    {
        ArgumentNullException.ThrowIfNull(queries);
        queries(this);
    }

    /// <inheritdoc/>
    public Connections Connections { get; }

    /// <inheritdoc/>
    public DeadLetters DeadLetters { get; }

    /// <summary>The queries, in the order in which they were declared.</summary>
    public IReadOnlyList<Query> Queries
    {
        get
        {
            lock (_queries)
            {
                return [.. _queries];
            }
        }
    }

    /// <summary>The sources' counters.</summary>
    public IReadOnlyList<SourceStatistics> Sources => [.. Ingresses.Where(s => !s.IsDeadLetters).Select(s => s.Ingress.Statistics)];

    /// <summary>Whether it is paused.</summary>
    public bool IsPaused => _life.IsPaused;

    /// <summary>Completes when every source has ended; fails when one failed.</summary>
    public Task Completion => _life.SourcesEnded;

    internal StageSet Stages { get; }

    internal ConnectionContext Context { get; }

    internal ILogger Logger { get; }

    internal TimeProvider Clock => _options.TimeProvider;

    internal int Pauses => _life.Pauses;

    internal CancellationToken Abandoned => _life.Abandoned;

    internal IReadOnlyList<(IIngress Ingress, bool IsDeadLetters)> Ingresses
    {
        get
        {
            lock (_sources)
            {
                return [.. _sources];
            }
        }
    }

    /// <inheritdoc/>
    public IEventStream<T> From<T>(ISource<T> source, Action<SourceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        var options = new SourceOptions();
        configure?.Invoke(options);
        options.Validate();
        if (source is DeadLetters letters)
        {
            letters.Open();
        }

        var ingress = new Ingress<T>(this, source, options);
        lock (_sources)
        {
            _sources.Add((ingress, source is DeadLetters));
        }

        return new SourceNode<T>(this, ingress, source is ISortedSource ? EventTimeSpec<T>.Default : EventTimeSpec<T>.OfType).ToStream();
    }

    /// <summary>
    /// Starts sources, shards and sinks, and waits until sources over observables have subscribed. Transports connect meanwhile: a broker that is away holds no
    /// start up.
    /// </summary>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <exception cref="SinkConfigurationException">
    /// A sink can never work as it is set up; the message names query, sink and remedy. Nothing was started, and the call may be made again.
    /// </exception>
    public Task StartAsync(CancellationToken cancellationToken = default) => _life.StartAsync(cancellationToken);

    /// <summary>Holds the sources back: no event is taken, and idle time stands still.</summary>
    public void Pause() => _life.Pause();

    /// <summary>Lets the sources go on.</summary>
    public void Resume() => _life.Resume();

    /// <summary>
    /// Stops the sources, processes what was accepted, and leaves open windows and partial matches unfinished: they end with the engine until it can save
    /// them.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting for sinks.</param>
    public Task SuspendAsync(CancellationToken cancellationToken = default) => _life.StopAsync(complete: false, cancellationToken);

    /// <summary>Stops the sources, processes what was accepted, fires open windows, completes the queries, and waits for the sinks.</summary>
    /// <param name="cancellationToken">Gives up waiting for sinks.</param>
    public Task DrainAsync(CancellationToken cancellationToken = default) => _life.StopAsync(complete: true, cancellationToken);

    /// <summary>Starts, waits until every source has ended or the token is cancelled, and drains.</summary>
    /// <param name="cancellationToken">Ends the sources early.</param>
    /// <exception cref="SinkConfigurationException">A sink can never work as it is set up; nothing was started.</exception>
    /// <exception cref="AggregateException">A query failed, or a sink could not write all it was given.</exception>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ended before it began: nothing was accepted that would have to be finished.
            return;
        }

        await Task.WhenAny(Completion, Task.Delay(Timeout.InfiniteTimeSpan, Clock, cancellationToken)).ConfigureAwait(false);
        await DrainAsync(CancellationToken.None).ConfigureAwait(false);
        if (Completion.IsFaulted)
        {
            await Completion.ConfigureAwait(false);
        }

        var errors = Queries.Where(q => q.Error is not null).Select(q => q.Error!)
            .Concat(from query in Queries
                    let sink = query.Sink
                    where sink is { Waiting: > 0 }
                    select new InvalidOperationException(
                        $"{sink.Waiting} results of query '{query.Name}' were not written within the drain timeout: {sink.LastError ?? "the sink did not answer"}"))
            .ToList();
        if (errors.Count > 0)
        {
            throw new AggregateException("Not every query ran to its end.", errors);
        }
    }

    /// <inheritdoc/>
    Task IHostedService.StopAsync(CancellationToken cancellationToken) => DrainAsync(cancellationToken);

    /// <summary>Suspends it, if it runs, and lets go of everything.</summary>
    public async ValueTask DisposeAsync()
    {
        // A host disposes each of its services, and this is two of them.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await SuspendAsync().ConfigureAwait(false);
        foreach (var query in Queries.Concat(_removed))
        {
            query.Plan.Dispose();
            if (query.Worker is not null)
            {
                await query.Worker.DisposeAsync().ConfigureAwait(false);
            }
        }

        foreach (var (ingress, _) in Ingresses)
        {
            (ingress as IDisposable)?.Dispose();
        }

        _meters.Dispose();
        _life.Dispose();
    }

    internal Query Register<T>(StreamNode<T> node, ISink<T> sink, string? name, ErrorPolicy? errorPolicy)
    {
        var context = new QueryContext(UniqueName(name ?? sink.Name), errorPolicy ?? _options.ErrorPolicy, AddDeadLetter) { MaxHeldEvents = _options.MaxHeldEvents };
        var async = sink as IAsyncSink<T>;
        bool identity = sink.TakesRetractions || sink is IAsyncSink<T> { UsesIdentity: true } or IInlineSink<T> { UsesIdentity: true };
        if (node.IsUpdating && !identity && sink is not ObserverSink<T>)
        {
            throw new ArgumentException(
                $"'{node.Text}' may correct its results, and the sink '{sink.Name}' appends them: it can't tell which result a correction replaces. Leave AllowLate, Early and OnChange out, or use a sink that stores by identity (UsesIdentity).");
        }

        if (!sink.TakesRetractions)
        {
            node.RequireNoRetractions($"The sink '{sink.Name}'");
        }

        var plan = new Plan(context, Stages, Clock, identity);
        Query? query = null;
        void OnFailed(Exception error) => query!.OnFailed(error);
        void OnCompleted() => query!.OnCompleted();
        var sinkContext = new SinkContext(Clock, Connections, Logger, node.HasIdentity)
        {
            DeadLetter = (reason, detail, value) => AddDeadLetter(reason, sink.Name, detail, value),
        };
        var worker = async is null ? null : new SinkWorker<T>(async, sinkContext, this, context, OnFailed, OnCompleted);
        Operator<T> terminal = sink switch
        {
            _ when worker is not null => worker,
            IInlineSink<T> inline => new InlineSinkOperator<T>(inline, context, OnFailed, OnCompleted),
            ObserverSink<T> observer => new ObserverOperator<T>(observer.Observer, context, OnFailed, OnCompleted),
            _ => throw new ArgumentException($"The sink '{sink.Name}' is neither an IInlineSink nor an IAsyncSink.", nameof(sink)),
        };
        plan.Compile(node, terminal, $"To {sink.Name}");
        query = new Query(this, plan, worker);
        if (worker is not null)
        {
            Stages.Of(node.Depth).AddOutput(worker);
            if (async!.IsDurable && node.IsStateless)
            {
                foreach (var input in plan.Inputs)
                {
                    query.Trackers.Add((input.Acknowledgements, input.Acknowledgements.AddSink(worker.Mark)));
                }
            }
        }

        lock (_queries)
        {
            _queries.Add(query);
        }

        plan.Start();
        _life.OnQueryAdded(query);
        return query;
    }

    internal void Remove(Query query)
    {
        lock (_queries)
        {
            if (!_queries.Remove(query))
            {
                return;
            }
        }

        ReleaseAcknowledgements(query);
        query.Plan.Detach();
        query.OnRemoved();
        if (query.Worker is { } worker)
        {
            worker.Complete();
            foreach (var stage in Stages.Loops.Prepend(Stages.Ingress))
            {
                stage.RemoveOutput(worker);
            }

            worker.WakeWaiters();
        }

        // Other stages may still be at work on what it was given: its buffers go back with the engine.
        lock (_queries)
        {
            _removed.Add(query);
        }
    }

    internal static void ReleaseAcknowledgements(Query query)
    {
        foreach (var (tracker, sink) in query.Trackers)
        {
            tracker.RemoveSink(sink);
        }
    }

    internal Task WaitWhilePausedAsync(CancellationToken stop) => _life.WaitWhilePausedAsync(stop);

    internal void AddDeadLetter(DeadLetterReason reason, string source, string topic, string detail, ReadOnlySequence<byte> payload) =>
        DeadLetters.Add(reason, source, topic, detail, payload);

    internal void AddDeadLetter(DeadLetterReason reason, string source, string detail, object? value) =>
        DeadLetters.Add(reason, source, detail, value);

    private string UniqueName(string name)
    {
        lock (_queries)
        {
            string unique = name;
            for (int i = 2; _queries.Exists(q => q.Name == unique); i++)
            {
                unique = $"{name} {i}";
            }

            return unique;
        }
    }
}
