using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A sink behind a log on disk; made by <see cref="StoreAndForwardExtensions.StoreAndForward"/>.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public sealed class StoreAndForwardSink<T> : IAsyncSink<T>
{
    // Time and kind in front of the value.
    private const int HeadBytes = sizeof(long) + sizeof(byte);

    private readonly IAsyncSink<T> _inner;
    private readonly string _folder;
    private readonly StoreAndForwardOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly SemaphoreSlim _more = new(0, 1);
    private readonly SemaphoreSlim _room = new(0, 1);
    private readonly TaskCompletionSource _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StoredLog? _log;
    private SinkContext? _context;
    private Task _forwarding = Task.CompletedTask;
    private long _underWay;
    private long _stored;
    private long _forwarded;
    private long _dropped;
    private long _rejected;
    private volatile string? _lastError;

    internal StoreAndForwardSink(IAsyncSink<T> inner, string folder, StoreAndForwardOptions options) => (_inner, _folder, _options) = (inner, folder, options);

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
    public bool IsDurable => true;

    /// <inheritdoc/>
    public bool UsesIdentity => false;

    /// <summary>The log's counters.</summary>
    public StoreAndForwardStatistics Statistics => new(
        Interlocked.Read(ref _stored), Interlocked.Read(ref _forwarded), _log?.Count ?? 0, _log?.Bytes ?? 0, Interlocked.Read(ref _dropped),
        Interlocked.Read(ref _rejected), _log?.Damaged ?? 0, _lastError);

    /// <inheritdoc/>
    public ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        if (StateCodec.Find<T>() is null)
        {
            throw new SinkConfigurationException($"{typeof(T).Name} can't be stored: mark the type with [Event], or call StateCodec.Register<{typeof(T).Name}>(...).");
        }

        return _inner.CheckAsync(context, stop);
    }

    /// <inheritdoc/>
    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (_log is null)
            {
                _context = context;
                _log = StoredLog.Open(_folder, _options.MaxBytes, _options.FlushToDisk);
                _forwarding = Task.Run(() => ForwardAsync(_log, _stop.Token), CancellationToken.None);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            var log = _log ?? throw new InvalidOperationException("The sink was not opened.");
            var bodies = Encode(batch, log.MaxRecordBytes);
            for (int done = 0; done < bodies.Length;)
            {
                int count = log.Append(bodies.AsSpan(done), _options.MaxBytes);
                for (int i = done; i < done + count; i++)
                {
                    batch.MarkWritten(i);
                }

                done += count;
                Interlocked.Add(ref _stored, count);
                Signal(_more);
                if (count == 0 && _options.WhenFull == WhenLogFull.DropOldest)
                {
                    Drop(log);
                }
                else if (count == 0)
                {
                    await _room.WaitAsync(stop).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _draining.TrySetResult();
        if (!_forwarding.IsCompleted)
        {
            Signal(_more);
            try
            {
                await _forwarding.WaitAsync(_options.DrainTimeout, _context!.TimeProvider).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // What waits is on the disk.
            }
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _forwarding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _inner.DisposeAsync().ConfigureAwait(false);
        _log?.Dispose();
    }

    private static void Signal(SemaphoreSlim semaphore)
    {
        try
        {
            semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is signalled already.
        }
    }

    private static ReadOnlyMemory<byte>[] Encode(SinkBatch<T> batch, int maxBytes)
    {
        var codec = StateCodec.Require<T>();
        var bodies = new ReadOnlyMemory<byte>[batch.Length];
        for (int row = 0; row < bodies.Length; row++)
        {
            var writer = new StateWriter();
            writer.Int64(batch.Ticks.Span[row]);
            writer.Byte(batch.Kinds.IsEmpty ? (byte)0 : (byte)batch.Kinds.Span[row]);
            codec.Write(writer, batch.Events.Span[row]);
            bodies[row] = writer.Written.Length <= maxBytes
                ? writer.Written
                : throw new SinkRejectedException(row, $"The result has {writer.Written.Length:N0} bytes; a log of this size takes {maxBytes:N0}.");
        }

        return bodies;
    }

    private static T ValueOf(in StoredRecord record) => StateCodec.Require<T>().Read(new StateReader(record.Body[HeadBytes..]));

    private void Drop(StoredLog log)
    {
        foreach (var record in log.DropOldest(Interlocked.Read(ref _underWay)))
        {
            Interlocked.Increment(ref _dropped);
            _context!.DeadLetter?.Invoke(DeadLetterReason.Overflow, "The log on disk was full.", ValueOf(in record));
        }
    }

    private async Task ForwardAsync(StoredLog log, CancellationToken stop)
    {
        var records = new List<StoredRecord>();
        var pause = _options.RetryMin;
        bool isOpen = false;
        while (true)
        {
            log.Read(records, _options.BatchEvents);
            if (records.Count == 0)
            {
                if (_draining.Task.IsCompleted)
                {
                    return;
                }

                await _more.WaitAsync(stop).ConfigureAwait(false);
                continue;
            }

            try
            {
                if (!isOpen)
                {
                    await _inner.OpenAsync(_context!, stop).ConfigureAwait(false);
                    isOpen = true;
                }

                await ForwardAsync(log, records, stop).ConfigureAwait(false);
                (_lastError, pause) = (null, _options.RetryMin);
            }
            catch (Exception error) when (!stop.IsCancellationRequested && error is not OutOfMemoryException)
            {
                _lastError = SafeText.Escape(error.Message);
                Log.SinkRetries(_context!.Logger, Name, "store and forward", pause, _lastError);

                // A pause is no secret, and half of it random, so that clients of a server that returns do not come all at once.
#pragma warning disable CA5394
                await Task.Delay(pause * (0.5 + (0.5 * Random.Shared.NextDouble())), _context.TimeProvider, stop).ConfigureAwait(false);
#pragma warning restore CA5394
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, _options.RetryMax.Ticks));
            }
        }
    }

    /// <summary>Gives records to the sink until all are taken or rejected, or it throws; those in front that it took are not given again.</summary>
    private async Task ForwardAsync(StoredLog log, List<StoredRecord> records, CancellationToken stop)
    {
        Interlocked.Exchange(ref _underWay, records[^1].Sequence);
        var left = new List<StoredRecord>(records);
        try
        {
            while (left.Count > 0)
            {
                var batch = Batch(left);
                int rejected = -1;
                Exception? failure = null;
                try
                {
                    await _inner.WriteAsync(batch, stop).ConfigureAwait(false);
                    Interlocked.Add(ref _forwarded, left.Count);
                    left.Clear();
                }
                catch (SinkRejectedException error) when ((uint)error.Row < (uint)batch.Length && !batch.IsWritten(error.Row))
                {
                    rejected = error.Row;
                    Interlocked.Increment(ref _rejected);
                    _context!.DeadLetter?.Invoke(DeadLetterReason.SinkRejected, error.Message, batch.Events.Span[rejected]);
                }
                catch (Exception error) when (error is not OutOfMemoryException)
                {
                    failure = error;
                }

                if (left.Count > 0)
                {
                    int before = left.Count;
                    left = [.. left.Where((_, row) => row != rejected && !batch.IsWritten(row))];
                    Interlocked.Add(ref _forwarded, before - left.Count - (rejected >= 0 ? 1 : 0));
                }

                Advance(log, records, left);
                if (failure is not null)
                {
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
                }
            }
        }
        finally
        {
            Interlocked.Exchange(ref _underWay, 0);
        }
    }

    private void Advance(StoredLog log, List<StoredRecord> records, List<StoredRecord> left)
    {
        int done = left.Count == 0 ? records.Count : records.FindIndex(r => r.Sequence == left[0].Sequence);
        if (done > 0)
        {
            log.Take(records[done - 1]);
            Signal(_room);
        }
    }

    private static SinkBatch<T> Batch(List<StoredRecord> records)
    {
        var events = new T[records.Count];
        long[] ticks = new long[records.Count];
        var kinds = new EventKind[records.Count];
        for (int i = 0; i < records.Count; i++)
        {
            var head = new StateReader(records[i].Body);
            (ticks[i], kinds[i]) = (head.Int64(), (EventKind)head.Byte());
            var record = records[i];
            events[i] = ValueOf(in record);
        }

        return new SinkBatch<T> { Events = events, Ticks = ticks, Kinds = Array.TrueForAll(kinds, k => k == EventKind.Insert) ? default : kinds };
    }
}
