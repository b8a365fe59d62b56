using IoT.Cep.Extensibility;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// What a receiver remembers of an MQTT session across its connections: which messages it has taken, so that a redelivery
/// of one is counted and not decoded again, and which acknowledgements are due. Bounded by the protocol: packet ids have 16 bits.
/// </summary>
/// <param name="receiver">Where messages go.</param>
/// <param name="filters">What was subscribed to; null: no template is looked for.</param>
internal sealed class InboundSession(IPayloadReceiver receiver, Func<IReadOnlyList<MqttFilter>>? filters = null) : IAcknowledger, IThreadPoolWorkItem
{
    private const int PageSize = 256;

    private readonly UserProperties _properties = new();

    /// <summary>
    /// Where a broker counts packet ids up, an id returns after 65,535 messages; a redelivered id less than half of that behind
    /// the newest one is therefore the old message and no new one under a used id.
    /// </summary>
    private const int HalfRound = 32_768;

    private readonly Lock _gate = new();
    private readonly Delivery?[]?[] _pages = new Delivery?[(ushort.MaxValue + 1) / PageSize][];
    private readonly Queue<(ushort PacketId, MqttQualityOfServiceLevel QualityOfService)> _acknowledgements = new();
    private readonly MqttPubAckPacket _pubAck = new();
    private readonly MqttPubRecPacket _pubRec = new();
    private IMqttChannelAdapter? _adapter;
    private BufferedChannel? _channel;
    private int _connection;
    private TaskCompletionSource? _sending;
    private TaskCompletionSource? _quiet;
    private int _unacknowledged;
    private volatile string?[] _aliases = [];
    private bool _closing;
    private bool _idsCountUp = true;
    private ushort _lastId;

    /// <summary>The broker accepted a connection; its first messages may follow at once.</summary>
    /// <param name="adapter">Sends packets on it.</param>
    /// <param name="channel">Its channel.</param>
    /// <param name="sessionPresent">Whether the broker goes on with the session that it had.</param>
    internal void Connected(IMqttChannelAdapter adapter, BufferedChannel channel, bool sessionPresent)
    {
        lock (_gate)
        {
            _adapter = adapter;
            _channel = channel;
            _connection++;
            _aliases = TopicAliasMaximum == 0 ? [] : new string?[TopicAliasMaximum + 1];
            _acknowledgements.Clear();
            if (!sessionPresent)
            {
                Array.Clear(_pages);
                _lastId = 0;
                _idsCountUp = true;
            }
        }
    }

    /// <summary>Takes messages in place of the receiver, with all that came with them; acknowledged as they are taken. Null: the receiver takes them.</summary>
    internal Func<MqttPublishPacket, ValueTask>? Direct { get; init; }

    /// <summary>Whether messages that a broker kept for new subscribers are passed over.</summary>
    internal bool SkipsRetained { get; init; }

    /// <summary>
    /// Whether the broker does not say if it kept the session (MQTT 3.1) and is believed to have: then a repetition is known by its mark and content, and a session that was lost repeats nothing.
    /// </summary>
    internal bool AssumesSession { get; init; }

    /// <summary>How many topics the broker may replace by a number, from the next connection on.</summary>
    internal int TopicAliasMaximum { get; init; }

    /// <summary>The connection is gone: what is acknowledged from here on is not sent, and the broker delivers it again.</summary>
    internal void Disconnected()
    {
        lock (_gate)
        {
            _adapter = null;
            _acknowledgements.Clear();
        }
    }

