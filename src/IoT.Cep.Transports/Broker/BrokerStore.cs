using IoT.Cep.Extensibility;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// What a broker keeps on disk: sessions, their subscriptions and messages, retained messages. A log of changes (<see cref="BrokerLog"/>) and, in memory, what it comes to: the log is written anew
/// when more than half of it is past.
/// </summary>
internal sealed class BrokerStore : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly BrokerLog _log;
    private readonly Dictionary<string, StoredSession> _sessions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _retained = new(StringComparer.Ordinal);
    private long _nextId;
    private long _liveBytes;

    private BrokerStore(string folder) => _log = new BrokerLog(folder, Apply, Snapshot);

    /// <summary>What is kept, in bytes of the log.</summary>
    internal long LiveBytes => Interlocked.Read(ref _liveBytes);

    /// <summary>Where a damaged log ended early, or null where it was whole.</summary>
    internal string? Damage => _log.Damage;

    internal static BrokerStore Open(string folder)
    {
        var store = new BrokerStore(folder);
        store._log.Open();
        return store;
    }

    internal IReadOnlyList<StoredSession> Sessions()
    {
        lock (_gate)
        {
            return [.. _sessions.Values];
        }
    }

    internal List<MqttApplicationMessage> Retained()
    {
        lock (_gate)
        {
            return [.. _retained.Values.Select(static record => BrokerRecords.ReadRetained(record))];
        }
    }

    /// <summary>Completes when all that was changed until now is on the disk. False: it can't be written.</summary>
    internal Task<bool> FlushedAsync() => _log.FlushedAsync();

    /// <summary>A client connected to a session that outlives its connection.</summary>
    internal void Begin(string clientId, string owner, uint expirySeconds, bool isV5, bool isNew)
    {
        lock (_gate)
        {
            if (isNew)
            {
                Forget(clientId);
            }

            Change(BrokerRecords.Session(clientId, owner, expirySeconds, isV5));
        }
    }

    internal void End(string clientId)
    {
        lock (_gate)
        {
            Forget(clientId);
        }
    }

    internal void Subscribe(string clientId, MqttTopicFilter filter, uint identifier)
    {
        lock (_gate)
        {
            if (_sessions.ContainsKey(clientId))
            {
                Change(BrokerRecords.Subscription(clientId, filter, identifier));
            }
        }
    }

    internal void Unsubscribe(string clientId, string filter)
    {
        lock (_gate)
        {
            if (_sessions.ContainsKey(clientId))
            {
                Change(BrokerRecords.Unsubscription(clientId, filter));
            }
        }
    }

    /// <summary>A message waits for a session. False: the session, or its subscription, takes no message that is to be kept.</summary>
    internal bool Queue(string clientId, MqttApplicationMessage message)
    {
        lock (_gate)
        {
            if (!_sessions.TryGetValue(clientId, out var session))
            {
                return false;
            }

            var granted = session.Granted(message.Topic);
            return Queue(session, message, granted < message.QualityOfServiceLevel ? granted : message.QualityOfServiceLevel);
        }
    }

    /// <summary>A message waits for a session that got it as one of a group. False: the session takes no message that is to be kept.</summary>
    internal bool QueueShared(string clientId, MqttApplicationMessage message)
    {
        lock (_gate)
        {
            return _sessions.TryGetValue(clientId, out var session) && Queue(session, message, message.QualityOfServiceLevel);
        }
    }

    private bool Queue(StoredSession session, MqttApplicationMessage message, MqttQualityOfServiceLevel qualityOfService)
    {
        if (qualityOfService == MqttQualityOfServiceLevel.AtMostOnce)
        {
            return false;
        }

        long id = ++_nextId;
        session.ByTopic[message.Topic] = id;
        Change(BrokerRecords.Queued(session.ClientId, id, message, qualityOfService));
        return true;
    }

    /// <summary>A subscriber has a message: it is kept no longer.</summary>
    /// <param name="clientId">The subscriber.</param>
    /// <param name="topic">The message's topic: the very text, by reference.</param>
    internal void Acknowledged(string clientId, string topic)
    {
        lock (_gate)
        {
            if (_sessions.TryGetValue(clientId, out var session) && session.ByTopic.Remove(topic, out long id))
            {
                Change(BrokerRecords.Acknowledgement(clientId, id));
            }
        }
    }

    internal void Retain(MqttApplicationMessage message)
    {
        lock (_gate)
        {
            Change(message.Payload.IsEmpty ? BrokerRecords.Removal(message.Topic) : BrokerRecords.Retained(message));
        }
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    private void Forget(string clientId)
    {
        if (_sessions.ContainsKey(clientId))
        {
            Change(BrokerRecords.End(clientId));
        }
    }

    private void Change(byte[] record)
    {
        Apply(record);
        _log.Append(record);
    }

    /// <summary>Makes a change in memory; at the start for each record of the log.</summary>
    private void Apply(byte[] record)
    {
        using var reader = BrokerRecords.Open(record, out var kind);
        string name = reader.ReadString();
        switch (kind)
        {
            case BrokerRecord.Session:
                string owner = reader.ReadString();
                uint expiry = reader.ReadUInt32();
                var session = _sessions.TryGetValue(name, out var known) ? known : _sessions[name] = new StoredSession(name);
                (session.Owner, session.ExpirySeconds, session.IsV5) = (owner, expiry, reader.ReadBoolean());
                Count(session.Record, record);
                session.Record = record;
                break;
            case BrokerRecord.End when _sessions.Remove(name, out var ended):
                _liveBytes -= ended.Bytes;
                break;
            case BrokerRecord.Subscription when _sessions.TryGetValue(name, out var subscriber):
                string filter = reader.ReadString();
                Count(subscriber.Subscriptions.GetValueOrDefault(filter), record);
                subscriber.Subscriptions[filter] = record;
                subscriber.Filters = null;
                break;
            case BrokerRecord.Unsubscription when _sessions.TryGetValue(name, out var leaver):
                leaver.Subscriptions.Remove(reader.ReadString(), out byte[]? left);
                leaver.Filters = null;
                Count(left, null);
                break;
            case BrokerRecord.Queued when _sessions.TryGetValue(name, out var receiver):
                long id = reader.ReadInt64();
                _nextId = Math.Max(_nextId, id);
                receiver.Messages[id] = record;
                Count(null, record);
                break;
            case BrokerRecord.Acknowledgement when _sessions.TryGetValue(name, out var acknowledger):
                acknowledger.Messages.Remove(reader.ReadInt64(), out byte[]? had);
                Count(had, null);
                break;
            case BrokerRecord.Retained:
                Count(_retained.GetValueOrDefault(name), record);
                _retained[name] = record;
                break;
            case BrokerRecord.Removal:
                _retained.Remove(name, out byte[]? removed);
                Count(removed, null);
                break;
        }

        void Count(byte[]? before, byte[]? after) => _liveBytes += (after?.Length ?? 0) - (before?.Length ?? 0);
    }

    /// <summary>The shortest log that comes to the same.</summary>
    /// <param name="take">Called under the lock: what is appended from there on comes behind.</param>
    private List<byte[]> Snapshot(Action take)
    {
        lock (_gate)
        {
            take();
            List<byte[]> records = [.. _retained.Values];
            foreach (var session in _sessions.Values)
            {
                records.Add(session.Record);
                records.AddRange(session.Subscriptions.Values);
                records.AddRange(session.Messages.Values);
            }

            return records;
        }
    }
}

