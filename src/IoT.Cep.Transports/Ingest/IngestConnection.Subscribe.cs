using System.Buffers.Binary;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What devices subscribe to: the topics of commands to them.</summary>
internal sealed partial class IngestConnection
{
    /// <summary>Filters in one packet; each may cost a decision.</summary>
    private const int MaxFiltersAtOnce = 256;

    private List<(string Filter, byte Options)>? _filters;
    private ushort _filtersId;

    private Step ReadSubscribe(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        _filtersId = reader.UInt16();
        if (ReadFilterProperties(ref reader, PropertyPlace.Subscribe, out bool hasId) is var problem and not MqttReason.Success)
        {
            return Fail(problem, "a SUBSCRIBE's properties are malformed");
        }

        if (hasId)
        {
            return Fail(MqttReason.SubscriptionIdsNotSupported, "it wants subscription identifiers, and was told that there are none");
        }

        _filters = [];
        while (!reader.Rest.IsEmpty && !reader.IsBad && _filters.Count < MaxFiltersAtOnce)
        {
            string filter = Encoding.UTF8.GetString(reader.Text());
            byte options = reader.Byte();
            if ((options & 3) == 3 || (options & (IsVersion5 ? 0xC0 : 0xFC)) != 0 || (options & 0x30) == 0x30)
            {
                return Fail(MqttReason.Malformed, "a subscription's options are malformed");
            }

            if ((options & 4) != 0 && filter.StartsWith("$share/", StringComparison.Ordinal))
            {
                return Fail(MqttReason.ProtocolError, "a shared subscription is to leave out local messages");
            }

            _filters.Add((filter, options));
        }

        if (reader.IsBad || _filters.Count == 0 || _filtersId == 0 || !reader.Rest.IsEmpty)
        {
            return Fail(reader.IsBad ? MqttReason.Malformed : MqttReason.ProtocolError, "a SUBSCRIBE is malformed, or has no filters or too many");
        }

        _start += _wanted;
        return Step.Subscribe;
    }

    private MqttReason ReadFilterProperties(ref PacketReader reader, PropertyPlace place, out bool hasId)
    {
        var properties = default(PacketProperties);
        var problem = IsVersion5 ? properties.Read(ref reader, place) : MqttReason.Success;
        hasId = properties.Has(PacketProperties.Id.SubscriptionId);
        return problem;
    }

    private async ValueTask SubscribeAsync()
    {
        var filters = _filters!;
        _filters = null;
        byte[] answer = Begin(MqttPacketType.SubAck, filters.Count, out int at);
        foreach (var (filter, options) in filters)
        {
            var reason = await SubscribeAsync(filter, (options & 3) > 0).ConfigureAwait(false);

            // MQTT 3 has one code for all that went wrong.
            answer[at++] = IsVersion5 || reason < MqttReason.Unspecified ? (byte)reason : (byte)MqttReason.Unspecified;
        }

        Output.Add(answer);
    }

    private async ValueTask<MqttReason> SubscribeAsync(string filter, bool isAcknowledged)
    {
        if (filter.StartsWith("$share/", StringComparison.Ordinal))
        {
            return MqttReason.SharedSubscriptionsNotSupported;
        }

        if (Encoding.UTF8.GetByteCount(filter) > _endpoint.Options.MaxTopicBytes || !TopicFilter.TryParse(filter, out _, out _))
        {
            return MqttReason.TopicFilterInvalid;
        }

        if (!MayReceive(filter) || !await IsAllowedAsync(AccessAction.Subscribe, filter).ConfigureAwait(false))
        {
            _endpoint.CountRefused(Client, "it may not subscribe to a filter");
            return MqttReason.NotAuthorized;
        }

        return !_endpoint.Commands.Add(Session!, filter, isAcknowledged, _endpoint.Options.MaxSubscriptionsPerClient) ? MqttReason.QuotaExceeded
            : isAcknowledged ? MqttReason.GrantedQos1
            : MqttReason.Success;
    }

    // A place that stands in no template says nothing of commands; where commands have the device in their topic, CommandTemplates says so.
    private bool MayReceive(string filter) =>
        _endpoint.CommandTemplates.Count == 0 || _endpoint.Options.Security.MayReceive(_admission!.Identity, _endpoint.CommandTemplates, filter);

    private Step ReadUnsubscribe(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        ushort packetId = reader.UInt16();
        if (ReadFilterProperties(ref reader, PropertyPlace.Unsubscribe, out _) is var problem and not MqttReason.Success)
        {
            return Fail(problem, "an UNSUBSCRIBE's properties are malformed");
        }

        var reasons = new List<byte>();
        while (!reader.Rest.IsEmpty && !reader.IsBad && reasons.Count < MaxFiltersAtOnce)
        {
            bool had = _endpoint.Commands.Remove(Session!, Encoding.UTF8.GetString(reader.Text()));
            reasons.Add((byte)(had ? MqttReason.Success : MqttReason.NoSubscriptionExisted));
        }

        if (reader.IsBad || reasons.Count == 0 || packetId == 0 || !reader.Rest.IsEmpty)
        {
            return Fail(reader.IsBad ? MqttReason.Malformed : MqttReason.ProtocolError, "an UNSUBSCRIBE is malformed, or has no filters or too many");
        }

        _filtersId = packetId;
        byte[] answer = Begin(MqttPacketType.UnsubAck, IsVersion5 ? reasons.Count : 0, out int at);
        if (IsVersion5)
        {
            reasons.CopyTo(answer, at);
        }

        Output.Add(answer);
        return Step.Next;
    }

    /// <summary>An answer with one code for each filter.</summary>
    private byte[] Begin(byte type, int codes, out int at)
    {
        int length = 2 + (IsVersion5 ? 1 : 0) + codes;
        byte[] answer = new byte[length + (length < 128 ? 2 : 3)];
        answer[0] = type;
        answer[1] = (byte)(length < 128 ? length : length & 0x7F | 0x80);
        at = 2;
        if (length >= 128)
        {
            answer[at++] = (byte)(length >> 7);
        }

        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(at), _filtersId);
        at += IsVersion5 ? 3 : 2;
        return answer;
    }
}
