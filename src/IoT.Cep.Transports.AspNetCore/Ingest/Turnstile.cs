using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Messages that are at hand together.</summary>
internal interface IMessages
{
    /// <summary>Gives the next one.</summary>
    /// <param name="payload">The message.</param>
    /// <param name="problem">Why it is none and becomes a dead letter; null where it is one.</param>
    /// <returns>False where there is none, or none may come now.</returns>
    bool TryTake(out Payload payload, out string? problem);
}

/// <summary>Lets one message after the other to the receiver, from any number of requests: the next one when the one before has been taken.</summary>
internal sealed class Turnstile
{
    /// <summary>How many messages of one sender go through before others have their turn: some ten microseconds.</summary>
    private const int MessagesAtOnce = 256;

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IPayloadReceiver? _receiver;
    private Task _busy = Task.CompletedTask;
    private int _arriving;

    /// <summary>Fails when the receiver does: its errors are the source's.</summary>
    internal Task Failed => _failed.Task;

    internal bool IsOpen => Volatile.Read(ref _receiver) is not null;

    internal void Open(IPayloadReceiver receiver)
    {
        lock (_gate)
        {
            _receiver = receiver;
        }
    }

    /// <summary>Lets nothing more through; complete when what is on its way has been taken.</summary>
    internal Task CloseAsync()
    {
        lock (_gate)
        {
            _receiver = null;
            return _busy;
        }
    }

    /// <summary>Hands a message over, if the engine takes one now.</summary>
    /// <param name="payload">The message.</param>
    /// <param name="delivery">Told what becomes of it.</param>
    /// <param name="isLast">Whether its sender waits for the answer now: unless others are about to hand something over, what was taken goes on at once.</param>
    /// <param name="busy">What to wait for; null where nothing is running that could take it.</param>
    internal bool TryPass(in Payload payload, IAcknowledger delivery, bool isLast, out Task? busy)
    {
        if (isLast)
        {
            Interlocked.Increment(ref _arriving);
        }

        lock (_gate)
        {
            bool isAlone = isLast && Interlocked.Decrement(ref _arriving) == 0;
            if (!CanTake(out busy) || !Give(in payload, delivery))
            {
                return false;
            }

            if (isAlone && _busy.IsCompleted)
            {
                _receiver?.Flush();
            }

            return true;
        }
    }

    /// <summary>Hands over message after message, as long as there are some and the engine takes them: one turn for many.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="delivery">Told what becomes of them.</param>
    /// <param name="busy">What to wait for where the engine takes none now; null where nothing is running that could.</param>
    /// <returns>False where the engine takes none now.</returns>
    internal bool TryPassAll(IMessages messages, Delivery delivery, out Task? busy)
    {
        lock (_gate)
        {
            busy = null;
            for (int i = 0; i < MessagesAtOnce; i++)
            {
                // Before one is taken: it must not be lost.
                if (!CanTake(out busy))
                {
                    return false;
                }

                if (!messages.TryTake(out var payload, out string? problem))
                {
                    return true;
                }

                if (problem is not null)
                {
                    _receiver!.Reject(in payload, DeadLetterReason.TooLarge, problem);
                    delivery.Reject(DeadLetterReason.TooLarge, problem);
                }
                else if (!Give(in payload, delivery))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>What was taken goes on at once: its sender waits for the answer.</summary>
    internal void Flush()
    {
        lock (_gate)
        {
            if (!_busy.IsCompleted)
            {
                return;
            }

            try
            {
                _receiver?.Flush();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                Fail(error);
            }
        }
    }

    internal void CountDuplicate()
    {
        lock (_gate)
        {
            _receiver?.CountDuplicate();
        }
    }

    private bool CanTake(out Task? busy)
    {
        busy = _receiver is null || _busy.IsCompleted ? null : _busy;
        return _receiver is not null && busy is null;
    }

    private bool Give(in Payload payload, IAcknowledger delivery)
    {
        (delivery as Delivery)?.Count();
        try
        {
            var taken = _receiver!.ReceiveAsync(in payload, delivery, delivery);
            _busy = taken.IsCompletedSuccessfully ? Task.CompletedTask : WatchAsync(taken.AsTask());
            return true;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Fail(error);
            return false;
        }
    }

    private async Task WatchAsync(Task taken)
    {
        try
        {
            await taken.ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            lock (_gate)
            {
                Fail(error);
            }
        }
    }

    private void Fail(Exception error)
    {
        _receiver = null;
        _failed.TrySetException(error);
    }
}
