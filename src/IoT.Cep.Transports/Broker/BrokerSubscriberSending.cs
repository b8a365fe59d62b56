using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

// What leaves for the subscriber: in which form, and when.
internal sealed partial class BrokerSubscriber
{
    /// <summary>How many messages of QoS 1 and 2 the client takes at once (MQTT 5, 3.1.2.11.3); who does not say takes all.</summary>
    private int ReceiveMaximum => _adapter?.Connect?.ReceiveMaximum is > 0 and var most ? most : ushort.MaxValue;

    /// <summary>
    /// A message leaves for the subscriber. One that left before is marked as a duplicate and goes under its first id, as the
    /// protocol demands; MQTTnet gives it a new one without the mark, by which no receiver could know it again. One of QoS 2 that the
    /// subscriber has received is not sent again, only released again. One that has expired or is larger than the client takes is not sent, and its exchange ends here.
    /// </summary>
    /// <param name="packet">The message.</param>
    /// <returns>What is to be sent; null: nothing, or not now.</returns>
    internal MqttPacket? Sending(MqttPublishPacket packet)
    {
        MqttPacket? sent;
        lock (_gate)
        {
            if (packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce)
            {
                sent = Fits(packet) && TryDate(packet, packet.MessageExpiryInterval) ? packet : null;
            }
            else if (_underWay.Count >= ReceiveMaximum || _held.Count > 0 || _isReleasing)
            {
                _held.Enqueue(packet);
                sent = null;
            }
            else
            {
                sent = Send(packet);
            }
        }

        Advance();
        return sent;
    }

    /// <summary>The subscriber has a message.</summary>
    /// <param name="packet">The message.</param>
    internal void Acknowledged(MqttPublishPacket packet)
    {
        BrokerAdapter? releasing = null;
        lock (_gate)
        {
            _unacknowledged.Remove(packet);
            _received.Remove(packet.PacketIdentifier);
            _underWay.Remove(packet);
            _shared.Remove(packet.Topic);
            if (_held.Count > 0 && !_isReleasing && _adapter is not null)
            {
                _isReleasing = true;
                releasing = _adapter;
            }
        }

        if (releasing is not null)
        {
            _ = Task.Run(() => ReleaseAsync(releasing));
        }

        Advance();
    }

    /// <summary>Sends what was held back, as far as the client takes it.</summary>
    private async Task ReleaseAsync(BrokerAdapter adapter)
    {
        while (true)
        {
            MqttPacket? next;
            lock (_gate)
            {
                if (_adapter != adapter)
                {
                    // Another connection, whose own sending is under way.
                    return;
                }

                if (_underWay.Count >= ReceiveMaximum || !_held.TryDequeue(out var held))
                {
                    _isReleasing = false;
                    return;
                }

                next = Send(held);
            }

            Advance();
            try
            {
                if (next is not null)
                {
                    await adapter.SendPacketAsync(next, CancellationToken.None).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (MqttFailure.IsTransient(e))
            {
                // The connection broke; its reading half notices.
            }
        }
    }

    private MqttPacket? Send(MqttPublishPacket packet)
    {
        if (_unacknowledged.TryGetValue(packet, out var first))
        {
            packet.Dup = true;
            packet.PacketIdentifier = first.PacketId;

            // What was begun is finished, also past its time (4.3.3-7).
            packet.MessageExpiryInterval = Math.Max(MessageClock.Left(first.Deadline, broker.Seconds), first.Deadline == 0 ? 0 : 1u);
            _underWay.Add(packet);
            broker.CountDelivered();
            return _received.Contains(packet.PacketIdentifier) ? new MqttPubRelPacket { PacketIdentifier = packet.PacketIdentifier } : packet;
        }

        uint deadline = packet.MessageExpiryInterval;
        if (!Fits(packet) || !TryDate(packet, deadline))
        {
            // In the client's place: MQTTnet and the disk have it off their lists.
            packet.MessageExpiryInterval = deadline;
            _adapter?.Insert(packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtLeastOnce
                ? new MqttPubAckPacket { PacketIdentifier = packet.PacketIdentifier }
                : new MqttPubCompPacket { PacketIdentifier = packet.PacketIdentifier });
            return null;
        }

        _unacknowledged.Add(packet, new Sent(packet.PacketIdentifier, deadline));
        _underWay.Add(packet);
        return packet;
    }

    /// <summary>Writes how long a message is still good for (3.3.2-6). False: no longer (3.3.2-5).</summary>
    private bool TryDate(MqttPublishPacket packet, uint deadline)
    {
        packet.MessageExpiryInterval = MessageClock.Left(deadline, broker.Seconds);
        if (deadline == 0 || packet.MessageExpiryInterval > 0)
        {
            broker.CountDelivered();
            return true;
        }

        broker.CountExpired();
        return false;
    }

    // 3.1.2-24, 3.1.2-25.
    private bool Fits(MqttPublishPacket packet)
    {
        if (_adapter?.Connect?.MaximumPacketSize is not (> 0 and var most) || PublishSize.Of(packet) <= most)
        {
            return true;
        }

        broker.CountTooLarge();
        return false;
    }
}
