using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Which retained messages a source wants.</summary>
public enum MqttRetained
{
    /// <summary>Those of a new subscription: in a session that goes on they have been seen. MQTT 3.1.1 brokers can't tell and send them at each connection.</summary>
    WhenNew,

    /// <summary>All, at each connection.</summary>
    Always,

    /// <summary>None. On MQTT 3.1.1 they arrive and are passed over.</summary>
    Never,
}

/// <summary>How a source subscribes.</summary>
public sealed record MqttSubscribeOptions
{
    /// <summary>The highest QoS wanted; the broker delivers at most what the publisher used.</summary>
    public MqttQualityOfService QualityOfService { get; init; } = MqttQualityOfService.AtLeastOnce;

    /// <summary>Which retained messages are wanted.</summary>
    public MqttRetained Retained { get; init; }

    /// <summary>Whether messages that this very connection published are left out (MQTT 5). Not for shared subscriptions, for which the protocol forbids it.</summary>
    public bool NoLocal { get; init; }

    /// <summary>The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</summary>
    public string Connection { get; init; } = Connections.Default;
}
