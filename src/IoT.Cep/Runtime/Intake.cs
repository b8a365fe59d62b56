using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// One source partition's way into the engine: decodes messages into the current batch, pushes it through the queries when it is full or old
/// enough, and makes the transport wait while they do not keep up, or while this partition is too far ahead of the others.
/// </summary>
internal sealed partial class Intake<T> : SourceWriter<T>, IPayloadReceiver, IDisposable
{
    private readonly Ingress<T> _source;
    private readonly SourceOptions _options;
    private readonly CepEngine _engine;
    private readonly Stage _stage;
    private readonly string _name;
    private readonly RunningClock _running;
    private EventBuffer<T>? _buffer;
    private ITimer? _batchTimer;
    private Decoder<T>? _decoder;
    private long[] _arrival = [];
    private long _batchBegan;
    private int _pausesSeen;
    private bool _timerIsSet;
    private bool _hasAcknowledged;
    private volatile bool _isAhead;

    internal Intake(Ingress<T> source, string name, AckTracker acknowledgements, Decoder<T>? decoder)
    {
        (_source, _options, _engine, _stage, _name, _decoder) = (source, source.Options, source.Engine, source.Stage, name, decoder);
        Acknowledgements = acknowledgements;
        _running = new RunningClock(_engine.Clock, source.Source.IsBounded);
    }

    internal AckTracker Acknowledgements { get; }

    /// <summary>Its place in the source's timings; null before it has begun.</summary>
    internal Timelines<T>.Partition? Partition { get; private set; }

    /// <summary>Stops the source.</summary>
    internal CancellationToken Stop { get; set; }

    internal long Received { get; private set; }

    internal long Events { get; private set; }

    internal long Duplicates { get; private set; }

    internal long DeadLetters { get; private set; }

    internal long Dropped { get; private set; }

    /// <summary>How often it ran ahead and had to wait for the others.</summary>
    internal long Pauses { get; private set; }

    internal bool IsConnected => _running.IsConnected;

    internal bool IsAhead => _isAhead;

    /// <summary>Whether nothing waits to be pushed.</summary>
    internal bool IsFlushed => Buffer.Count == 0 && !_hasAcknowledged;

    internal PartitionStatistics Statistics => new(
        _name, IsConnected, _isAhead, Pauses, Events, Ingress<T>.TimeOf(Partition!.Latest), Ingress<T>.TimeOf(Partition.Watermark));

    private EventBuffer<T> Buffer => _buffer ?? throw new InvalidOperationException(
        $"Source '{_source.Name}' has partitions, and this one is closed or was never opened: write to what OpenPartition gave.");

    /// <summary>At so many events a batch leaves; where it can't, the transport waits or its source's mode decides.</summary>
    private int FullAt => Math.Min(_options.CapacityEvents, EventBuffer<T>.DefaultCapacity);

    private bool MayPush => _stage.OutputsHaveRoom && !_engine.IsPaused && !_isAhead;

