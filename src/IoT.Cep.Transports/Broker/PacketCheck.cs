using System.Text;

namespace IoT.Cep;

/// <summary>
/// Looks at each packet of one client before MQTTnet does, which passes over much of what the protocol forbids: ill-formed UTF-8 (it puts U+FFFD, so that two topics become one), a will's flags
/// without a will, QoS 3 in a subscription, properties in the wrong place. What comes through is a packet that the standard allows.
/// </summary>
internal sealed class PacketCheck
{
    /// <summary>Names and passwords, a token of some KiB, and a will: nobody is known yet who might have more memory.</summary>
    internal const int MaxConnectBytes = 64 * 1024;

    // One bit for each alias that has a topic, the first for alias 1.
    private ulong _aliases;
    private bool _keepsSession;

    /// <summary>The level that the client speaks: 3, 4 or 5; 0 before it has said so.</summary>
    internal byte Version { get; private set; }

    /// <summary>Whether a CONNECT has come that is well-formed.</summary>
    internal bool IsConnected { get; private set; }

    private bool IsV5 => Version == 5;

    /// <summary>What is wrong with a packet.</summary>
    /// <param name="first">Its first byte.</param>
    /// <param name="body">What follows its length.</param>
    internal MqttReason Problem(byte first, ReadOnlySpan<byte> body)
    {
        byte type = (byte)(first & 0xF0);
        if (!IsConnected)
        {
            return first == MqttPacketType.Connect ? Connect(body) : MqttReason.ProtocolError;
        }

        if (type == MqttPacketType.Publish)
        {
            return Publish(first, body);
        }

        // The lower bits are fixed (MQTT 5, 2.1.3); MQTT 3.1 had a flag of repetition there.
        int flags = Version == 3 ? first & 0x07 : first & 0x0F;
        if (flags != (type is MqttPacketType.PubRel or MqttPacketType.Subscribe or MqttPacketType.Unsubscribe ? 2 : 0))
        {
            return MqttReason.Malformed;
        }

        return type switch
        {
            MqttPacketType.PubAck or MqttPacketType.PubRec or MqttPacketType.PubRel or MqttPacketType.PubComp => Answer(type, body),
            MqttPacketType.Subscribe => Subscribe(body),
            MqttPacketType.Unsubscribe => Unsubscribe(body),
            MqttPacketType.PingReq => body.IsEmpty ? MqttReason.Success : MqttReason.Malformed,
            MqttPacketType.Disconnect => Disconnect(body),

            // A second CONNECT, AUTH where no method was agreed on, and what only servers send.
            _ => MqttReason.ProtocolError,
        };
    }

    private MqttReason Connect(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        var name = reader.Binary();
        byte level = reader.Byte();
        byte flags = reader.Byte();
        reader.UInt16();
        bool isMqtt = name.SequenceEqual("MQTT"u8);
        bool isOld = name.SequenceEqual("MQIsdp"u8);
        if (reader.IsBad || !(isMqtt || isOld))
        {
            return MqttReason.Malformed;
        }

        if (isOld ? level != 3 : level is not (4 or 5))
        {
            return MqttReason.UnsupportedVersion;
        }

        Version = level;

        // The reserved bit, a will's QoS 3, a will's flags without a will, a password without a user name (which MQTT 5 allows).
        if ((flags & 1) != 0 || (flags & 0x18) == 0x18 || ((flags & 4) == 0 && (flags & 0x38) != 0) || (!IsV5 && (flags & 0xC0) == 0x40))
        {
            return MqttReason.Malformed;
        }

        var problem = ConnectPayload(ref reader, flags);
        problem = problem == MqttReason.Success && (reader.IsBad || !reader.Rest.IsEmpty) ? MqttReason.Malformed : problem;
        IsConnected = problem == MqttReason.Success;
        return problem;
    }

