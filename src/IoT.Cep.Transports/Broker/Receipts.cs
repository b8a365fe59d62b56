using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// The messages of one publisher that wait for their acknowledgement: it goes out when MQTTnet has spread the message, the disk has it, and every source in this process has acknowledged it; and
/// in the order in which they came, as the protocol demands.
/// </summary>
/// <param name="adapter">Sends packets to the publisher.</param>
/// <param name="budget">What the publisher may have under way; null: the process itself.</param>
internal sealed class Receipts(BrokerAdapter adapter, PrincipalBudget? budget)
{
    private readonly Lock _gate = new();
    private readonly Queue<Receipt> _waiting = new();
    private readonly Queue<MqttPacket> _due = new();
    private TaskCompletionSource? _progress;
    private bool _isSending;
    private bool _isClosed;

    /// <summary>The message that is being spread now: MQTTnet takes one after the other of a connection.</summary>
    internal Receipt? Current { get; private set; }

    /// <summary>Begins one. False: too many are under way; <see cref="NextAsync"/> tells when to look again.</summary>
    /// <param name="packetId">The message's id.</param>
    internal bool TryBegin(ushort packetId)
    {
        if (budget is not null && !budget.TryBeginMessage())
        {
            return false;
        }

        lock (_gate)
        {
            Current = new Receipt(this, packetId);
            _waiting.Enqueue(Current);
        }

        return true;
    }

    /// <summary>A message of QoS 0 is being spread: nothing is to be acknowledged.</summary>
    internal void Unacknowledged() => Current = null;

    /// <summary>Completes when one more is acknowledged; null: none is under way here.</summary>
    internal Task? NextAsync()
    {
        lock (_gate)
        {
            return _waiting.Count == 0 ? null : (_progress ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>MQTTnet's acknowledgement: it is kept until its turn comes.</summary>
    /// <param name="packetId">The message's id.</param>
    /// <param name="answer">The acknowledgement.</param>
    /// <returns>False: no such message is known, and it goes out as it is.</returns>
    internal bool TryAnswer(ushort packetId, MqttPacket answer)
    {
        Receipt? receipt = null;
        lock (_gate)
        {
            foreach (var waiting in _waiting)
            {
                if (waiting.PacketId == packetId && waiting.Answer is null)
                {
                    receipt = waiting;
                    break;
                }
            }
        }

        if (receipt is null)
        {
            return false;
        }

        if (receipt.IsTaken && answer is MqttPubAckPacket { ReasonCode: MqttPubAckReasonCode.NoMatchingSubscribers } taken)
        {
            taken.ReasonCode = MqttPubAckReasonCode.Success;
        }
        else if (receipt.IsTaken && answer is MqttPubRecPacket { ReasonCode: MqttPubRecReasonCode.NoMatchingSubscribers } received)
        {
            received.ReasonCode = MqttPubRecReasonCode.Success;
        }

        receipt.Answer = answer;
        receipt.Done();
        return true;
    }

    /// <summary>The connection is gone: nobody waits for an acknowledgement any more, and the publisher sends again what it has none for.</summary>
    internal void Close()
    {
        int count;
        lock (_gate)
        {
            _isClosed = true;
            count = _waiting.Count;
            _waiting.Clear();
            _due.Clear();
            _progress?.TrySetResult();
        }

        for (int i = 0; i < count; i++)
        {
            budget?.EndMessage();
        }
    }

    internal void Advance()
    {
        int ended = 0;
        lock (_gate)
        {
            while (_waiting.TryPeek(out var head) && head.IsComplete)
            {
                _waiting.Dequeue();
                _due.Enqueue(head.Answer!);
                ended++;
            }

            if (ended > 0)
            {
                _progress?.TrySetResult();
                _progress = null;
            }

            if (ended > 0 && !_isSending)
            {
                _isSending = true;
                _ = Task.Run(SendAsync);
            }
        }

        for (int i = 0; i < ended; i++)
        {
            budget?.EndMessage();
        }
    }

    private async Task SendAsync()
    {
        while (true)
        {
            MqttPacket? next;
            lock (_gate)
            {
                if (_isClosed || !_due.TryDequeue(out next))
                {
                    _isSending = false;
                    return;
                }
            }

            try
            {
                await adapter.SendPacketAsync(next, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (MqttFailure.IsTransient(e))
            {
                // The connection broke; its reading half notices.
            }
        }
    }
}

/// <summary>One message of QoS 1 or 2 on its way through the broker.</summary>
internal sealed class Receipt(Receipts owner, ushort packetId)
{
    // One for MQTTnet's own answer.
    private int _open = 1;

    internal ushort PacketId => packetId;

    internal MqttPacket? Answer { get; set; }

    /// <summary>Whether someone has the message of whom MQTTnet does not know: a source in this process, a member of a group.</summary>
    internal bool IsTaken { get; set; }

    internal bool IsComplete => Volatile.Read(ref _open) == 0;

    /// <summary>One more has to be done with the message before it is acknowledged.</summary>
    internal void Add() => Interlocked.Increment(ref _open);

    internal void Done()
    {
        if (Interlocked.Decrement(ref _open) == 0)
        {
            owner.Advance();
        }
    }
}
