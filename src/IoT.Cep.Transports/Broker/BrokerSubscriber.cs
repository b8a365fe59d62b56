using System.Runtime.CompilerServices;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>
/// What the broker knows of one session beside MQTTnet: which messages were sent and not acknowledged, and who waits until
/// fewer are under way.
/// </summary>
/// <param name="session">MQTTnet's view of it: how many messages wait to be sent.</param>
internal sealed class BrokerSubscriber(MqttSessionStatus session)
{
    private readonly Lock _gate = new();

    // By reference: a message that is sent again after a reconnection is the same object under a new id.
    private readonly Dictionary<MqttPublishPacket, ushort> _unacknowledged = new(ByReference.Instance);
    private readonly HashSet<ushort> _received = [];
    private readonly HashSet<string> _filters = new(StringComparer.Ordinal);
    private TaskCompletionSource? _room;
    private long _progress;

    /// <summary>Whether the client is connected.</summary>
    internal volatile bool IsConnected = true;

    /// <summary>Packet ids of QoS 2 that the client sent, that were taken, and that it has not released yet. Used by the one task that reads the connection; at most 65,535.</summary>
    internal HashSet<ushort> Taken { get; } = [];

    /// <summary>The identifier of the SUBSCRIBE packet that is being processed; 0: none.</summary>
    internal uint SubscriptionIdentifier { get; set; }

    /// <summary>How long the session is kept; 0 on MQTT 3.1.1, which does not say.</summary>
    internal uint ExpirySeconds => session.ExpiryInterval;

    /// <summary>Counts up whenever the subscriber takes or acknowledges something.</summary>
    internal long Progress => Volatile.Read(ref _progress);

    /// <summary>How many messages wait for the subscriber: to be sent, or sent and not acknowledged.</summary>
    internal long Outstanding
    {
        get
        {
            lock (_gate)
            {
                return session.PendingApplicationMessagesCount + _unacknowledged.Count;
            }
        }
    }

    /// <summary>Whether this is the session that the status tells of: one made anew under the same name is another.</summary>
    /// <param name="other">The status.</param>
    internal bool IsOf(MqttSessionStatus other) => ReferenceEquals(session.Items, other.Items);

    internal Task DeleteSessionAsync() => session.DeleteAsync();

    /// <summary>
    /// A message leaves for the subscriber. One that left before is marked as a duplicate and goes under its first id, as the
    /// protocol demands; MQTTnet gives it a new one without the mark, by which no receiver could know it again. One of QoS 2 that the
    /// subscriber has received is not sent again, only released again.
    /// </summary>
    /// <param name="packet">The message.</param>
    /// <returns>What is to be sent.</returns>
    internal MqttPacket Sending(MqttPublishPacket packet)
    {
        MqttPacket sent = packet;
        if (packet.QualityOfServiceLevel != MqttQualityOfServiceLevel.AtMostOnce)
        {
            lock (_gate)
            {
                if (!_unacknowledged.TryAdd(packet, packet.PacketIdentifier))
                {
                    packet.Dup = true;
                    packet.PacketIdentifier = _unacknowledged[packet];
                    if (_received.Contains(packet.PacketIdentifier))
                    {
                        sent = new MqttPubRelPacket { PacketIdentifier = packet.PacketIdentifier };
                    }
                }
            }
        }

        Advance();
        return sent;
    }

    /// <summary>The subscriber has received a message of QoS 2: from here on it is only to be released.</summary>
    /// <param name="packetId">The id.</param>
    internal void HasReceived(ushort packetId)
    {
        lock (_gate)
        {
            _received.Add(packetId);
        }
    }

    internal void Acknowledged(MqttPublishPacket packet)
    {
        lock (_gate)
        {
            _unacknowledged.Remove(packet);
            _received.Remove(packet.PacketIdentifier);
        }

        Advance();
    }

    /// <summary>Whether the session may have one more subscription, or has this one.</summary>
    /// <param name="filter">The topic filter.</param>
    /// <param name="most">How many there may be.</param>
    internal bool MaySubscribe(string filter, int most)
    {
        lock (_gate)
        {
            return _filters.Contains(filter) || _filters.Count < most;
        }
    }

    internal void Subscribed(string filter)
    {
        lock (_gate)
        {
            _filters.Add(filter);
        }
    }

    internal void Unsubscribed(string filter)
    {
        lock (_gate)
        {
            _filters.Remove(filter);
        }
    }

    /// <summary>The client connected again to the same session, or went away: who waits looks again.</summary>
    /// <param name="connected">Whether it is connected.</param>
    internal void ConnectionChanged(bool connected)
    {
        IsConnected = connected;
        Advance();
    }

    /// <summary>Completes at the next progress.</summary>
    internal Task NextProgress()
    {
        lock (_gate)
        {
            return (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private void Advance()
    {
        Interlocked.Increment(ref _progress);
        TaskCompletionSource? room;
        lock (_gate)
        {
            room = _room;
            _room = null;
        }

        room?.TrySetResult();
    }

    private sealed class ByReference : IEqualityComparer<MqttPublishPacket>
    {
        internal static readonly ByReference Instance = new();

        public bool Equals(MqttPublishPacket? x, MqttPublishPacket? y) => ReferenceEquals(x, y);

        public int GetHashCode(MqttPublishPacket obj) => RuntimeHelpers.GetHashCode(obj);
    }
}
