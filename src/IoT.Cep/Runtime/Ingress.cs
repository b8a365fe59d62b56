using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A source's way into the engine: what its partitions share, and how its queries hang on it.</summary>
internal sealed class Ingress<T> : IIngress, IDisposable
{
    private readonly CepEngine _engine;
    private readonly List<Intake<T>> _intakes = [];
    private readonly RunningClock _running;
    private readonly Intake<T> _main;
    private readonly TaskCompletionSource _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _subscriptions;
    private RunningClock _presence;
    private bool _completed;
    private Closed _closed;

    internal Ingress(CepEngine engine, ISource<T> source, SourceOptions options)
    {
        _engine = engine;
        Source = source;
        Options = options;
        Stage = engine.Stages.Ingress;
        Strings = new StringPool(options.PooledStrings);
        Acknowledgements = new AckTracker(error => Log.AcknowledgerFailed(engine.Logger, error, source.Name));
        Timelines = new Timelines<T>(source.Name, engine, isLive: !source.IsBounded, isSorted: source is ISortedSource { IsSorted: true });
        _running = new RunningClock(engine.Clock, isConnected: true);
        _presence = new RunningClock(engine.Clock, isConnected: false);
        _main = new Intake<T>(this, source.Name, Acknowledgements, null);
        _subscriptions = source is IAwaitedSource awaited ? awaited.Subscriptions : 0;
        if (_subscriptions == 0)
        {
            _listening.SetResult();
        }

        if (!source.IsPartitioned)
        {
            _main.Begin();
            _intakes.Add(_main);
        }
    }

    public string Name => Source.Name;

    public AckTracker Acknowledgements { get; }

    public Task Listening => _listening.Task;

    internal CepEngine Engine => _engine;

    internal ISource<T> Source { get; }

    internal SourceOptions Options { get; }

    internal Stage Stage { get; }

    internal StringPool Strings { get; }

    internal Timelines<T> Timelines { get; }

    /// <summary>Wakes the partitions that ran ahead and wait for the others.</summary>
    internal RoomSignal CaughtUp { get; } = new();

    internal bool IsCompleted => _completed;

    /// <summary>Whether a partition that runs ahead has others to wait for, and may wait.</summary>
    internal bool KeepsTogether => _intakes.Count > 1 && Options.Backpressure == BackpressureMode.Wait;

    public SourceStatistics Statistics
    {
        get
        {
            lock (Stage.Gate)
            {
                return new SourceStatistics(
                    Name, _intakes.Exists(i => i.IsConnected), _closed.Received + _intakes.Sum(i => i.Received), _closed.Events + _intakes.Sum(i => i.Events),
                    _closed.Duplicates + _intakes.Sum(i => i.Duplicates), _closed.DeadLetters + _intakes.Sum(i => i.DeadLetters) + Timelines.DeadLetters,
                    _closed.Dropped + _intakes.Sum(i => i.Dropped), Timelines.Late, Acknowledgements.Waiting, TimeOf(Timelines.Latest))
                {
                    Watermark = TimeOf(Timelines.Watermark),
                    Pauses = _closed.Pauses + _intakes.Sum(i => i.Pauses),
                    Partitions = [.. _intakes.Select(i => i.Statistics)],
                };
            }
        }
    }

    internal void OnListening()
    {
        if (Interlocked.Decrement(ref _subscriptions) == 0)
        {
            _listening.TrySetResult();
        }
    }

    /// <summary>Hangs a query on the source; queries with the same timing share one assignment of times.</summary>
    internal IDisposable Attach(EventTimeSpec<T> time, QueryEntry<T> query)
    {
        lock (Stage.Gate)
        {
            return new Detach(Timelines.Add(time, query), Stage);
        }
    }

