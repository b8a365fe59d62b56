using System.Text;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>How many bytes a PUBLISH of MQTT 5 has on the wire: a client says how many it takes, and MQTTnet does not look.</summary>
internal static class PublishSize
{
    /// <summary>Bytes of a property whose value is a number of four bytes.</summary>
    private const int NumberBytes = 5;

    internal static long Of(MqttPublishPacket packet)
    {
        long properties = packet.PayloadFormatIndicator == MqttPayloadFormatIndicator.Unspecified ? 0 : 2;
        properties += packet.MessageExpiryInterval == 0 ? 0 : NumberBytes;
        properties += Text(packet.ContentType) + Text(packet.ResponseTopic);
        properties += packet.CorrelationData is { } correlation ? 3 + correlation.Length : 0;
        foreach (uint identifier in packet.SubscriptionIdentifiers ?? [])
        {
            properties += 1 + VariableInteger(identifier);
        }

        foreach (var property in packet.UserProperties ?? [])
        {
            properties += 5 + Encoding.UTF8.GetByteCount(property.Name) + Encoding.UTF8.GetByteCount(MqttHeaders.ValueOf(property));
        }

        long rest = 2 + Encoding.UTF8.GetByteCount(packet.Topic ?? "") + (packet.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce ? 0 : 2)
            + VariableInteger(properties) + properties + packet.Payload.Length;
        return 1 + VariableInteger(rest) + rest;
    }

    private static int Text(string? text) => string.IsNullOrEmpty(text) ? 0 : 3 + Encoding.UTF8.GetByteCount(text);

    private static int VariableInteger(long number) => number < 1 << 7 ? 1 : number < 1 << 14 ? 2 : number < 1 << 21 ? 3 : 4;
}
