using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What the engine does with an asynchronous sink, whatever its event type.</summary>
internal interface ISinkWorker : IBounded, IAsyncDisposable
{
    string Name { get; }

    SinkStatistics Statistics { get; }

    /// <summary>What is wrong with the sink's configuration, or null; trouble that may pass is not.</summary>
    Task<SinkConfigurationException?> CheckAsync(CancellationToken stop);

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

    // Of those that are being written: runs of rows still to do, the first on top, and how many are done.
    private readonly Stack<(int From, int To)> _todo = new();
    private int _settled;
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
                return new SinkStatistics(Name, _written, _rejected, _filling.Columns.Count + _writing.Columns.Count - _settled, _retries, _lastError);
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

    public async Task<SinkConfigurationException?> CheckAsync(CancellationToken stop)
    {
        try
        {
            await sink.CheckAsync(context, stop).ConfigureAwait(false);
            return null;
        }
        catch (SinkConfigurationException error)
        {
            return new SinkConfigurationException($"Query '{query.Name}' can't write to its sink '{Name}'. {error.Message}", error);
        }
        catch (Exception error) when (!stop.IsCancellationRequested && error is not OutOfMemoryException)
        {
            Log.SinkNotChecked(engine.Logger, Name, query.Name, SafeText.Escape(error.Message));
            return null;
        }
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
                _settled = 0;
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
        _todo.Push((0, _writing.Columns.Count));
        while (_todo.Count > 0)
        {
            await RetryAsync(WriteNextAsync, abandon).ConfigureAwait(false);
        }
    }

    /// <summary>Tries one run of rows. What is left of it after a failure is pushed back; only a rejected row leaves it for good.</summary>
    private async Task WriteNextAsync(CancellationToken stop)
    {
        if (!_todo.TryPop(out var run))
        {
            return;
        }

        var batch = Batch(run.From, run.To);
        try
        {
            await sink.WriteAsync(batch, stop).ConfigureAwait(false);
            Settle(batch.Length);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            int? rejected = error is SinkRejectedException { Row: var row } && (uint)row < (uint)batch.Length && !batch.IsWritten(row) ? row : null;
            PushBack(run.From, batch, rejected);
            if (rejected is null)
            {
                throw;
            }

            engine.AddDeadLetter(DeadLetterReason.SinkRejected, Name, error.Message, batch.Events.Span[rejected.Value]);
        }
    }

    /// <summary>
    /// The rows that are neither written nor rejected, in runs: what stands before a rejected row is likely to be good, so k rejected rows cost at most 2k
    /// tries more, and a sink that goes row by row writes none more than twice.
    /// </summary>
    private void PushBack(int from, SinkBatch<T> batch, int? rejected)
    {
        int left = 0;
        for (int end = batch.Length; end > 0;)
        {
            int start = end;
            while (start > 0 && start - 1 != rejected && !batch.IsWritten(start - 1))
            {
                start--;
            }

            if (start < end)
            {
                _todo.Push((from + start, from + end));
                left += end - start;
            }

            end = start - 1;
        }

        Settle(batch.Length - left - (rejected is null ? 0 : 1), rejected is null ? 0 : 1);
    }

    private void Settle(int written, int rejected = 0)
    {
        lock (_gate)
        {
            _written += written;
            _rejected += rejected;
            _settled += written + rejected;
        }
    }

    private SinkBatch<T> Batch(int from, int to)
    {
        var columns = _writing.Columns;
        var all = columns.Batch;
        return new SinkBatch<T>
        {
            Events = columns.Events.AsMemory(from, to - from),
            Ticks = columns.Ticks.AsMemory(from, to - from),
            Ids = all.Ids.IsEmpty ? default : columns.Ids.AsMemory(from, to - from),
            Kinds = all.Kinds.IsEmpty ? default : columns.Kinds.AsMemory(from, to - from),
        };
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
            catch (Exception error) when (!abandon.IsCancellationRequested)
            {
                _retries++;
                _lastError = SafeText.Escape(error is SinkRejectedException rejected
                    ? $"The sink rejected row {rejected.Row}, which is not in its batch: {error.Message}" : error.Message);
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
