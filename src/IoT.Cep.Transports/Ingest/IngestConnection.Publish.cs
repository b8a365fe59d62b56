using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What devices send: from the buffer to the receiver, without a copy and without an allocation.</summary>
internal sealed partial class IngestConnection
{
    private TopicCache _topics;
    private Topic?[]? _aliases;
    private Topic? _undecided;
    private Topic? _decided;
    private bool _isAllowed;
    private string? _sender;

    // Of a message that had to wait on its way.
    private IngestDelivery? _delivery;
    private int _taken;
    private bool _isBegun;
    private List<KeyValuePair<string, string>>? _userProperties;

    /// <summary>One message. It comes here again, from its start, when what it had to wait for is there.</summary>
    private Step Publish(byte first, int bodyStart, int length)
    {
        var body = _buffer.AsSpan(bodyStart, length);
        int quality = (first >> 1) & 3;
        int idLength = quality > 0 ? 2 : 0;
        if (body.Length < 2 || quality == 3 || (quality == 0 && (first & 8) != 0))
        {
            return Fail(MqttReason.Malformed, "a PUBLISH is malformed");
        }

        int topicLength = BinaryPrimitives.ReadUInt16BigEndian(body);
        int at = 2 + topicLength + idLength;
        if (at > length)
        {
            return Fail(MqttReason.Malformed, "a PUBLISH is shorter than its topic");
        }

        if ((first & 1) != 0 && _endpoint.Options.RefuseRetained)
        {
            return Fail(MqttReason.RetainNotSupported, "a message is to be retained");
        }

        var properties = default(PacketProperties);
        if (IsVersion5)
        {
            // A message without properties says so with one byte.
            if (at < length && body[at] == 0)
            {
                at++;
            }
            else
            {
                var reader = new PacketReader(body[at..]);
                if (properties.Read(ref reader, PropertyPlace.Publish) is var problem and not MqttReason.Success)
                {
                    return Fail(problem, "a PUBLISH's properties are malformed");
                }

                at = length - reader.Rest.Length;
            }
        }

        ushort packetId = idLength > 0 ? BinaryPrimitives.ReadUInt16BigEndian(body[(2 + topicLength)..]) : (ushort)0;
        if (idLength > 0 && packetId == 0)
        {
            return Fail(MqttReason.ProtocolError, "a PUBLISH has the packet id 0");
        }

        var step = Find(body.Slice(2, topicLength), properties.TopicAlias, properties.Has(PacketProperties.Id.TopicAlias), out var topic, out bool isAllowed);
        return step == Step.Next ? Publish(first, packetId, topic!, isAllowed, in properties, new ReadOnlySequence<byte>(_buffer!, bodyStart + at, length - at)) : step;
    }

    private Step Publish(byte first, ushort packetId, Topic topic, bool isAllowed, in PacketProperties properties, ReadOnlySequence<byte> bytes)
    {
        int receivers = isAllowed || _isBegun ? topic.Takers.Length : 0;
        if (packetId != 0 && !_isBegun)
        {
            if (Session!.IsFull(ReceiveMaximum) && !IsVersion5)
            {
                return Step.Room;
            }

            if (Output.IsFull)
            {
                return Step.OutputRoom;
            }
        }

        if (receivers == 0)
        {
            return Unwanted(first, packetId, isAllowed);
        }

        string? contentType = properties.ContentType.IsEmpty ? null : _endpoint.Texts.Get(properties.ContentType);
        var headers = properties.UserProperties > 0 && _endpoint.Options.ReadUserProperties ? ReadUserProperties(in properties) : default;
        for (; _taken < receivers; _taken++)
        {
            var taker = topic.Takers[_taken];
            if (_turn != taker)
            {
                LeaveTurn();
                if (!taker.Turn.TryEnter())
                {
                    _turnWanted = taker;
                    return Step.Turn;
                }

                _turn = _lastTaker = taker;
            }

            if (taker.Receiver is not { } receiver)
            {
                // Not acknowledged: the client sends it again when the source is back.
                return Fail(MqttReason.ServerShuttingDown, "the source of its messages has stopped");
            }

            if (packetId != 0 && !_isBegun && !TryBegin(first, packetId, receivers, out var instead))
            {
                return instead;
            }

            _isBegun = true;
            taker.Received++;
            if (Give(receiver, new Payload(bytes, topic.Text) { Template = taker.Template, ContentType = contentType, Headers = headers, Sender = _sender }) is var given and not Step.Next)
            {
                return given;
            }
        }

        return Done();
    }

    /// <summary>Hands one message to one receiver.</summary>
    private Step Give(IPayloadReceiver receiver, in Payload payload)
    {
        try
        {
#pragma warning disable CA2012 // It is awaited once, by the loop, and only where it is not complete.
            _receiving = _delivery is null ? receiver.ReceiveAsync(in payload) : receiver.ReceiveAsync(in payload, Session, _delivery);
#pragma warning restore CA2012
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _turn!.Fail(e);
            return Fail(MqttReason.Unspecified, "the engine failed");
        }

        if (_receiving.IsCompletedSuccessfully)
        {
            return Step.Next;
        }

        // It has the message; what waits is the next one, which may be the same message for another receiver.
        _taken++;
        return Step.Receiver;
    }

