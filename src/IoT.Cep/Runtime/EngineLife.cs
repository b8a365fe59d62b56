using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Starting, pausing and stopping an engine: sources first, then stage by stage the way data flows, then sinks.</summary>
internal sealed class EngineLife : IDisposable
{
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(100);

    private readonly CepEngine _engine;
    private readonly CepEngineOptions _options;
    private readonly CancellationTokenSource _stopSources = new();
    private readonly CancellationTokenSource _stopLetters = new();
    private readonly CancellationTokenSource _abandon = new();
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly List<Task> _sources = [];
    private readonly List<Task> _letters = [];
    private readonly HashSet<IIngress> _running = [];
    private readonly Dictionary<Stage, Task> _stages = [];
    private readonly Dictionary<Query, Task> _sinks = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private ITimer? _ticker;
    private TaskCompletionSource? _paused;
    private bool _started;
    private bool _stopped;

    internal EngineLife(CepEngine engine, CepEngineOptions options)
    {
        _engine = engine;
        _options = options;
        engine.Stages.OnAdded = stage =>
        {
            if (_started)
            {
                Run(stage);
            }
        };
    }

    internal bool IsPaused => _paused is not null;

    /// <summary>How often it was paused: a pause that began and ended between two looks is seen by it.</summary>
    internal int Pauses { get; private set; }

    internal Task SourcesEnded => _ended.Task;

    /// <summary>Cancelled when even waiting for sinks is given up.</summary>
    internal CancellationToken Abandoned => _abandon.Token;

