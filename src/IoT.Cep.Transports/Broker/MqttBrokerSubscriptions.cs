using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

// From SUBSCRIBE to SUBACK. MQTTnet takes the filters of a packet by their QoS and answers in that order; the standard wants both in the packet's (3.8.4-5, 3.9.3-1).
public sealed partial class MqttBroker
{
    /// <summary>Takes out of a packet what is the broker's own, or not to be seen by MQTTnet, and notes which answer belongs where.</summary>
    private async ValueTask BeginSubscribingAsync(string clientId, MqttSubscribePacket packet, BrokerSubscriber subscriber)
    {
        subscriber.SubscriptionIdentifier = packet.SubscriptionIdentifier;
        var filters = packet.TopicFilters;
        var answers = new SubscribeAnswers(filters.Count);
        var rest = new List<int>();
        for (int i = 0; i < filters.Count; i++)
        {
            var filter = filters[i];
            if (filter.Topic.StartsWith("$share/", StringComparison.Ordinal))
            {
                answers.Codes[i] = await SubscribeSharedAsync(clientId, filter, subscriber).ConfigureAwait(false);
            }
            else if (filters.FindLastIndex(f => f.Topic == filter.Topic) is var last && last > i)
            {
                // The later one replaces it, whatever its QoS.
                answers.Codes[i] = (MqttSubscribeReasonCode)filter.QualityOfServiceLevel;
                answers.LikeLater.Add((i, last));
            }
            else
            {
                rest.Add(i);
            }
        }

        packet.TopicFilters = rest.ConvertAll(i => filters[i]);
        answers.Order = [.. rest.OrderByDescending(i => filters[i].QualityOfServiceLevel)];
        subscriber.Subscribing[packet.PacketIdentifier] = answers;
    }

    private async Task SubscribingAsync(InterceptingSubscriptionEventArgs e)
    {
        if (!_restoring.ContainsKey(e.ClientId) && await RefusalOfAsync(e.ClientId, e.TopicFilter.Topic).ConfigureAwait(false) is { } refusal)
        {
            e.Response.ReasonCode = refusal;
            e.ProcessSubscription = false;
        }
    }

    /// <summary>Why a client does not get a subscription; null: it does.</summary>
    private async ValueTask<MqttSubscribeReasonCode?> RefusalOfAsync(string clientId, string filter)
    {
        if (!_active.TryGetValue(clientId, out var connection) || connection.Admission is not { } admission || !_subscribers.TryGetValue(clientId, out var subscriber))
        {
            return MqttSubscribeReasonCode.UnspecifiedError;
        }

        if (!subscriber.MaySubscribe(filter, _options.MaxSubscriptionsPerSession))
        {
            return MqttSubscribeReasonCode.QuotaExceeded;
        }

        MqttTopic.TakeShareName(ref filter);
        return _options.Security.MayReceive(admission.Identity, _options.Templates, filter)
            && await _options.Security.AuthorizeAsync(admission.Identity, AccessAction.Subscribe, filter).ConfigureAwait(false) ? null : MqttSubscribeReasonCode.NotAuthorized;
    }

    private async Task AnswerAsync(string clientId, MqttSubAckPacket subscribed)
    {
        if (_subscribers.TryGetValue(clientId, out var subscriber) && subscriber.Subscribing.TryRemove(subscribed.PacketIdentifier, out var answers))
        {
            subscribed.ReasonCodes = answers.Whole(subscribed.ReasonCodes);
        }

        var codes = subscribed.ReasonCodes;
        if (_active.TryGetValue(clientId, out var connection) && !connection.IsV5)
        {
            for (int i = 0; i < codes.Count; i++)
            {
                // 3.1.1 knows one kind of refusal (3.9.3-2).
                codes[i] = codes[i] > MqttSubscribeReasonCode.GrantedQoS2 ? MqttSubscribeReasonCode.UnspecifiedError : codes[i];
            }
        }

        if (_store is { } store && !await store.FlushedAsync().ConfigureAwait(false))
        {
            for (int i = 0; i < codes.Count; i++)
            {
                codes[i] = MqttSubscribeReasonCode.UnspecifiedError;
            }
        }
    }
}

/// <summary>The answers of one SUBSCRIBE, in the order of its filters.</summary>
/// <param name="count">How many filters it has.</param>
internal sealed class SubscribeAnswers(int count)
{
    internal MqttSubscribeReasonCode[] Codes { get; } = new MqttSubscribeReasonCode[count];

    /// <summary>Filters that stand again later in the packet, and where: refused like those.</summary>
    internal List<(int At, int Later)> LikeLater { get; } = [];

    /// <summary>Whose answers come from MQTTnet, in its order.</summary>
    internal int[] Order { get; set; } = [];

    internal List<MqttSubscribeReasonCode> Whole(List<MqttSubscribeReasonCode> fromServer)
    {
        for (int i = 0; i < Order.Length; i++)
        {
            Codes[Order[i]] = fromServer[i];
        }

        foreach (var (at, later) in LikeLater)
        {
            Codes[at] = Codes[later] > MqttSubscribeReasonCode.GrantedQoS2 ? Codes[later] : Codes[at];
        }

        return [.. Codes];
    }
}
