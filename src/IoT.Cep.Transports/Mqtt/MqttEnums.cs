namespace IoT.Cep;

/// <summary>How often a message arrives, as MQTT counts it. The broker grants at most what was asked for.</summary>
public enum MqttQualityOfService
{
    /// <summary>QoS 0: once or not at all. Nothing is acknowledged; what is on its way when a connection breaks is lost.</summary>
    AtMostOnce = 0,

    /// <summary>QoS 1: acknowledged when the effect is where the query's guarantee says; may arrive again after a lost connection.</summary>
    AtLeastOnce = 1,

    /// <summary>QoS 2: as QoS 1, and the protocol's own handshake keeps a message from arriving twice in one session.</summary>
    ExactlyOnce = 2,
}

/// <summary>The protocol spoken to the broker.</summary>
public enum MqttProtocol
{
    /// <summary>MQTT 5, the default: the broker limits messages in flight and their size, and sessions expire.</summary>
    V5 = 5,

    /// <summary>MQTT 3.1.1, for brokers that know no other.</summary>
    V311 = 4,

    /// <summary>MQTT 3.1, for brokers older than 2014. The broker does not say whether it kept a session; it is believed to have where it was asked to.</summary>
    V31 = 3,
}
