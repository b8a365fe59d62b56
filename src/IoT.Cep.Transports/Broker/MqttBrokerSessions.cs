using System.Collections.Concurrent;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

// What outlives a connection, and with a store the process.
public sealed partial class MqttBroker
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, long> _away = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _retainedTopics = new(StringComparer.Ordinal);
    private BrokerStore? _store;
    private ITimer? _expiry;

    /// <summary>What was wrong with the store when it was opened: a crash can cut off its last record, which nobody was told to be kept. Null: nothing.</summary>
    public string? StoreDamage => _store?.Damage;

    /// <summary>Brings back what the store has, before the first client is let in.</summary>
    private async Task RestoreAsync()
    {
        foreach (var session in _store?.Sessions() ?? [])
        {
            _restoring[session.ClientId] = true;
            _owners[session.ClientId] = session.Owner;
            await _listener.ClientHandler!(new RestoredClient(session)).ConfigureAwait(false);
            var status = await _server.GetSessionAsync(session.ClientId).ConfigureAwait(false);
            foreach (var (id, record) in session.Messages)
            {
                var message = BrokerRecords.ReadQueued(record);
                session.ByTopic[message.Topic] = id;
                status.TryEnqueueApplicationMessage(message, out _);
            }

            _restoring.TryRemove(session.ClientId, out _);
        }
    }

    private Task LoadRetainedAsync(LoadingRetainedMessagesEventArgs e)
    {
        e.LoadedRetainedMessages = _store?.Retained() ?? [];
        foreach (var message in e.LoadedRetainedMessages)
        {
            _retainedTopics[message.Topic] = true;
        }

        return Task.CompletedTask;
    }

    /// <summary>A session begins or goes on, before its client is told.</summary>
    private async ValueTask KeepSessionAsync(string clientId, string owner, MqttConnectPacket connect, bool isV5)
    {
        _away.TryRemove(clientId, out _);
        if (_store is not { } store)
        {
            return;
        }

        bool isKept = isV5 ? connect.SessionExpiryInterval > 0 : !connect.CleanSession;
        if (!isKept)
        {
            store.End(clientId);
            return;
        }

        store.Begin(clientId, owner, isV5 ? connect.SessionExpiryInterval : (uint)_options.MaxSessionExpiry.TotalSeconds, isV5, isNew: connect.CleanSession);
        await store.FlushedAsync().ConfigureAwait(false);
    }

    private bool MayRetain(MqttApplicationMessage message) =>
        message.Payload.IsEmpty || _retainedTopics.ContainsKey(message.Topic) || _retainedTopics.Count < _options.MaxRetainedMessages;

    private Task RetainedAsync(RetainedMessageChangedEventArgs e)
    {
        var message = e.ChangedRetainedMessage;
        if (message.Payload.IsEmpty)
        {
            _retainedTopics.TryRemove(message.Topic, out _);
        }
        else
        {
            _retainedTopics[message.Topic] = true;
        }

        if (_store is { } store)
        {
            store.Retain(message);
            AcknowledgeWhenFlushed(store, e.ClientId);
        }

        return Task.CompletedTask;
    }

    private bool IsStoreFullFor(MqttApplicationMessage message) =>
        _store is { } store && (message.Retain || message.QualityOfServiceLevel != MqttQualityOfServiceLevel.AtMostOnce)
        && store.LiveBytes + message.Payload.Length > _options.MaxStoreBytes;

    private void KeepMessage(BrokerStore store, InterceptingClientApplicationMessageEnqueueEventArgs e)
    {
        if (e.ApplicationMessage.QualityOfServiceLevel != MqttQualityOfServiceLevel.AtMostOnce && store.Queue(e.ReceiverClientId, e.ApplicationMessage))
        {
            AcknowledgeWhenFlushed(store, e.SenderClientId);
        }
    }

    private void AcknowledgeWhenFlushed(BrokerStore store, string? senderClientId)
    {
        if (senderClientId is not null && _active.TryGetValue(senderClientId, out var connection) && connection.Receipts?.Current is { } receipt)
        {
            receipt.Add();
            _ = WaitAsync(store, receipt);
        }

        // A disk that can't be written acknowledges nothing: the publisher keeps the message.
        static async Task WaitAsync(BrokerStore store, Receipt receipt)
        {
            if (await store.FlushedAsync().ConfigureAwait(false))
            {
                receipt.Done();
            }
        }
    }

    private Task SubscribedAsync(ClientSubscribedTopicEventArgs e)
    {
        if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.Subscribed(e.TopicFilter.Topic);
            if (!_restoring.ContainsKey(e.ClientId))
            {
                _store?.Subscribe(e.ClientId, e.TopicFilter, subscriber.SubscriptionIdentifier);
            }
        }

        return Task.CompletedTask;
    }

    private Task UnsubscribedAsync(ClientUnsubscribedTopicEventArgs e)
    {
        if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.Unsubscribed(e.TopicFilter);
        }

        _store?.Unsubscribe(e.ClientId, e.TopicFilter);
        return Task.CompletedTask;
    }

    /// <summary>A client is away: its session is kept for as long as it asked for.</summary>
    private void CountDown(ClientDisconnectedEventArgs e)
    {
        uint asked = e.SessionExpiryInterval;
        if (asked == 0)
        {
            // What the latest CONNECT said; a session that was brought back has what the store says.
            asked = _active.TryGetValue(e.ClientId, out var connection) ? connection.Adapter!.Connect!.SessionExpiryInterval
                : _subscribers.TryGetValue(e.ClientId, out var subscriber) ? subscriber.ExpirySeconds : 0;
        }

        double seconds = asked == 0 ? _options.MaxSessionExpiry.TotalSeconds : Math.Min(asked, _options.MaxSessionExpiry.TotalSeconds);
        _away[e.ClientId] = _timeProvider.GetTimestamp() + (long)(seconds * _timeProvider.TimestampFrequency);
    }

    private async Task ExpireAsync()
    {
        long now = _timeProvider.GetTimestamp();
        SayWillsThatAreDue(now);
        foreach (var entry in _away)
        {
            if (now >= entry.Value && !_connections.ContainsKey(entry.Key) && _away.TryRemove(entry) && _subscribers.TryGetValue(entry.Key, out var subscriber))
            {
                Interlocked.Increment(ref _expiredSessions);
                await subscriber.DeleteSessionAsync().ConfigureAwait(false);
            }
        }
    }
}
