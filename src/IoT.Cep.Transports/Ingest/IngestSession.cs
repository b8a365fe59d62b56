using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>One message of QoS 1 or 2 in the hands of the engine. Made once and used again.</summary>
internal sealed class IngestDelivery
{
    internal ushort PacketId;
    internal bool IsExactlyOnce;
    internal MqttReason Reason;

    /// <summary>How many receivers have not acknowledged it.</summary>
    internal int Remaining;

    /// <summary>The connection by which it came last; its acknowledgement goes nowhere else.</summary>
    internal IngestConnection? Connection;
    internal PrincipalBudget? Budget;
    internal IngestDelivery? Next;
}

/// <summary>
/// What is kept of a client beyond its connection: which messages the engine has and which of QoS 2 it has had, in order, and which commands wait for it.
/// Bounded by the receive maximum. Any thread; one lock.
/// </summary>
internal sealed partial class IngestSession : IAcknowledger
{
    private readonly MqttIngestEndpoint _endpoint;

    // Those whose acknowledgement is due next stand first: MQTT wants them in the order of the messages (MQTT 5, 4.6).
    private IngestDelivery? _first;
    private IngestDelivery? _last;
    private IngestDelivery? _free;

    /// <summary>The ids of QoS 2 that were not released: with the delivery while the engine has it, with null once it is in place.</summary>
    private Dictionary<ushort, IngestDelivery?>? _exactlyOnce;
    private int _inFlight;
    private int _unreleased;
    private Waiter? _room;
    private TaskCompletionSource? _quiet;

    internal IngestSession(MqttIngestEndpoint endpoint, string clientId, Identity owner) => (_endpoint, ClientId, Owner) = (endpoint, clientId, owner);

    internal Lock Gate { get; } = new();

    internal string ClientId { get; }

    /// <summary>Who made it: nobody else gets it under the same client id.</summary>
    internal Identity Owner { get; }

    /// <summary>The connection that it is at; null: the client is away.</summary>
    internal IngestConnection? Connection { get; private set; }

    /// <summary>How long it is kept after its connection, in milliseconds; 0: not at all.</summary>
    internal long KeptFor { get; set; }

    /// <summary>When its client went away, in the endpoint's milliseconds.</summary>
    internal long AwaySince { get; private set; }

    /// <summary>How many messages the engine has, and how many of QoS 2 wait for their release.</summary>
    internal int Unfinished
    {
        get
        {
            lock (Gate)
            {
                return _inFlight + _unreleased;
            }
        }
    }

    /// <summary>A connection takes it. What an earlier one had not handed over by now, it will not hand over any more.</summary>
    internal void Attach(IngestConnection connection)
    {
        lock (Gate)
        {
            Connection = connection;
        }
    }

    /// <returns>Whether it was this connection's until now.</returns>
    internal bool Detach(IngestConnection connection)
    {
        lock (Gate)
        {
            if (Connection != connection)
            {
                return false;
            }

            Connection = null;
            AwaySince = _endpoint.Now;
            CommandsRoomChanged();
            return true;
        }
    }

