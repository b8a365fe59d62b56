using System.Threading.Tasks.Sources;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>One message that became a dead letter.</summary>
/// <param name="Index">Its place in its request, from 0.</param>
/// <param name="Reason">Why.</param>
/// <param name="Detail">What exactly was wrong. Text that names what a device sent.</param>
internal readonly record struct ItemError(long Index, DeadLetterReason Reason, string Detail);

/// <summary>
/// What one request gave to the engine, and what became of it: counts its messages and their acknowledgements, and wakes the request when all are there, or few enough to read on. Pooled;
/// it goes back when the request has let it go and the last acknowledgement has come, whichever is later.
/// </summary>
/// <param name="release">Takes it back.</param>
internal sealed class Delivery(Action<Delivery> release) : IAcknowledger, IValueTaskSource<bool>
{
    private readonly Lock _gate = new();

    // The engine acknowledges under its own lock: the request goes on elsewhere.
    private ManualResetValueTaskSourceCore<bool> _wait = new() { RunContinuationsAsynchronously = true };
    private List<ItemError>? _errors;
    private IdempotentAnswer? _answer;
    private PrincipalBudget? _budget;
    private int _maxErrors;

    // Messages that were begun in the budget and not handed over yet.
    private int _free;
    private long _received;
    private long _acknowledged;
    private long _until = -1;
    private bool _isLetGo;

    /// <summary>Its neighbours among those that wait for the engine.</summary>
    internal Delivery? Next, Previous;

    /// <summary>When its waiting ends.</summary>
    internal long Deadline;

    internal long Received => _received;

    internal long Rejected { get; private set; }

    internal IReadOnlyList<ItemError> Errors => _errors ?? [];

    internal long Unacknowledged => Volatile.Read(ref _received) - Volatile.Read(ref _acknowledged);

    /// <summary>Whether one more may be handed over without a look at the budget.</summary>
    internal bool HasRoom => _free > 0;

    internal void Begin(int maxErrors, IdempotentAnswer? answer, PrincipalBudget budget)
    {
        (_maxErrors, _answer, _budget, _free) = (maxErrors, answer, budget, 0);
        (_received, _acknowledged, Rejected, _until, _isLetGo) = (0, 0, 0, -1, false);
        if (_errors is { Capacity: > 16 })
        {
            _errors = null;
        }

        _errors?.Clear();
    }

    /// <summary>Begins messages in the sender's budget, each of which ends with its acknowledgement, however long after the request that is.</summary>
    internal bool TryReserve(int most)
    {
        _free += _budget!.BeginMessages(most);
        return _free > 0;
    }

    /// <summary>Gives back what was begun and is not handed over now.</summary>
    internal void GiveBack()
    {
        if (_free > 0)
        {
            _budget!.EndMessages(_free);
            _free = 0;
        }
    }

    /// <summary>One more message is about to be handed over.</summary>
    internal void Count()
    {
        _free--;
        Volatile.Write(ref _received, _received + 1);
    }

    /// <summary>A message that was never handed over, because it is too long.</summary>
    internal void Reject(DeadLetterReason reason, string detail)
    {
        lock (_gate)
        {
            Volatile.Write(ref _received, _received + 1);
            Volatile.Write(ref _acknowledged, _acknowledged + 1);
        }

        OnRejected(reason, detail);
    }

    void IAcknowledger.Acknowledge(object delivery) => OnAcknowledged(1);

    void IAcknowledger.AcknowledgeAll(object delivery, int count) => OnAcknowledged(count);

    void IAcknowledger.Rejected(object delivery, DeadLetterReason reason, string detail) => OnRejected(reason, detail);

    /// <summary>True when no more than so many messages wait for their acknowledgement; false when the time is over before. One call at a time.</summary>
    internal ValueTask<bool> WaitAsync(long most, WaitingRoom room)
    {
        lock (_gate)
        {
            if (_received - _acknowledged <= most)
            {
                return new ValueTask<bool>(true);
            }

            _wait.Reset();
            _until = most;
            room.Enter(this);
            return new ValueTask<bool>(this, _wait.Version);
        }
    }

    /// <summary>The time is over, unless another wait has begun since.</summary>
    internal void GiveUp(long deadline)
    {
        lock (_gate)
        {
            if (_until >= 0 && Deadline == deadline)
            {
                _until = -1;
                _wait.SetResult(false);
            }
        }
    }

