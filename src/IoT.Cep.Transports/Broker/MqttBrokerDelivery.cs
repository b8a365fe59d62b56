using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

// From the publisher's message to the subscriber's acknowledgement.
public sealed partial class MqttBroker
{
    private Task MakeRoomAsync(InterceptingClientApplicationMessageEnqueueEventArgs e)
    {
        if (!_subscribers.TryGetValue(e.ReceiverClientId, out var subscriber))
        {
            return Task.CompletedTask;
        }

        if (!subscriber.IsConnected || subscriber.Outstanding > _options.MaxPendingMessagesPerClient / 2)
        {
            return WaitAndKeepAsync(e, subscriber);
        }

        if (_store is { } store)
        {
            KeepMessage(store, e);
        }

        return Task.CompletedTask;
    }

    private async Task WaitAndKeepAsync(InterceptingClientApplicationMessageEnqueueEventArgs e, BrokerSubscriber subscriber)
    {
        await WaitForRoomAsync(e, subscriber).ConfigureAwait(false);
        if (e.AcceptEnqueue && _store is { } store)
        {
            KeepMessage(store, e);
        }
    }

    private async Task WaitForRoomAsync(InterceptingClientApplicationMessageEnqueueEventArgs e, BrokerSubscriber subscriber)
    {
        Interlocked.Increment(ref _stalls);
        while (subscriber.IsConnected)
        {
            if (subscriber.Outstanding <= _options.MaxPendingMessagesPerClient / 2)
            {
                return;
            }

            await WaitForProgressAsync(e.ReceiverClientId, subscriber).ConfigureAwait(false);
        }

        if (e.ApplicationMessage.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce)
        {
            e.AcceptEnqueue = false;
        }
        else if (subscriber.Outstanding >= _options.MaxPendingMessagesPerClient)
        {
            e.AcceptEnqueue = false;
            Interlocked.Increment(ref _discardedSessions);
            await subscriber.DeleteSessionAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Waits until a subscriber that is behind has taken something. One that takes nothing for too long is disconnected.</summary>
    private async Task WaitForProgressAsync(string clientId, BrokerSubscriber subscriber)
    {
        long progress = subscriber.Progress;
        var next = subscriber.NextProgress();
        if (subscriber.Outstanding <= _options.MaxPendingMessagesPerClient / 2 || !subscriber.IsConnected)
        {
            return;
        }

        try
        {
            await next.WaitAsync(_options.StallTimeout, _timeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException) when (progress == subscriber.Progress)
        {
            await DisconnectAsync(clientId).ConfigureAwait(false);
            subscriber.Disconnected();
        }
        catch (TimeoutException)
        {
            // It took something between the last look and the end of the wait.
        }
    }

    /// <summary>Gives a message that may be spread to the sources in this process, and makes its acknowledgement wait for them and for the disk.</summary>
    private async Task SpreadAsync(InterceptingPublishEventArgs e, BrokerConnection? connection)
    {
        var message = e.ApplicationMessage;
        var receipt = connection?.Receipts?.Current;
        if (_store is not null)
        {
            // A text of its own: by this reference what leaves for a subscriber is known to be this message.
            message.Topic = new string(message.Topic);
        }

        if (message.Retain && !MayRetain(message))
        {
            e.ProcessPublish = false;
            e.Response.ReasonCode = MqttPubAckReasonCode.QuotaExceeded;
            return;
        }

        message.MessageExpiryInterval = MessageClock.Deadline(message.MessageExpiryInterval, Seconds);
        if (await ShareAsync(message, e.ClientId).ConfigureAwait(false))
        {
            receipt?.IsTaken = true;
        }

        foreach (var source in _sources)
        {
            if (source.Takes(message.Topic))
            {
                receipt?.IsTaken = true;
                await source.GiveAsync(message, receipt, connection?.Admission?.Identity).ConfigureAwait(false);
            }
        }
    }

    private async Task SendingAsync(InterceptingPacketEventArgs e)
    {
        switch (e.Packet)
        {
            case MqttPublishPacket publish:
                if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
                {
                    var sent = subscriber.Sending(publish);
                    (e.Packet, e.ProcessPacket) = (sent ?? publish, sent is not null);
                }

                break;
            case MqttPubAckPacket or MqttPubRecPacket when _active.TryGetValue(e.ClientId, out var connection):
                if (e.Packet is MqttPubRecPacket { ReasonCode: >= MqttPubRecReasonCode.UnspecifiedError } refused && _subscribers.TryGetValue(e.ClientId, out var publisher))
                {
                    publisher.Release(refused.PacketIdentifier);
                }

                e.ProcessPacket = !connection.Receipts!.TryAnswer(((MqttPacketWithIdentifier)e.Packet).PacketIdentifier, e.Packet);
                break;
            case MqttConnAckPacket accepted:
                Describe(accepted);
                break;
            case MqttSubAckPacket subscribed:
                await AnswerAsync(e.ClientId, subscribed).ConfigureAwait(false);
                break;
        }
    }

    /// <summary>What the client is told of the broker's limits (MQTT 5).</summary>
    private void Describe(MqttConnAckPacket accepted)
    {
        accepted.ReceiveMaximum = (ushort)Math.Min(_options.Security.Limits.MaxInFlight, ushort.MaxValue);
        accepted.MaximumPacketSize = (uint)_options.MaxPacketBytes;
        accepted.TopicAliasMaximum = BrokerAdapter.MaxTopicAliases;
        accepted.SharedSubscriptionAvailable = true;
    }

    private async Task ReceivingAsync(InterceptingPacketEventArgs e)
    {
        _subscribers.TryGetValue(e.ClientId, out var subscriber);
        switch (e.Packet)
        {
            case MqttPubRecPacket { ReasonCode: < MqttPubRecReasonCode.UnspecifiedError } received:
                subscriber?.HasReceived(received.PacketIdentifier);
                break;
            case MqttPubRecPacket refused:
                // The exchange ends with a refusal (4.3.3-4); MQTTnet would go on with a PUBREL.
                e.Packet = new MqttPubCompPacket { PacketIdentifier = refused.PacketIdentifier };
                break;
            case MqttPubRelPacket released:
                subscriber?.Release(released.PacketIdentifier);
                break;
            case MqttSubscribePacket subscribe when subscriber is not null:
                await BeginSubscribingAsync(e.ClientId, subscribe, subscriber).ConfigureAwait(false);
                break;
            case MqttPublishPacket publish when _active.TryGetValue(e.ClientId, out var connection):
                e.ProcessPacket = await BeginAsync(publish, connection, subscriber, e.CancellationToken).ConfigureAwait(false);
                break;
        }
    }

    /// <summary>A message comes. False: it was taken before, and only its receipt is sent again.</summary>
    private static async ValueTask<bool> BeginAsync(MqttPublishPacket publish, BrokerConnection connection, BrokerSubscriber? publisher, CancellationToken stop)
    {
        var receipts = connection.Receipts!;
        if (publish.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce)
        {
            receipts.Unacknowledged();
            return true;
        }

        while (!receipts.TryBegin(publish.PacketIdentifier))
        {
            // Another connection of the same identity may hold all that it may have under way, and nobody tells of that: look again soon.
            await (receipts.NextAsync()?.WaitAsync(stop) ?? Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, stop)).ConfigureAwait(false);
        }

        if (publish.QualityOfServiceLevel == MqttQualityOfServiceLevel.ExactlyOnce && publisher is not null && !publisher.TryTake(publish.PacketIdentifier))
        {
            receipts.TryAnswer(publish.PacketIdentifier, new MqttPubRecPacket { PacketIdentifier = publish.PacketIdentifier });
            return false;
        }

        return true;
    }

    private Task AcknowledgedAsync(ClientAcknowledgedPublishPacketEventArgs e)
    {
        if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.Acknowledged(e.PublishPacket);
        }

        _store?.Acknowledged(e.ClientId, e.PublishPacket.Topic);
        return Task.CompletedTask;
    }
}
