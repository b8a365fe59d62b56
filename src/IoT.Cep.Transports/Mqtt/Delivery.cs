using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>How far a message has come.</summary>
internal enum DeliveryState : byte
{
    /// <summary>Its packet id is free again (QoS 2: the broker released it).</summary>
    Released,

    /// <summary>The receiver has it; its effect is not yet where the guarantee says.</summary>
    Taken,

    /// <summary>Its effect is in place, but no acknowledgement went out: the connection was gone.</summary>
    Committed,

    /// <summary>Its acknowledgement went out; whether it arrived is unknown.</summary>
    Acknowledged,
}

/// <summary>One message of QoS 1 or 2 in the hands of the receiver. Made once for each packet id and used again.</summary>
internal sealed class Delivery
{
    internal ushort PacketId;
    internal MqttQualityOfServiceLevel QualityOfService;

    /// <summary>A hash of topic and payload: a redelivery is believed only where both are the same.</summary>
    internal int Hash;

    /// <summary>The connection that the message came by last, counted from 1.</summary>
    internal int Connection;

    internal DeliveryState State;
}
