namespace IoT.Cep;

/// <summary>
/// What the broker publishes for a connection that is lost and was not closed in an orderly way. Each source and each sink is a connection and says it for itself, so it should be something that may
/// be said twice: <c>offline</c>, retained.
/// </summary>
public sealed class MqttWill
{
    /// <summary>The topic.</summary>
    public string Topic { get; set; } = "";

    /// <summary>The payload.</summary>
    public ReadOnlyMemory<byte> Payload { get; set; }

    /// <summary>The QoS. Default: at least once.</summary>
    public MqttQualityOfService QualityOfService { get; set; } = MqttQualityOfService.AtLeastOnce;

    /// <summary>Whether the broker keeps it for later subscribers. Default: yes.</summary>
    public bool Retained { get; set; } = true;

    /// <summary>How long the broker waits for the connection to come back first (MQTT 5). Default: not at all.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>The payload's media type (MQTT 5); null: not said.</summary>
    public string? ContentType { get; set; }
}