    private MqttReason ConnectPayload(ref PacketReader reader, byte flags)
    {
        var properties = default(PacketProperties);
        if (IsV5 && properties.Read(ref reader, PropertyPlace.Connect) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        if (properties.Has(PacketProperties.Id.AuthenticationData) && !properties.Has(PacketProperties.Id.AuthenticationMethod))
        {
            return MqttReason.ProtocolError;
        }

        _keepsSession = properties.SessionExpiry > 0;
        var clientId = reader.Text();
        if (clientId.IsEmpty && !IsV5 && (Version == 3 || (flags & 2) == 0))
        {
            return reader.IsBad ? MqttReason.Malformed : MqttReason.ClientIdNotValid;
        }

        if ((flags & 4) != 0)
        {
            var ofWill = default(PacketProperties);
            if (IsV5 && ofWill.Read(ref reader, PropertyPlace.Will) is var inWill and not MqttReason.Success)
            {
                return inWill;
            }

            reader.Text();
            reader.Binary();
        }

        if ((flags & 0x80) != 0)
        {
            reader.Text();
        }

        if ((flags & 0x40) != 0)
        {
            reader.Binary();
        }

        return MqttReason.Success;
    }

    private MqttReason Publish(byte first, ReadOnlySpan<byte> body)
    {
        int quality = (first >> 1) & 3;
        if (quality == 3 || (quality == 0 && (first & 8) != 0))
        {
            return MqttReason.Malformed;
        }

        var reader = new PacketReader(body);
        var topic = reader.Text();
        bool hasId = quality == 0 || reader.UInt16() != 0;
        var properties = default(PacketProperties);
        if (IsV5 && !reader.IsBad && properties.Read(ref reader, PropertyPlace.Publish) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        if (reader.IsBad)
        {
            return MqttReason.Malformed;
        }

        if (!hasId)
        {
            return MqttReason.ProtocolError;
        }

        return topic.ContainsAny((byte)'+', (byte)'#') ? MqttReason.TopicNameInvalid
            : properties.Has(PacketProperties.Id.TopicAlias) ? Alias(topic.IsEmpty, properties.TopicAlias)
            : topic.IsEmpty ? MqttReason.TopicNameInvalid
            : MqttReason.Success;
    }

    private MqttReason Alias(bool isUsed, ushort alias)
    {
        if (alias is 0 or > BrokerAdapter.MaxTopicAliases)
        {
            return MqttReason.TopicAliasInvalid;
        }

        ulong bit = 1UL << (alias - 1);
        if (isUsed)
        {
            return (_aliases & bit) == 0 ? MqttReason.ProtocolError : MqttReason.Success;
        }

        _aliases |= bit;
        return MqttReason.Success;
    }

    private MqttReason Answer(byte type, ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        ushort packetId = reader.UInt16();
        byte reason = 0;
        if (IsV5 && !reader.Rest.IsEmpty)
        {
            reason = reader.Byte();
            var properties = default(PacketProperties);
            if (!reader.Rest.IsEmpty && properties.Read(ref reader, PropertyPlace.Acknowledgement) is var problem and not MqttReason.Success)
            {
                return problem;
            }
        }

        bool isReason = type is MqttPacketType.PubRel or MqttPacketType.PubComp ? reason is 0 or 0x92 : reason is 0 or 0x10 or 0x80 or 0x83 or 0x87 or 0x90 or 0x91 or 0x97 or 0x99;
        return reader.IsBad || packetId == 0 || !reader.Rest.IsEmpty || !isReason ? MqttReason.Malformed : MqttReason.Success;
    }

    private MqttReason Subscribe(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        ushort packetId = reader.UInt16();
        var properties = default(PacketProperties);
        if (IsV5 && properties.Read(ref reader, PropertyPlace.Subscribe) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        bool hasFilter = false;
        while (!reader.Rest.IsEmpty && !reader.IsBad)
        {
            var filter = reader.Text();
            byte options = reader.Byte();
            if ((options & 3) == 3 || (options & (IsV5 ? 0xC0 : 0xFC)) != 0 || (options & 0x30) == 0x30)
            {
                return MqttReason.Malformed;
            }

            if (!reader.IsBad && FilterProblem(filter, hasNoLocal: (options & 4) != 0) is var wrong and not MqttReason.Success)
            {
                return wrong;
            }

            hasFilter = true;
        }

        return Whole(in reader, packetId, hasFilter);
    }

    private MqttReason FilterProblem(ReadOnlySpan<byte> utf8, bool hasNoLocal)
    {
        string filter = Encoding.UTF8.GetString(utf8);
        return !MqttTopic.IsFilter(filter) ? MqttReason.TopicFilterInvalid
            : hasNoLocal && IsV5 && filter.StartsWith("$share/", StringComparison.Ordinal) ? MqttReason.ProtocolError
            : MqttReason.Success;
    }

    private MqttReason Unsubscribe(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        ushort packetId = reader.UInt16();
        var properties = default(PacketProperties);
        if (IsV5 && properties.Read(ref reader, PropertyPlace.Unsubscribe) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        bool hasFilter = false;
        while (!reader.Rest.IsEmpty && !reader.IsBad)
        {
            if (reader.Text().IsEmpty)
            {
                return reader.IsBad ? MqttReason.Malformed : MqttReason.TopicFilterInvalid;
            }

            hasFilter = true;
        }

        return Whole(in reader, packetId, hasFilter);
    }

    private static MqttReason Whole(in PacketReader reader, ushort packetId, bool hasFilter) =>
        reader.IsBad ? MqttReason.Malformed : packetId == 0 || !hasFilter ? MqttReason.ProtocolError : MqttReason.Success;

    private MqttReason Disconnect(ReadOnlySpan<byte> body)
    {
        if (!IsV5 || body.IsEmpty)
        {
            return body.IsEmpty ? MqttReason.Success : MqttReason.Malformed;
        }

        var reader = new PacketReader(body);
        byte reason = reader.Byte();
        var properties = default(PacketProperties);
        if (!reader.Rest.IsEmpty && properties.Read(ref reader, PropertyPlace.Disconnect) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        return reader.IsBad || !reader.Rest.IsEmpty || (reason is not (0 or 4) && reason < 0x80) ? MqttReason.Malformed
            : properties.SessionExpiry > 0 && !_keepsSession ? MqttReason.ProtocolError
            : MqttReason.Success;
    }
}