    /// <summary>It takes part from now on. The caller holds the stage's gate, or nobody else knows the source yet.</summary>
    internal void Begin()
    {
        _buffer = new EventBuffer<T>(_source.Strings);
        _batchTimer = _engine.Clock.CreateTimer(static state => ((Intake<T>)state!).FlushDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Partition = _source.Timelines.Open();
    }

    internal void Start()
    {
        if (_source.Source.IsBounded)
        {
            _running.SetConnected(true);
        }
    }

    public override IPayloadReceiver Decode(Decoder<T> decoder)
    {
        _decoder = decoder;
        return this;
    }

    public override SourceWriter<T> OpenPartition(string name)
    {
        var opened = _source.OpenPartition(name, _decoder);
        opened.Stop = Stop;
        return opened;
    }

    IPayloadReceiver IPayloadReceiver.OpenPartition(string name) => (Intake<T>)OpenPartition(name);

    internal override void OnListening() => _source.OnListening();

    public override async ValueTask ClosePartitionAsync()
    {
        await FlushAllAsync().ConfigureAwait(false);
        lock (_stage.Gate)
        {
            _source.Close(this);
            Dispose();
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks)
    {
        if (!MayPush)
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
            Received++;
            if (!_running.IsConnected)
            {
                SetConnected(true);
            }

            var buffer = Buffer;
            Decode(in payload, acknowledger, delivery);
            if (acknowledger is not null)
            {
                Acknowledgements.Add(acknowledger, delivery!);
                _hasAcknowledged = true;
            }

            bool isDue = buffer.Count >= FullAt || (buffer.Count == 0 && _hasAcknowledged) || _options.MaxBatchDelay == TimeSpan.Zero;
            if (!(isDue && TryFlush()) && !_timerIsSet)
            {
                _timerIsSet = true;
                _batchTimer!.Change(_options.MaxBatchDelay, Timeout.InfiniteTimeSpan);
            }

            return buffer.Count < FullAt || _options.Backpressure != BackpressureMode.Wait
                ? ValueTask.CompletedTask
                : new ValueTask(WaitUntilFlushedAsync());
        }
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail)
    {
        lock (_stage.Gate)
        {
            Received++;
            DeadLetters++;
        }

        _engine.AddDeadLetter(reason, _source.Name, payload.Topic, detail, payload.Bytes);
    }

    public void Flush()
    {
        lock (_stage.Gate)
        {
            if (Buffer.Count > 0 || _hasAcknowledged)
            {
                TryFlush();
            }
        }
    }

    public void CountDuplicate()
    {
        lock (_stage.Gate)
        {
            Received++;
            Duplicates++;
        }
    }

    public void ConnectionChanged(bool connected, string? detail = null)
    {
        lock (_stage.Gate)
        {
            SetConnected(connected);
        }

        Log.ConnectionChanged(_engine.Logger, _name, connected, SafeText.Escape(detail));
    }

    /// <summary>Takes the time; false where it is not running at this moment. The caller holds the stage's gate.</summary>
    internal bool Look()
    {
        bool isHeld = !MayPush || Buffer.Count > 0;
        SeePauses();
        _running.Look(isHeld);
        return IsConnected && !isHeld;
    }

    /// <param name="anyConnected">Whether any partition has a connection: where none has, none is away, and time waits for all of them.</param>
    internal void AdvanceIdle(bool anyConnected)
    {
        bool isWaiting = Buffer.Count > 0;
        Partition!.Look(isWaiting ? TimeSpan.Zero : _running.SilentFor, anyConnected ? _running.AwayFor : TimeSpan.Zero);
    }

    /// <summary>Looks whether it is too far ahead of the others; the caller holds the stage's gate.</summary>
    internal bool LookAhead()
    {
        bool isAhead = _source.KeepsTogether && Partition!.Lead > _options.MaxLead.Ticks;
        Pauses += isAhead && !_isAhead ? 1 : 0;
        return _isAhead = isAhead;
    }

    public void Dispose()
    {
        _batchTimer?.Dispose();
        lock (_stage.Gate)
        {
            _buffer?.Dispose();
            _buffer = null;
            Pooled.Return(ref _arrival, 0);
        }
    }

    private void SetConnected(bool connected)
    {
        SeePauses();
        _running.SetConnected(connected);
        if (!connected)
        {
            _source.Interrupt();
        }
    }

    /// <summary>A pause since the last look makes the stretch between no running time, however short it was.</summary>
    private void SeePauses()
    {
        int pauses = _engine.Pauses;
        if (pauses != _pausesSeen)
        {
            _pausesSeen = pauses;
            Interrupt();
        }
    }

    private void Interrupt()
    {
        _running.Interrupt();
        _source.Interrupt();
    }

    private void Write(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
    {
        lock (_stage.Gate)
        {
            _ = Buffer;
            if (!_running.IsConnected)
            {
                // A source without a transport has no other way to say that it is there.
                SetConnected(true);
            }

            Received += events.Length;
            Events += events.Length;
            Push(events, ticks);
        }
    }

    private async ValueTask WriteLaterAsync(ReadOnlyMemory<T> events, ReadOnlyMemory<long> ticks)
    {
        while (!MayPush)
        {
            lock (_stage.Gate)
            {
                Interrupt();
            }

            await WaitForRoomAsync(Stop).ConfigureAwait(false);
        }

        Write(events.Span, ticks.Span);
    }
}
