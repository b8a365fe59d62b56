using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How messages become batches, when these leave, and what happens while they can't.</summary>
internal sealed partial class Intake<T>
{
    private void Decode(in Payload payload, IAcknowledger? acknowledger, object? delivery)
    {
        if (Buffer.Count == 0 || Buffer.Count >= FullAt)
        {
            // Once a batch, which is at most a millisecond old, unless it can't leave: asking the clock costs a tenth of decoding a message.
            _batchBegan = Ticks.From(_engine.Clock.GetUtcNow());
        }

        Buffer.BeginMessage(payload.ReceivedTicks != 0 ? payload.ReceivedTicks : _batchBegan);
        try
        {
            _decoder!.Decode(in payload, Buffer);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Buffer.Reject(DeadLetterReason.Malformed, $"The decoder threw {error.GetType().Name}: {error.Message}");
        }

        if (Buffer.Rejection is { } reason)
        {
            DeadLetters++;
            _engine.AddDeadLetter(reason, _source.Name, payload.Topic, Buffer.RejectionDetail, payload.Bytes);
            acknowledger?.Rejected(delivery!, reason, Buffer.RejectionDetail);
            return;
        }

        Events += Buffer.MessageCount;
        if (Buffer.Count > _options.CapacityEvents && _options.Backpressure != BackpressureMode.Wait)
        {
            Overflow(in payload, acknowledger is not null);
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
                int count = Buffer.MessageCount;
                Buffer.Reject(DeadLetterReason.Overflow, "");
                if (mustNotLose)
                {
                    DeadLetters++;
                    _engine.AddDeadLetter(DeadLetterReason.Overflow, _source.Name, payload.Topic, "The queries did not keep up.", payload.Bytes);
                    return;
                }

                Dropped += count;
                return;
            case BackpressureMode.DropOldest:
                int excess = Buffer.Count - _options.CapacityEvents;
                foreach (ref readonly var value in Buffer.Events[..excess])
                {
                    if (_hasAcknowledged || mustNotLose)
                    {
                        DeadLetters++;
                        _engine.AddDeadLetter(DeadLetterReason.Overflow, _source.Name, "The queries did not keep up.", value);
                    }
                    else
                    {
                        Dropped++;
                    }
                }

                Buffer.RemoveFirst(excess);
                return;
            default:
                Dropped += Buffer.MessageCount;
                Buffer.Reject(DeadLetterReason.Overflow, "");
                throw new InvalidOperationException(
                    $"Source '{_source.Name}' has {_options.CapacityEvents:N0} events waiting and its backpressure mode is Fail. Use Wait or a dropping mode, or make the queries or sinks faster.");
        }
    }

    /// <summary>Pushes the current batch through the queries, if they have room.</summary>
    private bool TryFlush()
    {
        if (!MayPush)
        {
            Interrupt();
            return false;
        }

        if (Buffer.Count > 0)
        {
            try
            {
                Push(Buffer.Events, default);
            }
            finally
            {
                // Whatever happened, the batch has been given to the queries: none gets it twice.
                Buffer.Clear();
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

        SeePauses();
        _running.OnEvent();
        _source.TellRunningTime(isHeld: false);
        Partition!.OnEvents(new Batch<T>(events, ticks));
        _source.Timelines.RepeatWatermark();

        if (_source.KeepsTogether)
        {
            LookAhead();
            _source.LetGo();
        }
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
            _batchTimer!.Change(TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            return;
        }

        try
        {
            _timerIsSet = false;
            if (_buffer is null)
            {
                return;
            }

            if (!_source.FailSafely(TryFlush) && !_source.IsCompleted)
            {
                // Looked at again soon; whoever waits for room looks as well.
                _timerIsSet = true;
                _batchTimer!.Change(TimeSpan.FromMilliseconds(5), Timeout.InfiniteTimeSpan);
            }
        }
        finally
        {
            _stage.Gate.Exit();
        }
    }

    private async Task WaitUntilFlushedAsync()
    {
        while (true)
        {
            lock (_stage.Gate)
            {
                if (Buffer.Count < FullAt || TryFlush())
                {
                    return;
                }
            }

            try
            {
                await WaitForRoomAsync(Stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (Stop.IsCancellationRequested)
            {
                // The message is in the buffer, which is pushed before the source has ended: the transport can close in peace.
                return;
            }
        }
    }

    internal async Task FlushAllAsync()
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
        await _source.CaughtUp.WaitAsync(() => !_isAhead, stop).ConfigureAwait(false);
    }
}