    internal Intake<T> OpenPartition(string name, Decoder<T>? decoder)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        lock (Stage.Gate)
        {
            if (!Source.IsPartitioned)
            {
                throw new InvalidOperationException($"Source '{Name}' opens a partition but did not say that it has any: let its IsPartitioned be true.");
            }

            if (_intakes.Count == Options.MaxPartitions)
            {
                throw new InvalidOperationException(
                    $"Source '{Name}' has {Options.MaxPartitions:N0} partitions open. Close those that have ended, or raise MaxPartitions in the source's options.");
            }

            var intake = new Intake<T>(this, name, Acknowledgements.OpenPartition(), decoder);
            intake.Begin();
            _intakes.Add(intake);
            return intake;
        }
    }

    /// <summary>The caller holds the stage's gate.</summary>
    internal void Close(Intake<T> intake)
    {
        if (_intakes.Remove(intake))
        {
            _closed = _closed.With(intake);
            Acknowledgements.ClosePartition(intake.Acknowledgements);
            FailSafely(() =>
            {
                Timelines.Close(intake.Partition!);
                return true;
            });
            LetGo();
        }
    }

    /// <summary>Partitions that waited for others look whether they still have to. The caller holds the stage's gate.</summary>
    internal void LetGo()
    {
        bool any = false;
        foreach (var intake in _intakes)
        {
            any |= intake.IsAhead && !intake.LookAhead();
        }

        if (any)
        {
            CaughtUp.Set();
        }
    }

    /// <summary>Events of a partition are held back, or it lost its connection: no running time for the source as a whole.</summary>
    internal void Interrupt() => _running.Interrupt();

    /// <summary>
    /// Tells the running time of the source as a whole: what counts is time in which every open partition was connected and none was held back, since nobody
    /// knows by which one a key's next event comes. A bounded source has none.
    /// </summary>
    internal void TellRunningTime(bool isHeld)
    {
        if (!Timelines.WantsRunningTime || Source.IsBounded)
        {
            return;
        }

        foreach (var intake in _intakes)
        {
            isHeld |= !intake.IsConnected;
        }

        _running.Look(isHeld);
        Timelines.OnRunningTime(_running.Running.Ticks);
    }

    public async Task RunAsync(CancellationToken stop)
    {
        foreach (var intake in _intakes)
        {
            intake.Start();
        }

        lock (Stage.Gate)
        {
            // The time from the declaration to the start is nobody's absence.
            _presence = new RunningClock(_engine.Clock, isConnected: false);
        }

        _main.Stop = stop;
        try
        {
            await Source.RunAsync(_main, _engine.Context, stop).ConfigureAwait(false);
        }
        finally
        {
            _listening.TrySetResult();
            while (Unfinished() is { } intake)
            {
                await intake.FlushAllAsync().ConfigureAwait(false);
            }
        }
    }

    public void Tick()
    {
        lock (Stage.Gate)
        {
            if (_completed)
            {
                return;
            }

            bool isHeld = !Stage.OutputsHaveRoom, isConnected = false;
            if (isHeld)
            {
                Interrupt();
            }

            foreach (var intake in _intakes)
            {
                isHeld |= !intake.Look();
                isConnected |= intake.IsConnected;
            }

            if (Source.IsBounded)
            {
                return;
            }

            FailSafely(() =>
            {
                // Copied: what time sets free may end a query, and with it this source.
                foreach (var intake in _intakes.ToArray())
                {
                    intake.AdvanceIdle(isConnected);
                }

                _presence.SetConnected(isConnected);
                Timelines.Look(_presence.AwayFor);
                if (Timelines.WantsRunningTime && Stage.OutputsHaveRoom)
                {
                    TellRunningTime(isHeld);
                    Timelines.RepeatWatermark();
                }

                return true;
            });
            LetGo();
        }
    }

    public void Complete()
    {
        lock (Stage.Gate)
        {
            if (_completed)
            {
                return;
            }

            _completed = true;
            Timelines.OnCompleted();
        }
    }

    public void Fail(Exception error)
    {
        lock (Stage.Gate)
        {
            _completed = true;
            Timelines.OnError(error);
        }
    }

    public void Dispose()
    {
        lock (Stage.Gate)
        {
            _intakes.ForEach(intake => intake.Dispose());
            _main.Dispose();
            Timelines.Dispose();
        }
    }

    /// <summary>On a timer's thread an exception would end the process: what no query accounts for ends this source instead.</summary>
    internal bool FailSafely(Func<bool> action)
    {
        try
        {
            return action();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Log.SourceFailed(_engine.Logger, error, Name);
            Fail(error);
            return true;
        }
    }

    internal static DateTimeOffset? TimeOf(long ticks) => ticks == long.MinValue ? null : Ticks.ToTime(ticks);

    private Intake<T>? Unfinished()
    {
        lock (Stage.Gate)
        {
            return _intakes.Find(intake => !intake.IsFlushed);
        }
    }

    /// <summary>What partitions counted that have closed since.</summary>
    private readonly record struct Closed(long Received, long Events, long Duplicates, long DeadLetters, long Dropped, long Pauses)
    {
        internal Closed With(Intake<T> intake) => new(
            Received + intake.Received, Events + intake.Events, Duplicates + intake.Duplicates, DeadLetters + intake.DeadLetters, Dropped + intake.Dropped,
            Pauses + intake.Pauses);
    }

    private sealed class Detach(Action remove, Stage stage) : IDisposable
    {
        public void Dispose()
        {
            lock (stage.Gate)
            {
                remove();
            }
        }
    }
}
