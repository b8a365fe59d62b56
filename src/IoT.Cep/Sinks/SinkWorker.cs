using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What the engine does with an asynchronous sink, whatever its event type.</summary>
internal interface ISinkWorker : IBounded, IAsyncDisposable
{
    string Name { get; }

    SinkStatistics Statistics { get; }

    Task RunAsync(CancellationToken abandon);

    /// <summary>No more will come; the loop ends when all is written.</summary>
    void Complete();

    /// <summary>Whoever waits for room looks again whether it still has to.</summary>
    void WakeWaiters();
}

/// <summary>A sink's counters, read at one moment.</summary>
/// <param name="Name">The sink's name.</param>
/// <param name="Written">Results written.</param>
/// <param name="Rejected">Results that the store refused; they are dead letters.</param>
/// <param name="Waiting">Results that wait to be written.</param>
/// <param name="Retries">How often a batch had to be tried again.</param>
/// <param name="LastError">The last error, until a batch succeeds; null where all is well.</param>
public sealed record SinkStatistics(string Name, long Written, long Rejected, int Waiting, long Retries, string? LastError);

/// <summary>
/// The end of a query whose sink writes elsewhere. The shard fills one set of columns while the loop writes another: what gathers while a batch
/// is written makes the next one, and when that is full the shard waits.
/// </summary>
internal sealed class SinkWorker<T>(
    IAsyncSink<T> sink, SinkContext context, CepEngine engine, QueryContext query, Action<Exception> failed, Action completed)
    : Operator<T>, ISinkWorker
{
    /// <summary>Results gathered while a batch is written: a second of a fast sensor network, and a size at which transactions cost little a row.</summary>
    internal const int CapacityEvents = 65_536;

    private static readonly TimeSpan _firstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _longestRetry = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly RoomSignal _room = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Chunk _filling = new();
    private Chunk _writing = new();
    private bool _completed;
    private long _written;
    private long _rejected;
    private long _retries;
    private string? _lastError;

    public string Name => sink.Name;

    public bool HasRoom => _filling.Columns.Count < CapacityEvents;

    private bool IsEmpty
    {
        get
        {
            lock (_gate)
            {
                return _filling.Columns.Count + _writing.Columns.Count + _filling.Marks.Count + _writing.Marks.Count == 0;
            }
        }
    }

    public SinkStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new SinkStatistics(Name, _written, _rejected, _filling.Columns.Count + _writing.Columns.Count, _retries, _lastError);
            }
        }
    }

    /// <summary>Whether a batch has been taken and not been written yet.</summary>
    internal bool IsWriting
    {
        get
        {
            lock (_gate)
            {
                return _writing.Columns.Count > 0;
            }
        }
    }

    public Task WaitForRoomAsync(CancellationToken stop) => _room.WaitAsync(() => HasRoom, stop);

    internal override void OnEvents(in Batch<T> batch)
    {
        lock (_gate)
        {
            _filling.Columns.Append(in batch);
        }

        Wake();
    }

    internal override void OnWatermark(long watermark)
    {
    }

    internal override void OnCompleted()
    {
        completed();
        Complete();
    }

    internal override void OnError(Exception error)
    {
        failed(error);
        Complete();
    }

    /// <summary>Everything given so far has to be committed before a source's messages up to a number are acknowledged.</summary>
    internal void Mark(AckTracker.Sink tracker, long number)
    {
        lock (_gate)
        {
            int known = _filling.Marks.FindIndex(mark => mark.Tracker == tracker);
            if (known >= 0)
            {
                _filling.Marks[known] = (tracker, number);
            }
            else
            {
                _filling.Marks.Add((tracker, number));
            }
        }

        Wake();
    }

    public void WakeWaiters() => _room.Set();

    public void Complete()
    {
        _completed = true;
        _ended.TrySetResult();
        Wake();
    }

    public async Task RunAsync(CancellationToken abandon)
    {
        if (!await RetryAsync(async stop => await sink.OpenAsync(context, stop).ConfigureAwait(false), abandon).ConfigureAwait(false))
        {
            return;
        }

        while (await TakeAsync(abandon).ConfigureAwait(false))
        {
            await WriteAsync(abandon).ConfigureAwait(false);
            foreach (var (tracker, number) in _writing.Marks)
            {
                tracker.Commit(number);
            }

            lock (_gate)
            {
                _writing.Marks.Clear();
                _writing.Columns.Clear();
                _writing.Columns.Begin(0);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await sink.DisposeAsync().ConfigureAwait(false);
        lock (_gate)
        {
            _filling.Columns.Dispose();
            _writing.Columns.Dispose();
        }

        _work.Dispose();
    }

    private void Wake()
    {
        if (_work.CurrentCount == 0)
        {
            try
            {
                _work.Release();
            }
            catch (SemaphoreFullException)
            {
                // Somebody else woke it at the same moment.
            }
        }
    }

    private async ValueTask<bool> TakeAsync(CancellationToken abandon)
    {
        while (true)
        {
            bool completed = _completed;
            lock (_gate)
            {
                if (_filling.Columns.Count > 0 || _filling.Marks.Count > 0)
                {
                    (_filling, _writing) = (_writing, _filling);
                    _room.Set();
                    return true;
                }
            }

            if (completed)
            {
                return false;
            }

            await _work.WaitAsync(abandon).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(CancellationToken abandon)
    {
        while (_writing.Columns.Count > 0)
        {
            try
            {
                await RetryAsync(async stop => await sink.WriteAsync(Batch(), stop).ConfigureAwait(false), abandon).ConfigureAwait(false);
                lock (_gate)
                {
                    _written += _writing.Columns.Count;
                }

                return;
            }
            catch (SinkRejectedException error) when (IsOfThisBatch(error))
            {
                Reject(error);
            }
        }
    }

    private SinkBatch<T> Batch()
    {
        var columns = _writing.Columns;
        bool hasIds = !columns.Batch.Ids.IsEmpty;
        return new SinkBatch<T>
        {
            Events = columns.Events.AsMemory(0, columns.Count),
            Ticks = columns.Ticks.AsMemory(0, columns.Count),
            Ids = hasIds ? columns.Ids.AsMemory(0, columns.Count) : default,
            Kinds = columns.Batch.Kinds.IsEmpty ? default : columns.Kinds.AsMemory(0, columns.Count),
        };
    }

    /// <summary>A sink that rejects a row that it was not given is mistaken: the batch is tried again.</summary>
    private bool IsOfThisBatch(Exception error) => error is SinkRejectedException rejected && (uint)rejected.Row < (uint)_writing.Columns.Count;

    private void Reject(SinkRejectedException error)
    {
        lock (_gate)
        {
            engine.AddDeadLetter(DeadLetterReason.SinkRejected, Name, error.Message, _writing.Columns.Events[error.Row]);
            _writing.Columns.RemoveAt(error.Row);
            _rejected++;
        }
    }

    /// <summary>Tries until it succeeds; false where it did not and nothing is left to do it for.</summary>
    private async Task<bool> RetryAsync(Func<CancellationToken, Task> action, CancellationToken abandon)
    {
        var delay = _firstRetry;
        while (true)
        {
            try
            {
                await action(abandon).ConfigureAwait(false);
                _lastError = null;
                return true;
            }
            catch (Exception error) when (!IsOfThisBatch(error) && !abandon.IsCancellationRequested)
            {
                _retries++;
                _lastError = SafeText.Escape(error is SinkRejectedException rejected
                    ? $"The sink rejected row {rejected.Row} of a batch of {_writing.Columns.Count}: {error.Message}" : error.Message);
                Log.SinkRetries(engine.Logger, Name, query.Name, delay, _lastError);
            }

            // Stopping ends the pause: a sink that never opened and has nothing to write must not hold it up.
            var pause = Task.Delay(delay, engine.Clock, abandon);
            await (_ended.Task.IsCompleted ? pause : Task.WhenAny(pause, _ended.Task)).ConfigureAwait(false);
            abandon.ThrowIfCancellationRequested();
            if (_ended.Task.IsCompleted && IsEmpty)
            {
                return false;
            }

            delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, _longestRetry.Ticks));
        }
    }

    private sealed class Chunk
    {
        internal BatchBuilder<T> Columns { get; } = new();

        internal List<(AckTracker.Sink Tracker, long Number)> Marks { get; } = [];
    }
}
