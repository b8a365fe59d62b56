using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Lets one message after the other to the receiver, from any number of requests: the next one when the one before has been taken.</summary>
internal sealed class Turnstile
{
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
            busy = null;
            if (_receiver is null)
            {
                return false;
            }

            if (!_busy.IsCompleted)
            {
                busy = _busy;
                return false;
            }

            (delivery as Delivery)?.Count();
            try
            {
                var taken = _receiver.ReceiveAsync(in payload, delivery, delivery);
                _busy = taken.IsCompletedSuccessfully ? Task.CompletedTask : WatchAsync(taken.AsTask());
                if (isAlone && _busy.IsCompleted)
                {
                    _receiver?.Flush();
                }

                return true;
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                Fail(error);
                return false;
            }
        }
    }

    /// <summary>Makes a dead letter of a message that is too long, if something is running.</summary>
    internal bool TryReject(in Payload payload, DeadLetterReason reason, string detail)
    {
        lock (_gate)
        {
            _receiver?.Reject(in payload, reason, detail);
            return _receiver is not null;
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
