using IoT.Cep.Extensibility;
using MQTTnet.Packets;

namespace IoT.Cep;

/// <summary>MQTT 5's user properties as a payload's headers, and back.</summary>
internal static class MqttHeaders
{
    internal static PayloadHeaders Of(List<MqttUserProperty>? properties)
    {
        if (properties is not { Count: > 0 })
        {
            return default;
        }

        var pairs = new KeyValuePair<string, string>[properties.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            pairs[i] = new KeyValuePair<string, string>(properties[i].Name, ValueOf(properties[i]));
        }

        return new PayloadHeaders(pairs);
    }

    internal static string ValueOf(MqttUserProperty property) => System.Text.Encoding.UTF8.GetString(property.ValueBuffer.Span);

    internal static MqttUserProperty ToProperty(string name, string value) => new(name, new ReadOnlyMemory<byte>(System.Text.Encoding.UTF8.GetBytes(value)));
}
