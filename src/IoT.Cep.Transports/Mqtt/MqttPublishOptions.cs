using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How results are published.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public sealed record MqttPublishOptions<T>
{
    /// <summary>The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</summary>
    public MqttQualityOfService QualityOfService { get; init; } = MqttQualityOfService.AtLeastOnce;

    /// <summary>Whether the broker keeps the topic's last message for later subscribers.</summary>
    public bool Retained { get; init; }

    /// <summary>The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</summary>
    public string Connection { get; init; } = Connections.Default;

    /// <summary>The payload's media type, told to subscribers (MQTT 5). Null, the default: <c>application/json</c> where the sink writes JSON, else not said.</summary>
    public string? ContentType { get; init; }

    /// <summary>After how long the broker no longer delivers a message (MQTT 5), in whole seconds. Null, the default: it always does.</summary>
    public TimeSpan? Expiry { get; init; }

    /// <summary>What goes with a message as user properties (MQTT 5); null: nothing. MQTT 3.1.1 has no place for them.</summary>
    public Func<T, IEnumerable<KeyValuePair<string, string>>>? Headers { get; init; }

    /// <summary>Each message's own media type; null: <see cref="ContentType"/> for all.</summary>
    internal Func<T, string?>? ContentTypeOf { get; init; }

    /// <summary>Whether a message means nothing without its headers, so that MQTT 3.1.1 can't carry it.</summary>
    internal bool NeedsHeaders { get; init; }
}