    /// <summary>Completes when the engine has nothing of it any more.</summary>
    internal Task QuietAsync()
    {
        lock (Gate)
        {
            _quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_inFlight == 0)
            {
                _quiet.TrySetResult();
            }

            return _quiet.Task;
        }
    }

    /// <summary>What happened to a message of QoS 1 or 2 that came in.</summary>
    internal enum Taken : byte
    {
        /// <summary>It is new, and goes to the engine.</summary>
        New,

        /// <summary>It was taken before, and is or will be acknowledged.</summary>
        Duplicate,

        /// <summary>More are under way than may be.</summary>
        TooMany,

        /// <summary>Another connection has the session.</summary>
        Gone,
    }

    /// <summary>Notes a message before the engine gets it.</summary>
    /// <param name="connection">By which it came.</param>
    /// <param name="packetId">Its id.</param>
    /// <param name="isExactlyOnce">Whether it is of QoS 2.</param>
    /// <param name="isRepeated">Whether its sender says that it was sent before.</param>
    /// <param name="receivers">How many will acknowledge it.</param>
    /// <param name="delivery">What they hand back; null where it is not new.</param>
    internal Taken Take(IngestConnection connection, ushort packetId, bool isExactlyOnce, bool isRepeated, int receivers, out IngestDelivery? delivery)
    {
        delivery = null;
        lock (Gate)
        {
            if (Connection != connection)
            {
                return Taken.Gone;
            }

            if (isExactlyOnce ? IsKnown(connection, packetId) : isRepeated && IsUnderWay(connection, packetId))
            {
                return Taken.Duplicate;
            }

            // MQTT 3 knows no limit: its clients are not read while the engine has so many, and only ids that they never release can become too many.
            int most = connection.ReceiveMaximum;
            if (connection.IsVersion5 ? _inFlight + _unreleased >= most : isExactlyOnce && _unreleased >= most)
            {
                return Taken.TooMany;
            }

            delivery = _free ?? new IngestDelivery();
            _free = delivery.Next;
            (delivery.PacketId, delivery.IsExactlyOnce, delivery.Reason) = (packetId, isExactlyOnce, MqttReason.Success);
            (delivery.Remaining, delivery.Connection, delivery.Next) = (receivers, connection, null);
            _last = _last is null ? _first = delivery : _last.Next = delivery;
            _inFlight++;
            if (isExactlyOnce)
            {
                (_exactlyOnce ??= []).Add(packetId, delivery);
            }

            return Taken.New;
        }
    }

    /// <summary>Answers a message that no receiver gets, behind those before it.</summary>
    internal void Refuse(IngestDelivery delivery, MqttReason reason)
    {
        lock (Gate)
        {
            delivery.Reason = reason;
            delivery.Remaining = 0;
            Drain();
        }
    }

    public void Acknowledge(object delivery)
    {
        var known = (IngestDelivery)delivery;
        lock (Gate)
        {
            if (--known.Remaining <= 0)
            {
                Drain();
            }
        }
    }

    public void Rejected(object delivery, DeadLetterReason reason, string detail)
    {
        lock (Gate)
        {
            ((IngestDelivery)delivery).Reason = reason is DeadLetterReason.Malformed ? MqttReason.PayloadFormatInvalid : MqttReason.Unspecified;
        }
    }

    /// <summary>The client has the PUBREC: its id may be used again.</summary>
    /// <returns>Whether the id was known.</returns>
    internal bool Release(ushort packetId)
    {
        lock (Gate)
        {
            if (_exactlyOnce is null || !_exactlyOnce.Remove(packetId, out var delivery))
            {
                return false;
            }

            _unreleased -= delivery is null ? 1 : 0;
            return true;
        }
    }

    /// <summary>Whether the engine has as many messages of this client as it may; MQTT 3 has no way to tell the client, so it is not read.</summary>
    internal bool IsFull(int most) => Volatile.Read(ref _inFlight) >= most;

    /// <summary>Waits until half of the room is free, so that a client is woken for many messages and not for each.</summary>
    internal ValueTask WaitForRoomAsync(Waiter waiter, int most)
    {
        lock (Gate)
        {
            if (_inFlight < most)
            {
                return ValueTask.CompletedTask;
            }

            _room = waiter;
            return waiter.Begin();
        }
    }

    /// <summary>Whoever waits for room looks again.</summary>
    internal void WakeRoom()
    {
        lock (Gate)
        {
            SignalRoom();
        }
    }

    private void Drain()
    {
        while (_first is { Remaining: <= 0 } done)
        {
            _first = done.Next;
            _last = _first is null ? null : _last;
            _inFlight--;
            Answer(done);
            done.Connection = null;
            done.Budget?.EndMessage();
            done.Budget = null;
            done.Next = _free;
            _free = done;
        }

        if (_room is not null && _inFlight <= (Connection?.ReceiveMaximum ?? 0) / 2)
        {
            SignalRoom();
        }

        if (_inFlight == 0)
        {
            _quiet?.TrySetResult();
        }
    }

    private void Answer(IngestDelivery done)
    {
        bool isCurrent = Connection is not null && Connection == done.Connection;
        var reason = Connection is { IsVersion5: true } ? done.Reason : MqttReason.Success;
        if (done.IsExactlyOnce && _exactlyOnce is not null && _exactlyOnce.TryGetValue(done.PacketId, out var current) && current == done)
        {
            // An answer of refusal ends the exchange: no release follows.
            if (reason >= MqttReason.Unspecified && isCurrent)
            {
                _exactlyOnce.Remove(done.PacketId);
            }
            else
            {
                _exactlyOnce[done.PacketId] = null;
                _unreleased++;
            }
        }

        if (isCurrent)
        {
            Connection!.Output.Answer(done.IsExactlyOnce ? MqttPacketType.PubRec : MqttPacketType.PubAck, done.PacketId, reason);
        }
    }

    private bool IsKnown(IngestConnection connection, ushort packetId)
    {
        if (_exactlyOnce is null || !_exactlyOnce.TryGetValue(packetId, out var delivery))
        {
            return false;
        }

        if (delivery is null)
        {
            connection.Output.Answer(MqttPacketType.PubRec, packetId, MqttReason.Success);
        }
        else
        {
            delivery.Connection = connection;
        }

        return true;
    }

    // On one connection an id that is not acknowledged is not used again, so this is a message that an earlier connection brought.
    private bool IsUnderWay(IngestConnection connection, ushort packetId)
    {
        for (var delivery = _first; delivery is not null; delivery = delivery.Next)
        {
            if (delivery.PacketId == packetId && !delivery.IsExactlyOnce && delivery.Connection != connection)
            {
                delivery.Connection = connection;
                return true;
            }
        }

        return false;
    }

    private void SignalRoom()
    {
        var room = _room;
        _room = null;
        room?.Signal();
    }
}