    /// <summary>
    /// Nothing was handed over: the key's answer is not this one's to give. Without this, a request that was cut off in its body would answer for a moment, until its key is free again,
    /// that all of its no messages are acknowledged, and the repetition that comes in that moment would believe it.
    /// </summary>
    internal void LeaveAnswer() => _answer = null;

    /// <summary>The request is done with it. What is still to be acknowledged tells the idempotency key's answer.</summary>
    internal void LetGo()
    {
        GiveBack();
        bool isDone;
        lock (_gate)
        {
            _isLetGo = true;
            isDone = _received == _acknowledged;
        }

        if (isDone)
        {
            End();
        }
    }

    internal Outcome Outcome() => new(_received, Rejected, _errors is { Count: > 0 } ? [.. _errors] : []);

    /// <summary>Goes on behind the lines that an earlier request of the same key brought: the report is about all of them.</summary>
    internal void GoOnBehind(Outcome before)
    {
        (_received, _acknowledged, Rejected) = (before.Received, before.Received, before.Rejected);
        (_errors ??= []).AddRange(before.Errors);
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private void OnRejected(DeadLetterReason reason, string detail)
    {
        Rejected++;
        if (Rejected <= _maxErrors)
        {
            (_errors ??= []).Add(new ItemError(_received - 1, reason, detail));
        }
    }

    private void OnAcknowledged(int count)
    {
        _budget!.EndMessages(count);
        bool isDone;
        lock (_gate)
        {
            Volatile.Write(ref _acknowledged, _acknowledged + count);
            long left = _received - _acknowledged;
            if (_until >= 0 && left <= _until)
            {
                _until = -1;
                _wait.SetResult(true);
            }

            isDone = _isLetGo && left == 0;
        }

        if (isDone)
        {
            End();
        }
    }

    private void End()
    {
        _answer?.Complete(Outcome());
        (_answer, _budget) = (null, null);
        release(this);
    }
}

/// <summary>What became of a request's messages.</summary>
/// <param name="Received">How many it held.</param>
/// <param name="Rejected">How many became dead letters.</param>
/// <param name="Errors">The first of these.</param>
internal sealed record Outcome(long Received, long Rejected, IReadOnlyList<ItemError> Errors);

/// <summary>Those that wait for the engine, in the order in which their time is over.</summary>
internal sealed class WaitingRoom : IDisposable
{
    /// <summary>How late a wait may end: a tenth of the shortest sensible bound, and rare enough to cost nothing.</summary>
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly long _longest;
    private readonly ITimer _timer;
    private Delivery? _first;
    private Delivery? _last;
    private bool _ticks;

    internal WaitingRoom(TimeSpan longest, TimeProvider clock)
    {
        _clock = clock;
        _longest = (long)(longest.TotalSeconds * clock.TimestampFrequency);
        _timer = clock.CreateTimer(static state => ((WaitingRoom)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    internal void Enter(Delivery delivery)
    {
        lock (_gate)
        {
            delivery.Deadline = _clock.GetTimestamp() + _longest;
            (delivery.Previous, delivery.Next) = (_last, null);
            _ = _last is null ? _first = delivery : _last.Next = delivery;
            _last = delivery;
            if (!_ticks)
            {
                _ticks = true;
                _timer.Change(_tick, _tick);
            }
        }
    }

    internal void Leave(Delivery delivery)
    {
        lock (_gate)
        {
            Unlink(delivery);
        }
    }

    /// <summary>Ends the waits whose time is over; all of them where the engine has gone.</summary>
    internal void Look(bool all = false)
    {
        while (true)
        {
            Delivery late;
            long deadline;
            lock (_gate)
            {
                if (_first is null)
                {
                    _ticks = false;
                    _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                    return;
                }

                (late, deadline) = (_first, _first.Deadline);
                if (!all && deadline > _clock.GetTimestamp())
                {
                    return;
                }

                Unlink(late);
            }

            late.GiveUp(deadline);
        }
    }

    private void Unlink(Delivery delivery)
    {
        if (delivery.Previous is null && _first != delivery)
        {
            return;
        }

        _ = delivery.Previous is null ? _first = delivery.Next : delivery.Previous.Next = delivery.Next;
        _ = delivery.Next is null ? _last = delivery.Previous : delivery.Next.Previous = delivery.Previous;
        (delivery.Previous, delivery.Next) = (null, null);
    }
}