    /// <summary>Takes no more messages, and completes when the receiver has acknowledged all that it has.</summary>
    internal Task QuietAsync()
    {
        lock (_gate)
        {
            _closing = true;
            _quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_unacknowledged == 0)
            {
                _quiet.TrySetResult();
            }

            return _quiet.Task;
        }
    }

    /// <summary>Completes when the acknowledgements that are due were sent.</summary>
    internal Task AcknowledgementsSentAsync()
    {
        lock (_gate)
        {
            return _sending?.Task ?? Task.CompletedTask;
        }
    }

    /// <summary>Takes one message. The returned task completes when the next may follow.</summary>
    /// <param name="packet">The message.</param>
    internal ValueTask Receive(MqttPublishPacket packet)
    {
        if (_closing)
        {
            // The broker keeps it for the next start, as it does with what comes when the connection is closed.
            return ValueTask.CompletedTask;
        }

        if (packet.TopicAlias != 0 || string.IsNullOrEmpty(packet.Topic))
        {
            FindTopic(packet);
        }

        if (Direct is not null || (SkipsRetained && packet.Retain))
        {
            return TakeDirect(packet);
        }

        // One message at a time, so nothing is allocated for one.
        _properties.List = packet.UserProperties;
        var headers = packet.UserProperties is { Count: > 0 } ? new PayloadHeaders(_properties) : default;
        var filter = FilterOf(packet.Topic);
        var payload = new Payload(packet.Payload, filter?.NameOf(packet.Topic) ?? packet.Topic)
        {
            Template = filter?.Template,
            ContentType = packet.ContentType,
            Headers = headers,
            SentTicks = headers.Count == 0 ? 0 : MqttHeaders.SentTicks(headers),
        };
        if (packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce)
        {
            return receiver.ReceiveAsync(in payload);
        }

        if (Take(packet) is { } delivery)
        {
            return receiver.ReceiveAsync(in payload, this, delivery);
        }

        receiver.CountDuplicate();
        return ValueTask.CompletedTask;
    }

    private async ValueTask TakeDirect(MqttPublishPacket packet)
    {
        var delivery = packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce ? null : Take(packet);
        bool isNew = delivery is not null || packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce;
        if (Direct is not null && isNew)
        {
            await Direct(packet).ConfigureAwait(false);
        }

        if (delivery is not null)
        {
            Acknowledge(delivery);
        }
    }

    /// <summary>Puts the topic in for its number (MQTT 5, 3.3.2.3.4).</summary>
    private void FindTopic(MqttPublishPacket packet)
    {
        string?[] aliases = _aliases;
        if (packet.TopicAlias == 0 || packet.TopicAlias >= aliases.Length)
        {
            throw new MqttProtocolViolationException($"The broker used topic alias {packet.TopicAlias}, which it may not.");
        }

        if (string.IsNullOrEmpty(packet.Topic))
        {
            packet.Topic = aliases[packet.TopicAlias] ?? throw new MqttProtocolViolationException($"The broker used topic alias {packet.TopicAlias} before it said its topic.");
        }
        else
        {
            aliases[packet.TopicAlias] = packet.Topic;
        }
    }

    private MqttFilter? FilterOf(string topic)
    {
        if (filters?.Invoke() is { } known)
        {
            for (int i = 0; i < known.Count; i++)
            {
                if (known[i].Takes(topic))
                {
                    return known[i];
                }
            }
        }

        return null;
    }

    /// <summary>The broker released a packet id of QoS 2: a message under it is a new one from here on.</summary>
    /// <param name="packetId">The packet id.</param>
    internal void Released(ushort packetId)
    {
        lock (_gate)
        {
            if (_pages[packetId / PageSize]?[packetId % PageSize] is { QualityOfService: MqttQualityOfServiceLevel.ExactlyOnce } delivery)
            {
                delivery.State = delivery.State == DeliveryState.Taken ? DeliveryState.Taken : DeliveryState.Released;
            }
        }
    }

    public void Acknowledge(object delivery)
    {
        var known = (Delivery)delivery;
        lock (_gate)
        {
            known.State = DeliveryState.Committed;
            if (--_unacknowledged == 0)
            {
                _quiet?.TrySetResult();
            }

            if (known.Connection == _connection)
            {
                SendAcknowledgement(known);
            }
        }
    }

    /// <summary>Sends what is due, many in one write.</summary>
    public void Execute() => _ = SendAsync();

    /// <summary>The message's record, or null where it was taken before.</summary>
    private Delivery? Take(MqttPublishPacket packet)
    {
        int hash = HashOf(packet);
        lock (_gate)
        {
            var page = _pages[packet.PacketIdentifier / PageSize] ??= new Delivery?[PageSize];
            ref var slot = ref page[packet.PacketIdentifier % PageSize];
            if (slot is not null && slot.Hash == hash && IsRedelivery(slot, packet))
            {
                slot.Connection = _connection;
                if (slot.State != DeliveryState.Taken)
                {
                    SendAcknowledgement(slot);
                }

                return null;
            }

            Follow(packet.PacketIdentifier);

            // A record that the receiver still holds belongs to another message now: the broker gave its id away.
            var delivery = slot is null || slot.State == DeliveryState.Taken ? slot = new Delivery() : slot;
            delivery.PacketId = packet.PacketIdentifier;
            delivery.QualityOfService = packet.QualityOfServiceLevel;
            delivery.Hash = hash;
            delivery.Connection = _connection;
            delivery.State = DeliveryState.Taken;
            _unacknowledged++;
            return delivery;
        }
    }

    /// <summary>
    /// Whether the broker repeats the message on record. Where its acknowledgement never went out, the broker can't have given the
    /// id away, so a repetition is certain. Where it went out, a repetition looks like a new message with the same content
    /// under the same id; it is believed only if the broker counts ids up. In doubt the message is decoded again: at least once.
    /// </summary>
    private bool IsRedelivery(Delivery known, MqttPublishPacket packet)
    {
        bool repeats = packet.Dup || (known.Connection == _connection && known.QualityOfService == MqttQualityOfServiceLevel.ExactlyOnce);
        return repeats && known.QualityOfService == packet.QualityOfServiceLevel && known.State switch
        {
            DeliveryState.Taken or DeliveryState.Committed => true,
            DeliveryState.Acknowledged => known.QualityOfService == MqttQualityOfServiceLevel.ExactlyOnce
                || (known.Connection != _connection && _idsCountUp && (ushort)(_lastId - packet.PacketIdentifier) < HalfRound),
            _ => false,
        };
    }

    private void Follow(ushort packetId)
    {
        if (_lastId != 0 && packetId != (_lastId == ushort.MaxValue ? 1 : _lastId + 1))
        {
            _idsCountUp = false;
        }

        _lastId = packetId;
    }

    private void SendAcknowledgement(Delivery delivery)
    {
        if (_adapter is null)
        {
            return;
        }

        delivery.State = DeliveryState.Acknowledged;
        _acknowledgements.Enqueue((delivery.PacketId, delivery.QualityOfService));
        if (_sending is null)
        {
            _sending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private async Task SendAsync()
    {
        while (true)
        {
            (ushort PacketId, MqttQualityOfServiceLevel QualityOfService) due;
            IMqttChannelAdapter adapter;
            BufferedChannel channel;
            bool more;
            lock (_gate)
            {
                if (_adapter is null || _channel is null || !_acknowledgements.TryDequeue(out due))
                {
                    _sending?.TrySetResult();
                    _sending = null;
                    return;
                }

                adapter = _adapter;
                channel = _channel;
                more = _acknowledgements.Count > 0;
            }

            try
            {
                channel.HoldWrites = more;
                await adapter.SendPacketAsync(ToPacket(due.PacketId, due.QualityOfService), CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (MqttFailure.IsTransient(e))
            {
                // The connection broke; its receiving half notices, and the broker delivers again what was not acknowledged.
                channel.HoldWrites = false;
            }
        }
    }

    // One packet of each kind is enough: this loop alone sends them, one after the other.
    private MqttPacket ToPacket(ushort packetId, MqttQualityOfServiceLevel qualityOfService)
    {
        if (qualityOfService == MqttQualityOfServiceLevel.ExactlyOnce)
        {
            _pubRec.PacketIdentifier = packetId;
            return _pubRec;
        }

        _pubAck.PacketIdentifier = packetId;
        return _pubAck;
    }

    private static int HashOf(MqttPublishPacket packet)
    {
        var hash = new HashCode();
        hash.Add(packet.Topic);
        foreach (var part in packet.Payload)
        {
            hash.AddBytes(part.Span);
        }

        return hash.ToHashCode();
    }
}
