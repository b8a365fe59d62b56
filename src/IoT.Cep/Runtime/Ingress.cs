using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A source's way into the engine: decodes messages into the current batch, pushes it through the queries when it is full or old enough,
/// and makes the transport wait while they do not keep up.
/// </summary>
internal sealed partial class Ingress<T> : SourceWriter<T>, IIngress, IPayloadReceiver, IDisposable
{
    private readonly ISource<T> _source;
    private readonly SourceOptions _options;
    private readonly CepEngine _engine;
    private readonly Stage _stage;
    private readonly Timelines<T> _timelines;
    private readonly EventBuffer<T> _buffer;
    private readonly ITimer _batchTimer;
    private readonly RunningClock _running;
    private Decoder<T>? _decoder;
    private CancellationToken _stop;
    private long[] _arrival = [];
    private long _batchBegan;
    private bool _timerIsSet;
    private bool _hasAcknowledged;
    private bool _completed;
    private long _received;
    private long _events;
    private long _duplicates;
    private long _deadLetters;
    private long _dropped;

    internal Ingress(CepEngine engine, ISource<T> source, SourceOptions options)
    {
        _engine = engine;
        _source = source;
        _options = options;
        _stage = engine.Stages.Ingress;
        Acknowledgements = new AckTracker(error => Log.AcknowledgerFailed(engine.Logger, error, source.Name));
        _buffer = new EventBuffer<T>(new StringPool(options.PooledStrings));
        _timelines = new Timelines<T>(source.Name, engine, isLive: !source.IsBounded, isSorted: source is ISortedSource { IsSorted: true });
        _running = new RunningClock(engine.Clock, source.IsBounded);
        _batchTimer = engine.Clock.CreateTimer(static state => ((Ingress<T>)state!).FlushDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Name => _source.Name;

    /// <summary>At so many events a batch leaves; where it can't, the transport waits or its source's mode decides.</summary>
    private int FullAt => Math.Min(_options.CapacityEvents, EventBuffer<T>.DefaultCapacity);

    public AckTracker Acknowledgements { get; }

    public SourceStatistics Statistics
    {
        get
        {
            lock (_stage.Gate)
            {
                return new SourceStatistics(
                    Name, _running.IsConnected, _received, _events, _duplicates, _deadLetters + _timelines.DeadLetters, _dropped,
                    _timelines.Late, Acknowledgements.Waiting, _timelines.Latest == long.MinValue ? null : Ticks.ToTime(_timelines.Latest));
            }
        }
    }

    /// <summary>Hangs a query on the source; queries with the same timing share one assignment of times.</summary>
    internal IDisposable Attach(EventTimeSpec<T> time, QueryEntry<T> query)
    {
        lock (_stage.Gate)
        {
            return new Detach(_timelines.Add(time, query), _stage);
        }
    }

    public override IPayloadReceiver Decode(Decoder<T> decoder)
    {
        _decoder = decoder;
        return this;
    }

    public async Task RunAsync(CancellationToken stop)
    {
        _stop = stop;
        if (_source.IsBounded)
        {
            _running.SetConnected(true);
        }

        try
        {
            await _source.RunAsync(this, _engine.Context, stop).ConfigureAwait(false);
        }
        finally
        {
            await FlushAllAsync().ConfigureAwait(false);
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks)
    {
        if (!_stage.OutputsHaveRoom || _engine.IsPaused)
        {
            return WriteLaterAsync(events, ticks);
        }

        Write(events.Span, ticks.Span);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        lock (_stage.Gate)
        {
            _received++;
            if (!_running.IsConnected)
            {
                _running.SetConnected(true);
            }

            Decode(in payload, acknowledger is not null);
            if (acknowledger is not null)
            {
                Acknowledgements.Add(acknowledger, delivery!);
                _hasAcknowledged = true;
            }

            bool isDue = _buffer.Count >= FullAt || (_buffer.Count == 0 && _hasAcknowledged) || _options.MaxBatchDelay == TimeSpan.Zero;
            if (!(isDue && TryFlush()) && !_timerIsSet)
            {
                _timerIsSet = true;
                _batchTimer.Change(_options.MaxBatchDelay, Timeout.InfiniteTimeSpan);
            }

            return _buffer.Count < FullAt || _options.Backpressure != BackpressureMode.Wait
                ? ValueTask.CompletedTask
                : new ValueTask(WaitUntilFlushedAsync());
        }
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail)
    {
        lock (_stage.Gate)
        {
            _received++;
            _deadLetters++;
        }

        _engine.AddDeadLetter(reason, Name, payload.Topic, detail, payload.Bytes);
    }

    public void CountDuplicate()
    {
        lock (_stage.Gate)
        {
            _received++;
            _duplicates++;
        }
    }

    public void ConnectionChanged(bool connected, string? detail = null)
    {
        lock (_stage.Gate)
        {
            _running.SetConnected(connected);
        }

        Log.ConnectionChanged(_engine.Logger, Name, connected, SafeText.Escape(detail));
    }

    public void Tick()
    {
        lock (_stage.Gate)
        {
            bool held = _engine.IsPaused || !_stage.OutputsHaveRoom || _buffer.Count > 0;
            var silentFor = _running.SinceLastEvent(held);
            if (_source.IsBounded || held || _completed)
            {
                return;
            }

            FailSafely(() =>
            {
                _timelines.AdvanceIdle(silentFor);
                return true;
            });
        }
    }

    public void Complete()
    {
        lock (_stage.Gate)
        {
            if (_completed)
            {
                return;
            }

            _completed = true;
            _timelines.OnCompleted();
        }
    }

    public void Fail(Exception error)
    {
        lock (_stage.Gate)
        {
            _completed = true;
            _timelines.OnError(error);
        }
    }

    public void Dispose()
    {
        _batchTimer.Dispose();
        lock (_stage.Gate)
        {
            _buffer.Dispose();
            Pooled.Return(ref _arrival, 0);
            _timelines.Dispose();
        }
    }

    private void Write(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
    {
        lock (_stage.Gate)
        {
            if (!_running.IsConnected)
            {
                // A source without a transport has no other way to say that it is there.
                _running.SetConnected(true);
            }

            _received += events.Length;
            _events += events.Length;
            Push(events, ticks);
        }
    }

    private async ValueTask WriteLaterAsync(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks)
    {
        while (!_stage.OutputsHaveRoom || _engine.IsPaused)
        {
            await WaitForRoomAsync(_stop).ConfigureAwait(false);
        }

        Write(events.Span, ticks.Span);
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
