namespace IoT.Cep;

/// <summary>Takes packets out of the buffer.</summary>
internal sealed partial class IngestConnection
{
    /// <summary>Works through what is in the buffer, as far as it can without waiting.</summary>
    private Step Process()
    {
        while (true)
        {
            if (_endReason is not (MqttReason.Success or MqttReason.SessionTakenOver) || _isAborted)
            {
                return Step.End;
            }

            int held = _end - _start;
            if (held < 2)
            {
                _wanted = 2;
                return Step.Read;
            }

            byte first = _buffer![_start];
            int header = 2;
            int length = _buffer[_start + 1];
            if (length >= 0x80 && !TryReadLength(held, out header, out length))
            {
                return header < 0 ? Fail(MqttReason.Malformed, "a packet's length is malformed") : Step.Read;
            }

            if (length > (IsKnown ? _maxPacket : Math.Min(_maxPacket, MaxConnectBytes)))
            {
                return Fail(MqttReason.PacketTooLarge, $"a packet has {length} bytes");
            }

            _wanted = header + length;
            if (held < _wanted)
            {
                return Step.Read;
            }

            _partialDeadline = 0;
            var step = (first & 0xF0) == MqttPacketType.Publish && IsKnown
                ? Publish(first, _start + header, length)
                : Other(first, _buffer.AsSpan(_start + header, length));
            if (step is Step.Next)
            {
                _start += _wanted;
            }
            else
            {
                return step;
            }
        }
    }

    /// <summary>A length of more than one byte.</summary>
    /// <returns>False where it is not all there, or, with a header below zero, malformed.</returns>
    private bool TryReadLength(int held, out int header, out int length)
    {
        length = 0;
        for (header = 1; header < held && header <= 4; header++)
        {
            byte group = _buffer![_start + header];
            length |= (group & 0x7F) << (7 * (header - 1));
            if (group < 0x80)
            {
                // A longer form than needed.
                header = group == 0 && header > 1 ? -1 : header + 1;
                return header > 0;
            }
        }

        _wanted = header + 1;
        header = header > 4 ? -1 : header;
        return false;
    }

    private Step Other(byte first, ReadOnlySpan<byte> body)
    {
        byte type = (byte)(first & 0xF0);
        if (!IsKnown)
        {
            return first == MqttPacketType.Connect ? ReadConnect(body) : Fail(MqttReason.ProtocolError, "its first packet is no CONNECT");
        }

        // The lower bits are fixed (MQTT 5, 2.1.3); MQTT 3.1 had a flag of repetition there.
        int flags = _isVersion31 ? first & 0x07 : first & 0x0F;
        if (flags != (type is MqttPacketType.PubRel or MqttPacketType.Subscribe or MqttPacketType.Unsubscribe ? 2 : 0))
        {
            return Fail(MqttReason.Malformed, "a packet's flags are not those of its type");
        }

        if (Output.IsFull)
        {
            return Step.OutputRoom;
        }

        switch (type)
        {
            case MqttPacketType.PingReq:
                Output.Add([MqttPacketType.PingResp, 0]);
                return body.IsEmpty ? Step.Next : Fail(MqttReason.Malformed, "a PINGREQ has a body");
            case MqttPacketType.PubAck:
            case MqttPacketType.PubRel:
                return ReadAnswer(type, body);
            case MqttPacketType.Subscribe:
                return ReadSubscribe(body);
            case MqttPacketType.Unsubscribe:
                return ReadUnsubscribe(body);
            case MqttPacketType.Disconnect:
                return ReadDisconnect(body);
            default:
                // A second CONNECT, AUTH where no method was agreed on, answers to QoS 2, with which nothing is sent, and what only servers send.
                return Fail(MqttReason.ProtocolError, "a packet of its type may not come");
        }
    }

    private Step ReadAnswer(byte type, ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        ushort packetId = reader.UInt16();
        byte reason = 0;
        if (IsVersion5 && !reader.Rest.IsEmpty)
        {
            reason = reader.Byte();
            var properties = default(PacketProperties);
            if (!reader.Rest.IsEmpty && properties.Read(ref reader, PropertyPlace.Acknowledgement) is var problem and not MqttReason.Success)
            {
                return Fail(problem, "an acknowledgement's properties are malformed");
            }
        }

        if (reader.IsBad || packetId == 0 || !reader.Rest.IsEmpty || !IsReasonOf(type, reason))
        {
            return Fail(MqttReason.Malformed, "an acknowledgement is malformed");
        }

        if (type == MqttPacketType.PubAck)
        {
            Session!.Acknowledged(packetId);
        }
        else
        {
            bool isKnown = Session!.Release(packetId);
            Output.Answer(MqttPacketType.PubComp, packetId, isKnown ? MqttReason.Success : MqttReason.PacketIdNotFound);
        }

        return Step.Next;
    }

    private static bool IsReasonOf(byte type, byte reason) => type == MqttPacketType.PubRel
        ? reason is 0 or 0x92
        : reason is 0 or 0x10 or 0x80 or 0x83 or 0x87 or 0x90 or 0x91 or 0x97 or 0x99;

    private Step ReadDisconnect(ReadOnlySpan<byte> body)
    {
        byte reason = 0;
        if (IsVersion5 && !body.IsEmpty)
        {
            var reader = new PacketReader(body);
            reason = reader.Byte();
            var properties = default(PacketProperties);
            if (!reader.Rest.IsEmpty && properties.Read(ref reader, PropertyPlace.Disconnect) is var problem and not MqttReason.Success)
            {
                return Fail(problem, "a DISCONNECT's properties are malformed");
            }

            if (reader.IsBad || !reader.Rest.IsEmpty || (reason is not (0 or 4) && reason < 0x80))
            {
                return Fail(MqttReason.Malformed, "a DISCONNECT is malformed");
            }

            if (properties.Has(PacketProperties.Id.SessionExpiry))
            {
                if (Session!.KeptFor == 0 && properties.SessionExpiry > 0)
                {
                    return Fail(MqttReason.ProtocolError, "a DISCONNECT wants a session kept that was not to be kept");
                }

                Session.KeptFor = KeptFor(properties.SessionExpiry);
            }
        }
        else if (!body.IsEmpty)
        {
            return Fail(MqttReason.Malformed, "a DISCONNECT has a body");
        }

        // With any other reason the will is published (MQTT 5, 3.1.2.5).
        _hasSaidGoodbye = true;
        _will = reason == 0 ? null : _will;
        return Step.End;
    }

    private long KeptFor(uint seconds) => Math.Min(seconds * 1_000L, (long)_endpoint.Options.MaxSessionExpiry.TotalMilliseconds);
}