    /// <summary>Notes a message of QoS 1 or 2 in the session.</summary>
    /// <returns>False where it does not go on its way; what to do instead is in <paramref name="instead"/>.</returns>
    private bool TryBegin(byte first, ushort packetId, int receivers, out Step instead)
    {
        var budget = _admission!.Budget!;
        if (!budget.TryBeginMessage())
        {
            // Over all connections of this identity. The next look comes soon.
            instead = Step.Pause;
            return false;
        }

        var taken = Session!.Take(this, packetId, (first & 4) != 0, (first & 8) != 0, receivers, out _delivery);
        if (taken == IngestSession.Taken.New)
        {
            _delivery!.Budget = budget;
            instead = Step.Next;
            return true;
        }

        budget.EndMessage();
        instead = taken switch
        {
            IngestSession.Taken.Duplicate => Repeated(),
            IngestSession.Taken.TooMany => Fail(MqttReason.ReceiveMaximumExceeded, "it has more messages under way than it was told it may have"),
            _ => Fail(MqttReason.SessionTakenOver, "another connection has its session"),
        };
        return false;
    }

    private Step Repeated()
    {
        _endpoint.CountDuplicate();
        _turn?.Receiver?.CountDuplicate();
        return Done();
    }

    private Step Done()
    {
        _delivery = null;
        _taken = 0;
        _isBegun = false;
        _decided = null;
        _messages++;
        return Step.Next;
    }

    /// <summary>A message that nobody takes, or that its sender may not send.</summary>
    private Step Unwanted(byte first, ushort packetId, bool isAllowed)
    {
        if (isAllowed)
        {
            _endpoint.CountUnmatched();
        }
        else
        {
            _endpoint.CountRefused(Client, "it may not send to a topic");
            if (packetId != 0 && !IsVersion5)
            {
                // MQTT 3 can't refuse one message, and to acknowledge it would be a lie.
                return Fail(MqttReason.NotAuthorized, "it may not send to a topic, and MQTT 3 has no other answer");
            }
        }

        if (packetId != 0)
        {
            if (!TryBegin(first, packetId, receivers: 1, out var instead))
            {
                return instead;
            }

            Session!.Refuse(_delivery!, isAllowed ? MqttReason.NoMatchingSubscribers : MqttReason.NotAuthorized);
        }

        return Done();
    }

    /// <summary>The topic of a message, and whether its sender may send there.</summary>
    private Step Find(ReadOnlySpan<byte> utf8, ushort alias, bool hasAlias, out Topic? topic, out bool isAllowed)
    {
        topic = null;
        isAllowed = false;
        if (hasAlias)
        {
            if (alias == 0 || alias > _endpoint.Options.TopicAliasMaximum)
            {
                return Fail(MqttReason.TopicAliasInvalid, "a topic alias is larger than it may be");
            }

            if (utf8.IsEmpty)
            {
                topic = _aliases?[alias - 1];
                if (topic is null)
                {
                    return Fail(MqttReason.ProtocolError, "a topic alias was never set");
                }

                utf8 = topic.Utf8;
            }
        }

        ref var slot = ref _topics.Find(utf8, out int hash);
        if (Unsafe.IsNullRef(ref slot))
        {
            topic ??= _endpoint.Topics.Get(utf8, hash);
            if (topic is null)
            {
                return Fail(MqttReason.TopicNameInvalid, "a topic is empty, too long, has wildcards or control characters, or is no valid UTF-8");
            }

            slot = ref _topics.Add(topic);
        }

        topic = slot.Topic!;
        if (hasAlias)
        {
            (_aliases ??= new Topic?[_endpoint.Options.TopicAliasMaximum])[alias - 1] = topic;
        }

        if (slot.AllowedUntil > _endpoint.Now)
        {
            isAllowed = true;
            return Step.Next;
        }

        if (-slot.AllowedUntil > _endpoint.Now)
        {
            return Step.Next;
        }

        if (_decided == topic)
        {
            isAllowed = _isAllowed;
            return Step.Next;
        }

        _undecided = topic;
        return Step.Authorize;
    }

    /// <summary>Decides whether the client may send to a topic, and remembers it for a while: below zero where it may not.</summary>
    private async ValueTask AuthorizeAsync()
    {
        var topic = _undecided!;
        var security = _endpoint.Options.Security;
        bool isAllowed = _admission!.Budget!.TryUseTopic(topic.Text);
        foreach (var taker in topic.Takers)
        {
            isAllowed = isAllowed && security.MaySpeakFor(_admission.Identity, taker.Template, topic.Text);
        }

        isAllowed = isAllowed && await IsAllowedAsync(AccessAction.Publish, topic.Text).ConfigureAwait(false);

        // The identity's own end ends the connection, and so does a revocation. Whatever the lifetime, this message is through with this decision.
        (_decided, _isAllowed) = (topic, isAllowed);
        long until = _endpoint.Now + (long)security.DecisionLifetime.TotalMilliseconds;
        ref var slot = ref _topics.Find(topic.Utf8, out _);
        slot.AllowedUntil = isAllowed ? until : -until;
    }

    private ValueTask<bool> IsAllowedAsync(AccessAction action, string resource) => _endpoint.Options.Security.AuthorizeAsync(_admission!.Identity, action, resource);

    private PayloadHeaders ReadUserProperties(in PacketProperties properties)
    {
        _userProperties ??= [];
        _userProperties.Clear();
        var reader = new PacketReader(properties.All);
        while (PacketProperties.NextUserProperty(ref reader, out var name, out var value))
        {
            _userProperties.Add(new(_endpoint.Texts.Get(name), _endpoint.Texts.Get(value)));
        }

        return new PayloadHeaders(_userProperties);
    }
}
