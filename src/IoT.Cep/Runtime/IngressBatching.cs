using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How messages become batches, when these leave, and what happens while they can't.</summary>
internal sealed partial class Ingress<T>
{
    private void Decode(in Payload payload, bool mustNotLose)
    {
        if (_buffer.Count == 0 || _buffer.Count >= FullAt)
        {
            // Once a batch, which is at most a millisecond old, unless it can't leave: asking the clock costs a tenth of decoding a message.
            _batchBegan = Ticks.From(_engine.Clock.GetUtcNow());
        }

        _buffer.BeginMessage(payload.ReceivedTicks != 0 ? payload.ReceivedTicks : _batchBegan);
        try
        {
            _decoder!.Decode(in payload, _buffer);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            _buffer.Reject(DeadLetterReason.Malformed, $"The decoder threw {error.GetType().Name}: {error.Message}");
        }

        if (_buffer.Rejection is { } reason)
        {
            _deadLetters++;
            _engine.AddDeadLetter(reason, Name, payload.Topic, _buffer.RejectionDetail, payload.Bytes);
            return;
        }

        _events += _buffer.MessageCount;
        if (_buffer.Count > _options.CapacityEvents && _options.Backpressure != BackpressureMode.Wait)
        {
            Overflow(in payload, mustNotLose);
        }
    }

    private void Overflow(in Payload payload, bool mustNotLose)
    {
        if (TryFlush())
        {
            return;
        }

        switch (_options.Backpressure)
        {
            case BackpressureMode.DropNewest:
                int count = _buffer.MessageCount;
                _buffer.Reject(DeadLetterReason.Overflow, "");
                if (mustNotLose)
                {
                    _deadLetters++;
                    _engine.AddDeadLetter(DeadLetterReason.Overflow, Name, payload.Topic, "The queries did not keep up.", payload.Bytes);
                    return;
                }

                _dropped += count;
                return;
            case BackpressureMode.DropOldest:
                int excess = _buffer.Count - _options.CapacityEvents;
                foreach (ref readonly var value in _buffer.Events[..excess])
                {
                    if (_hasAcknowledged || mustNotLose)
                    {
                        _deadLetters++;
                        _engine.AddDeadLetter(DeadLetterReason.Overflow, Name, "The queries did not keep up.", value);
                    }
                    else
                    {
                        _dropped++;
                    }
                }

                _buffer.RemoveFirst(excess);
                return;
            default:
                _dropped += _buffer.MessageCount;
                _buffer.Reject(DeadLetterReason.Overflow, "");
                throw new InvalidOperationException(
                    $"Source '{Name}' has {_options.CapacityEvents:N0} events waiting and its backpressure mode is Fail. Use Wait or a dropping mode, or make the queries or sinks faster.");
        }
    }

    /// <summary>Pushes the current batch through the queries, if they have room.</summary>
    private bool TryFlush()
    {
        if (_engine.IsPaused || !_stage.OutputsHaveRoom)
        {
            return false;
        }

        if (_buffer.Count > 0)
        {
            try
            {
                Push(_buffer.Events, default);
            }
            finally
            {
                // Whatever happened, the batch has been given to the queries: none gets it twice.
                _buffer.Clear();
            }
        }

        if (_hasAcknowledged)
        {
            _hasAcknowledged = false;
            Acknowledgements.OnProcessed();
        }

        return true;
    }

    private void Push(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
    {
        if (ticks.IsEmpty && !events.IsEmpty)
        {
            ticks = Arrival(events.Length);
        }

        _running.OnEvent();
        _timelines.OnEvents(new Batch<T>(events, ticks));
    }

    private ReadOnlySpan<long> Arrival(int length)
    {
        if (_arrival.Length < length)
        {
            Pooled.Grow(ref _arrival, 0, Math.Max(length, EventBuffer<T>.DefaultCapacity));
        }

        var ticks = _arrival.AsSpan(0, length);
        ticks.Fill(Ticks.From(_engine.Clock.GetUtcNow()));
        return ticks;
    }

    private void FlushDue()
    {
        if (!_stage.Gate.TryEnter())
        {
            // Whoever is at work would only be slowed down; under load batches leave because they are full.
            _batchTimer.Change(TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            return;
        }

        try
        {
            _timerIsSet = false;
            if (!FailSafely(TryFlush) && !_completed)
            {
                // Looked at again soon; whoever waits for room looks as well.
                _timerIsSet = true;
                _batchTimer.Change(TimeSpan.FromMilliseconds(5), Timeout.InfiniteTimeSpan);
            }
        }
        finally
        {
            _stage.Gate.Exit();
        }
    }

    /// <summary>On a timer's thread an exception would end the process: what no query accounts for ends this source instead.</summary>
    private bool FailSafely(Func<bool> action)
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

    private async Task WaitUntilFlushedAsync()
    {
        while (true)
        {
            lock (_stage.Gate)
            {
                if (_buffer.Count < FullAt || TryFlush())
                {
                    return;
                }
            }

            try
            {
                await WaitForRoomAsync(_stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // The message is in the buffer, which is pushed before the source has ended: the transport can close in peace.
                return;
            }
        }
    }

    private async Task FlushAllAsync()
    {
        while (true)
        {
            lock (_stage.Gate)
            {
                if (TryFlush())
                {
                    return;
                }
            }

            await WaitForRoomAsync(_engine.Abandoned).ConfigureAwait(false);
        }
    }

    private async Task WaitForRoomAsync(CancellationToken stop)
    {
        await _engine.WaitWhilePausedAsync(stop).ConfigureAwait(false);
        await _stage.WaitForOutputsAsync(stop).ConfigureAwait(false);
    }
}
