using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MQTTnet.Packets;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>
/// What the broker knows of one session beside MQTTnet: which messages were sent and not acknowledged, and who waits until
/// fewer are under way.
/// </summary>
/// <param name="broker">Tells the time, and counts.</param>
/// <param name="session">MQTTnet's view of it: how many messages wait to be sent.</param>
internal sealed partial class BrokerSubscriber(MqttBroker broker, MqttSessionStatus session)
{
    private readonly Lock _gate = new();

    // By reference: a message that is sent again after a reconnection is the same object under a new id.
    private readonly Dictionary<MqttPublishPacket, Sent> _unacknowledged = new(ByReference.Instance);
    private readonly HashSet<ushort> _received = [];

    // Packet ids of QoS 2 that the client sent, that were taken, and that it has not released yet; at most 65,535.
    private readonly HashSet<ushort> _taken = [];
    private readonly HashSet<string> _filters = new(StringComparer.Ordinal);

    // What was sent on this connection and not acknowledged, and what waits behind the client's receive maximum; MQTTnet knows none.
    private readonly HashSet<MqttPublishPacket> _underWay = new(ByReference.Instance);
    private readonly Queue<MqttPublishPacket> _held = new();
    private BrokerAdapter? _adapter;
    private bool _isReleasing;
    private TaskCompletionSource? _room;
    private long _progress;

    /// <summary>Whether the client is connected.</summary>
    internal volatile bool IsConnected = true;

    /// <summary>The identifier of the SUBSCRIBE packet that is being processed; 0: none.</summary>
    internal uint SubscriptionIdentifier { get; set; }

    /// <summary>The SUBSCRIBE packets that were taken and not answered, by their ids: at most 65,535.</summary>
    internal ConcurrentDictionary<ushort, SubscribeAnswers> Subscribing { get; } = new();

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
                return session.PendingApplicationMessagesCount + _unacknowledged.Count + _held.Count;
            }
        }
    }

    /// <summary>Whether this is the session that the status tells of: one made anew under the same name is another.</summary>
    /// <param name="other">The status.</param>
    internal bool IsOf(MqttSessionStatus other) => ReferenceEquals(session.Items, other.Items);

    internal Task DeleteSessionAsync() => session.DeleteAsync();

    /// <summary>The client sent a message of QoS 2. False: it was taken before.</summary>
    /// <param name="packetId">The id.</param>
    internal bool TryTake(ushort packetId)
    {
        lock (_gate)
        {
            return _taken.Add(packetId);
        }
    }

    /// <summary>The id is free: the client has released it, or was refused (MQTT 5, 4.3.3-9).</summary>
    /// <param name="packetId">The id.</param>
    internal void Release(ushort packetId)
    {
        lock (_gate)
        {
            _taken.Remove(packetId);
        }
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

    /// <summary>The client went away: who waits looks again.</summary>
    internal void Disconnected()
    {
        lock (_gate)
        {
            Forget();
            _adapter = null;
        }

        IsConnected = false;
        Advance();
    }

    /// <summary>The client connected, to a new session or again to this one.</summary>
    /// <param name="adapter">Its connection; null: a session that is being brought back.</param>
    internal void Connected(BrokerAdapter? adapter)
    {
        lock (_gate)
        {
            Forget();
            _adapter = adapter;
        }

        IsConnected = true;
        Advance();
    }

    // MQTTnet sends all that is not acknowledged again on the next connection, what was held back included.
    private void Forget()
    {
        _underWay.Clear();
        _held.Clear();
        _isReleasing = false;
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

    /// <summary>A message that was sent: under which id at first, and when it expires.</summary>
    private readonly record struct Sent(ushort PacketId, uint Deadline);

    private sealed class ByReference : IEqualityComparer<MqttPublishPacket>
    {
        internal static readonly ByReference Instance = new();

        public bool Equals(MqttPublishPacket? x, MqttPublishPacket? y) => ReferenceEquals(x, y);

        public int GetHashCode(MqttPublishPacket obj) => RuntimeHelpers.GetHashCode(obj);
    }
}
