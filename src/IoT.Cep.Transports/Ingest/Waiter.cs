using System.Threading.Tasks.Sources;

namespace IoT.Cep;

/// <summary>One who waits for one thing at a time, again and again, without allocating: a connection waits for its turn, or for room.</summary>
internal sealed class Waiter : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    /// <summary>The next in the same queue.</summary>
    internal Waiter? Next { get; set; }

    private bool _isCancelled;

    /// <summary>Begins to wait. Called before anyone may signal.</summary>
    internal ValueTask Begin()
    {
        _core.Reset();
        return new ValueTask(this, _core.Version);
    }

    /// <summary>Ends the wait. Exactly once for each <see cref="Begin"/>.</summary>
    internal void Signal() => _core.SetResult(true);

    /// <summary>Ends the wait without what was waited for.</summary>
    internal void Cancel()
    {
        _isCancelled = true;
        _core.SetResult(false);
    }

    /// <summary>Whether the wait that has just ended was cancelled.</summary>
    internal bool TakeCancelled()
    {
        bool wasCancelled = _isCancelled;
        _isCancelled = false;
        return wasCancelled;
    }

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}

/// <summary>
/// Lets one through at a time, in the order in which they came: a receiver is called by one connection at a time. Who finds it free does not wait and
/// awaits nothing; who has to wait brings what it waits with, so nothing is allocated.
/// </summary>
internal sealed class Turnstile
{
    private readonly Lock _gate = new();
    private Waiter? _first;
    private Waiter? _last;
    private bool _isTaken;

    internal bool TryEnter()
    {
        lock (_gate)
        {
            return !_isTaken && (_isTaken = true);
        }
    }

    /// <summary>Enters, at once or in turn.</summary>
    /// <param name="waiter">Waits for it; not in use elsewhere.</param>
    internal ValueTask EnterAsync(Waiter waiter)
    {
        lock (_gate)
        {
            if (!_isTaken)
            {
                _isTaken = true;
                return ValueTask.CompletedTask;
            }

            var turn = waiter.Begin();
            waiter.Next = null;
            _last = _last is null ? _first = waiter : _last.Next = waiter;
            return turn;
        }
    }

    /// <summary>Takes one out of the queue; nothing happens where it is not in it.</summary>
    internal void Cancel(Waiter waiter)
    {
        lock (_gate)
        {
            Waiter? before = null;
            for (var at = _first; at != waiter; at = at.Next)
            {
                if (at is null)
                {
                    return;
                }

                before = at;
            }

            if (before is null)
            {
                _first = waiter.Next;
            }
            else
            {
                before.Next = waiter.Next;
            }

            _last = _last == waiter ? before : _last;
        }

        waiter.Cancel();
    }

    /// <summary>Lets the next one in.</summary>
    internal void Leave()
    {
        Waiter? next;
        lock (_gate)
        {
            next = _first;
            _first = next?.Next;
            _last = _first is null ? null : _last;
            _isTaken = next is not null;
        }

        next?.Signal();
    }
}