    internal async Task StartAsync(CancellationToken stop)
    {
        await StartOnceAsync(stop).ConfigureAwait(false);

        // What a hot observable emits when this has completed must not be lost. It runs already: who gives up waiting, or stops it meanwhile, sees no error.
        Task[] listening;
        lock (_gate)
        {
            listening = [.. _running.Select(ingress => ingress.Listening)];
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _stopSources.Token);
        await Task.WhenAll(listening).WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StartOnceAsync(CancellationToken stop)
    {
        await _changing.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (_stopped)
            {
                throw new InvalidOperationException("The engine was stopped; make a new one.");
            }

            if (_started)
            {
                return;
            }

            var queries = _engine.Queries;
            await CheckSinksAsync(queries, stop).ConfigureAwait(false);
            _started = true;
            foreach (var stage in _engine.Stages.Loops)
            {
                Run(stage);
            }

            foreach (var query in _engine.Queries)
            {
                Run(query, isChecked: queries.Contains(query));
            }

            foreach (var (ingress, isDeadLetters) in _engine.Ingresses)
            {
                Run(ingress, isDeadLetters);
            }

            _ticker = _options.TimeProvider.CreateTimer(_ => Tick(), null, _tick, _tick);
            Log.Started(_engine.Logger, _engine.Ingresses.Count, _engine.Queries.Count, _options.Shards);
            WatchEnd();
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Nothing runs yet, so whoever mends what is wrong can start again.</summary>
    private static async Task CheckSinksAsync(IEnumerable<Query> queries, CancellationToken stop)
    {
        var found = await Task.WhenAll(queries.Select(q => q.Worker?.CheckAsync(stop)).OfType<Task<SinkConfigurationException?>>()).ConfigureAwait(false);
        var errors = found.OfType<SinkConfigurationException>().ToList();
        if (errors.Count > 0)
        {
            throw errors.Count == 1 ? errors[0] : new SinkConfigurationException(
                string.Join(Environment.NewLine, errors.Select(error => error.Message)), new AggregateException(errors));
        }
    }

    /// <summary>A source that was declared after the start runs when its first query is there to take its events.</summary>
    internal void OnQueryAdded(Query query)
    {
        if (_started)
        {
            Run(query, isChecked: false);
            foreach (var (ingress, isDeadLetters) in _engine.Ingresses.Where(i => query.Plan.Inputs.Contains(i.Ingress)))
            {
                Run(ingress, isDeadLetters);
            }
        }
    }

    internal void Pause()
    {
        lock (_gate)
        {
            Pauses++;
            _paused ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    internal void Resume()
    {
        TaskCompletionSource? paused;
        lock (_gate)
        {
            paused = _paused;
            _paused = null;
        }

        paused?.SetResult();
    }

    internal Task WaitWhilePausedAsync(CancellationToken stop) => _paused?.Task.WaitAsync(stop) ?? Task.CompletedTask;

    /// <summary>Stops; every step waits for the one before, so nothing that was accepted is lost on the way.</summary>
    internal async Task StopAsync(bool complete, CancellationToken giveUp)
    {
        await _changing.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_stopped || !_started)
            {
                _stopped = true;
                return;
            }

            _stopped = true;
            Resume();
            using var limit = new CancellationTokenSource(_options.DrainTimeout, _options.TimeProvider);
            using var outer = giveUp.Register(static state => ((CancellationTokenSource)state!).Cancel(), limit);
            using var abandon = limit.Token.Register(Abandon);
            await _stopSources.CancelAsync().ConfigureAwait(false);
            await UntilAbandonedAsync(Quiet(_sources)).ConfigureAwait(false);
            if (_ticker is not null)
            {
                // Time stands still from here on: waiting for a slow sink is no idle time that closes windows.
                await _ticker.DisposeAsync().ConfigureAwait(false);
            }

            End(complete, isDeadLetters: false);
            await FinishStagesAsync(complete).ConfigureAwait(false);
            await FinishSinksAsync().ConfigureAwait(false);
            Log.Stopped(_engine.Logger);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Waiting has lasted as long as it may: whatever still holds a stop up is let go.</summary>
    private void Abandon()
    {
        _stopLetters.Cancel();
        _abandon.Cancel();
    }

    /// <summary>A source that does not heed its token must not hold a stop up for ever.</summary>
    private async Task UntilAbandonedAsync(Task task)
    {
        var abandoned = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = _abandon.Token.Register(abandoned.SetResult).ConfigureAwait(false);
        await Task.WhenAny(task, abandoned.Task).ConfigureAwait(false);
    }

    public void Dispose()
    {
        // The token sources have no timers and are left to the collector: a stop that was given up may still be cancelling them.
        _ticker?.Dispose();
        _changing.Dispose();
    }

    private static Task Quiet(IEnumerable<Task> tasks) => Task.WhenAll(tasks.ToArray().Select(async task =>
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)));

    private void Run(IIngress ingress, bool isDeadLetters)
    {
        lock (_gate)
        {
            if (_running.Add(ingress))
            {
                (isDeadLetters ? _letters : _sources).Add(Task.Run(() => RunSourceAsync(ingress, isDeadLetters ? _stopLetters.Token : _stopSources.Token)));
            }
        }
    }

    private async Task RunSourceAsync(IIngress ingress, CancellationToken stop)
    {
        try
        {
            await ingress.RunAsync(stop).ConfigureAwait(false);

            // A transport may end without an error when it is stopped; whether its queries complete is for the one who stops to say.
            if (!stop.IsCancellationRequested)
            {
                ingress.Complete();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested || _abandon.IsCancellationRequested)
        {
            // Stopped, as above.
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Log.SourceFailed(_engine.Logger, error, ingress.Name);
            ingress.Fail(error);
            throw;
        }
    }

    private void Run(Stage stage)
    {
        lock (_gate)
        {
            _stages.TryAdd(stage, Task.Run(() => RunStageAsync(stage)));
        }
    }

    private async Task RunStageAsync(Stage stage)
    {
        try
        {
            await stage.RunAsync(_abandon.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            Log.StageFailed(_engine.Logger, error, stage.Name);
            throw;
        }
    }

    private void Run(Query query, bool isChecked)
    {
        if (query.Worker is { } worker)
        {
            lock (_gate)
            {
                _sinks.TryAdd(query, Task.Run(async () =>
                {
                    try
                    {
                        if (!isChecked && await worker.CheckAsync(_abandon.Token).ConfigureAwait(false) is { } wrong)
                        {
                            throw wrong;
                        }

                        await worker.RunAsync(_abandon.Token).ConfigureAwait(false);
                    }
                    catch (Exception error) when (error is not OperationCanceledException and not OutOfMemoryException)
                    {
                        Log.SinkFailed(_engine.Logger, error, worker.Name);
                        query.OnFailed(error);
                        _engine.Remove(query);
                        throw;
                    }

                    // It has written all it will: a query that failed holds no acknowledgement back.
                    CepEngine.ReleaseAcknowledgements(query);
                }));
            }
        }
    }

    private void WatchEnd() => _ = Task.WhenAll(_sources).ContinueWith(
        all =>
        {
            if (all.IsFaulted)
            {
                _ended.TrySetException(all.Exception.InnerExceptions);
            }
            else
            {
                _ended.TrySetResult();
            }
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private void End(bool complete, bool isDeadLetters)
    {
        foreach (var (ingress, letters) in _engine.Ingresses)
        {
            if (complete && letters == isDeadLetters)
            {
                ingress.Complete();
            }
        }
    }

    private async Task FinishStagesAsync(bool complete)
    {
        foreach (var stage in _engine.Stages.Loops)
        {
            await Task.WhenAny(stage.WaitUntilProcessedAsync(), _stages[stage]).ConfigureAwait(false);
        }

        // What the sinks refuse becomes a dead letter, so the queries over dead letters end last.
        var letterQueries = _engine.Queries.Where(q => q.IsOverDeadLetters).ToList();
        await FinishSinksAsync(_engine.Queries.Except(letterQueries)).ConfigureAwait(false);
        _engine.DeadLetters.Complete();
        await Quiet(_letters).ConfigureAwait(false);
        End(complete, isDeadLetters: true);
        foreach (var stage in _engine.Stages.Loops)
        {
            stage.Complete();
            await Quiet([_stages[stage]]).ConfigureAwait(false);
        }
    }

    private Task FinishSinksAsync()
    {
        lock (_gate)
        {
            // Also those of queries that were removed: what they hold is written.
            return FinishSinksAsync([.. _sinks.Keys]);
        }
    }

    private async Task FinishSinksAsync(IEnumerable<Query> queries)
    {
        foreach (var query in queries)
        {
            query.Worker?.Complete();
            if (_sinks.TryGetValue(query, out var loop))
            {
                await Quiet([loop]).ConfigureAwait(false);
                if (query.Sink is { Waiting: > 0 } sink)
                {
                    Log.SinkAbandoned(_engine.Logger, sink.Name, sink.Waiting);
                }
            }
        }
    }

    private void Tick()
    {
        foreach (var (ingress, _) in _engine.Ingresses)
        {
            ingress.Tick();
        }
    }
}