/// <summary>A session as it is kept.</summary>
internal sealed class StoredSession(string clientId)
{
    internal string ClientId => clientId;

    internal string Owner { get; set; } = "";

    internal uint ExpirySeconds { get; set; }

    internal bool IsV5 { get; set; }

    internal byte[] Record { get; set; } = [];

    internal Dictionary<string, byte[]> Subscriptions { get; } = new(StringComparer.Ordinal);

    /// <summary>In the order in which they came: ids count up.</summary>
    internal SortedDictionary<long, byte[]> Messages { get; } = [];

    /// <summary>Which message a topic's text stands for: each message has a text of its own.</summary>
    internal Dictionary<string, long> ByTopic { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>The filters, read; null: to be read again.</summary>
    internal List<(TopicFilter Filter, MqttQualityOfServiceLevel Granted)>? Filters { get; set; }

    internal long Bytes => Record.Length + Subscriptions.Values.Sum(static r => (long)r.Length) + Messages.Values.Sum(static r => (long)r.Length);

    internal MqttQualityOfServiceLevel Granted(string topic)
    {
        // Shared ones are the broker's own, which says the QoS of each message.
        Filters ??= [.. Subscriptions.Values.Select(static r => BrokerRecords.ReadSubscription(r).Filter)
            .Where(static f => !f.Topic.StartsWith("$share/", StringComparison.Ordinal)).Select(static f => (TopicFilter.Parse(f.Topic), f.QualityOfServiceLevel))];
        var granted = MqttQualityOfServiceLevel.AtMostOnce;
        foreach (var (filter, level) in Filters)
        {
            if (level > granted && filter.Matches(topic))
            {
                granted = level;
            }
        }

        return granted;
    }
}
