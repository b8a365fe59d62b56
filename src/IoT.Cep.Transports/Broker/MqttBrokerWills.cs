using System.Buffers;
using System.Collections.Concurrent;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Server;

namespace IoT.Cep;

// Wills: the broker's own, since MQTTnet knows no delay and takes every DISCONNECT for a goodbye.
public sealed partial class MqttBroker
{
    // Of clients that are away; one for each session at the most.
    private readonly ConcurrentDictionary<string, Will> _wills = new(StringComparer.Ordinal);
    private volatile bool _isStopping;

    /// <summary>What is to be said of a client that goes without a word, by whom, and after how many seconds.</summary>
    private sealed record Will(MqttApplicationMessage Message, Identity Sender, uint Delay)
    {
        internal long Due { get; set; }
    }

    /// <summary>Takes the will out of what MQTTnet sees of a client.</summary>
    private static Will? TakeWill(MqttConnectPacket connect, Identity sender)
    {
        if (!connect.WillFlag)
        {
            return null;
        }

        connect.WillFlag = false;
        var message = new MqttApplicationMessage
        {
            Topic = connect.WillTopic,
            Payload = new ReadOnlySequence<byte>(connect.WillMessage ?? []),
            QualityOfServiceLevel = connect.WillQoS,
            Retain = connect.WillRetain,
            PayloadFormatIndicator = connect.WillPayloadFormatIndicator,
            MessageExpiryInterval = connect.WillMessageExpiryInterval,
            ContentType = connect.WillContentType,
            ResponseTopic = connect.WillResponseTopic,
            CorrelationData = connect.WillCorrelationData,
            UserProperties = connect.WillUserProperties,
        };
        return new Will(message, sender, connect.WillDelayInterval);
    }

    /// <summary>A connection has ended: its will waits for its delay, or for the session's end.</summary>
    private void LeaveWill(string clientId, BrokerAdapter adapter, Will will)
    {
        if (adapter.HasSaidGoodbye || _isStopping)
        {
            return;
        }

        if (will.Delay == 0 || !_owners.ContainsKey(clientId))
        {
            _ = SayAsync(will);
            return;
        }

        if (_active.TryGetValue(clientId, out var active) && active.Adapter != adapter)
        {
            // The client did not wait for this connection's end, and has its session by another one.
            return;
        }

        will.Due = _timeProvider.GetTimestamp() + (will.Delay * _timeProvider.TimestampFrequency);
        _wills[clientId] = will;
    }

    /// <summary>A client is back. With its session a will that waits is not said (3.1.3-9); where the session ends, it is.</summary>
    private void DropWill(string clientId, bool startsClean)
    {
        if (_wills.TryRemove(clientId, out var will) && startsClean)
        {
            _ = SayAsync(will);
        }
    }

    private void SayWillsThatAreDue(long now)
    {
        foreach (var entry in _wills)
        {
            if (now >= entry.Value.Due && _wills.TryRemove(entry))
            {
                _ = SayAsync(entry.Value);
            }
        }
    }

    private void SayWillOf(string clientId)
    {
        if (_wills.TryRemove(clientId, out var will) && !_isStopping)
        {
            _ = SayAsync(will);
        }
    }

    /// <summary>Publishes a will, if its sender still may: it was asked when the client connected, and may have been revoked since.</summary>
    private async Task SayAsync(Will will)
    {
        bool isAllowed = will.Message.Payload.Length <= _options.Security.Limits.MaxPayloadBytes && !IsStoreFullFor(will.Message)
            && await MayPublishAsync(will.Sender, will.Message.Topic).ConfigureAwait(false);
        if (!isAllowed)
        {
            Interlocked.Increment(ref _refusedMessages);
            return;
        }

        try
        {
            await _server.InjectApplicationMessage(new InjectedMqttApplicationMessage(will.Message) { SenderClientId = _self }).ConfigureAwait(false);
        }
        catch (Exception e) when (_isStopping && e is InvalidOperationException or ObjectDisposedException)
        {
            // The broker stops, and says no wills.
        }
    }
}
