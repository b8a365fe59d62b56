using System.Buffers;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

// Shared subscriptions: the broker's own, since MQTTnet would give each member every message.
public sealed partial class MqttBroker
{
    private readonly SharedGroups _shared = new();

    private async ValueTask<MqttSubscribeReasonCode> SubscribeSharedAsync(string clientId, MqttTopicFilter filter, BrokerSubscriber subscriber)
    {
        bool isRestored = _restoring.ContainsKey(clientId);
        if (!isRestored && await RefusalOfAsync(clientId, filter.Topic).ConfigureAwait(false) is { } refusal)
        {
            return refusal;
        }

        _shared.Join(filter.Topic, new SharedMember(clientId, filter.QualityOfServiceLevel, subscriber.SubscriptionIdentifier, filter.RetainAsPublished));
        subscriber.Subscribed(filter.Topic);
        if (!isRestored)
        {
            _store?.Subscribe(clientId, filter, subscriber.SubscriptionIdentifier);
        }

        return (MqttSubscribeReasonCode)filter.QualityOfServiceLevel;
    }

    private Task UnsubscribingAsync(InterceptingUnsubscriptionEventArgs e)
    {
        if (_shared.Leave(e.Topic, e.ClientId))
        {
            e.ProcessUnsubscription = false;
            e.Response.ReasonCode = MqttUnsubscribeReasonCode.Success;
        }

        return Task.CompletedTask;
    }

    /// <summary>Hands a message to one member of each group that takes it.</summary>
    /// <returns>Whether there was one.</returns>
    private async ValueTask<bool> ShareAsync(MqttApplicationMessage message, string? sender)
    {
        bool isTaken = false;
        foreach (var group in _shared.All)
        {
            if (group.Takes(message.Topic))
            {
                isTaken |= await ShareAsync(message, group, sender).ConfigureAwait(false);
            }
        }

        return isTaken;
    }

    private async ValueTask<bool> ShareAsync(MqttApplicationMessage message, SharedGroup group, string? sender)
    {
        while (group.Next(Rank) is { } member)
        {
            if (!_subscribers.TryGetValue(member.ClientId, out var subscriber))
            {
                group.Remove(member.ClientId);
                continue;
            }

            var granted = member.Granted < message.QualityOfServiceLevel ? member.Granted : message.QualityOfServiceLevel;
            if (subscriber.IsConnected && subscriber.Outstanding > _options.MaxPendingMessagesPerClient / 2)
            {
                // All that are connected are behind: the publisher waits, and looks again whose turn it is.
                Interlocked.Increment(ref _stalls);
                await WaitForProgressAsync(member.ClientId, subscriber).ConfigureAwait(false);
                continue;
            }

            if (!subscriber.IsConnected && granted == MqttQualityOfServiceLevel.AtMostOnce)
            {
                return false;
            }

            if (!subscriber.IsConnected && subscriber.Outstanding >= _options.MaxPendingMessagesPerClient)
            {
                Interlocked.Increment(ref _discardedSessions);
                await subscriber.DeleteSessionAsync().ConfigureAwait(false);
                continue;
            }

            Hand(message, group, member, granted, subscriber, sender);
            return true;
        }

        return false;
    }

    private int Rank(SharedMember member) => !_subscribers.TryGetValue(member.ClientId, out var subscriber) ? 3
        : !subscriber.IsConnected ? 2
        : subscriber.Outstanding > _options.MaxPendingMessagesPerClient / 2 ? 1
        : 0;

    private void Hand(MqttApplicationMessage message, SharedGroup group, SharedMember member, MqttQualityOfServiceLevel granted, BrokerSubscriber subscriber, string? sender)
    {
        var copy = new MqttApplicationMessage
        {
            // A text of its own: by this reference what leaves for the member is known to be this message, also where the member gets it by another subscription as well.
            Topic = new string(message.Topic),
            Payload = new ReadOnlySequence<byte>(message.Payload.ToArray()),
            QualityOfServiceLevel = granted,
            Retain = member.RetainAsPublished && message.Retain,
            PayloadFormatIndicator = message.PayloadFormatIndicator,
            MessageExpiryInterval = message.MessageExpiryInterval,
            ContentType = message.ContentType,
            ResponseTopic = message.ResponseTopic,
            CorrelationData = message.CorrelationData,
            UserProperties = message.UserProperties,
            SubscriptionIdentifiers = member.Identifier == 0 ? null : [member.Identifier],
        };
        if (granted != MqttQualityOfServiceLevel.AtMostOnce)
        {
            subscriber.Shared(copy, group);
            if (_store is { } store && store.QueueShared(member.ClientId, copy))
            {
                AcknowledgeWhenFlushed(store, sender);
            }
        }

        subscriber.Enqueue(copy);
    }

    /// <summary>What a member had not acknowledged when its session ended goes to another one, but for QoS 2 that was begun (4.8.2-5).</summary>
    private async Task ShareAgainAsync(BrokerSubscriber ended)
    {
        foreach (var (message, group) in ended.TakeShared())
        {
            await ShareAsync(message, group, sender: null).ConfigureAwait(false);
        }
    }
}
