namespace IoT.Cep;

/// <summary>The reason codes of MQTT 5 (section 2.4) that a server has use for.</summary>
internal enum MqttReason : byte
{
    Success = 0,
    GrantedQos1 = 1,
    DisconnectWithWill = 4,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    Unspecified = 0x80,
    Malformed = 0x81,
    ProtocolError = 0x82,
    UnsupportedVersion = 0x84,
    ClientIdNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerBusy = 0x89,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9A,
    SharedSubscriptionsNotSupported = 0x9E,
    MaximumConnectTime = 0xA0,
    SubscriptionIdsNotSupported = 0xA1,
}

/// <summary>The control packets, as the upper half of their first byte.</summary>
internal static class MqttPacketType
{
    internal const byte Connect = 0x10;
    internal const byte ConnAck = 0x20;
    internal const byte Publish = 0x30;
    internal const byte PubAck = 0x40;
    internal const byte PubRec = 0x50;
    internal const byte PubRel = 0x60;
    internal const byte PubComp = 0x70;
    internal const byte Subscribe = 0x80;
    internal const byte SubAck = 0x90;
    internal const byte Unsubscribe = 0xA0;
    internal const byte UnsubAck = 0xB0;
    internal const byte PingReq = 0xC0;
    internal const byte PingResp = 0xD0;
    internal const byte Disconnect = 0xE0;
    internal const byte Auth = 0xF0;
}
