namespace IoT.Cep;

/// <summary>Where properties stand; each may hold some of them (MQTT 5, table 2-4).</summary>
[Flags]
internal enum PropertyPlace : byte
{
    None = 0,
    Connect = 1,
    Will = 2,
    Publish = 4,
    Acknowledgement = 8,
    Subscribe = 16,
    Unsubscribe = 32,
    Disconnect = 64,
}

/// <summary>The properties of one packet, as far as a server that takes data uses them. All are checked: place, form, and that none stands twice.</summary>
internal ref struct PacketProperties
{
    internal uint SessionExpiry;
    internal uint WillDelay;
    internal uint MaxPacketBytes;
    internal ushort ReceiveMaximum;
    internal ushort TopicAlias;
    internal byte PayloadFormat;
    internal ReadOnlySpan<byte> ContentType;

    /// <summary>All properties, to read the user's from.</summary>
    internal ReadOnlySpan<byte> All;
    internal int UserProperties;
    private ulong _seen;

    internal readonly bool Has(Id id) => (_seen & (1UL << (int)id)) != 0;

    /// <summary>The properties' identifiers.</summary>
    internal enum Id : byte
    {
        PayloadFormat = 1,
        MessageExpiry = 2,
        ContentType = 3,
        ResponseTopic = 8,
        CorrelationData = 9,
        SubscriptionId = 11,
        SessionExpiry = 17,
        AssignedClientId = 18,
        ServerKeepAlive = 19,
        AuthenticationMethod = 21,
        AuthenticationData = 22,
        RequestProblemInformation = 23,
        WillDelay = 24,
        RequestResponseInformation = 25,
        ReasonString = 31,
        ReceiveMaximum = 33,
        TopicAliasMaximum = 34,
        TopicAlias = 35,
        RetainAvailable = 37,
        UserProperty = 38,
        MaximumPacketSize = 39,
        SubscriptionIdsAvailable = 41,
        SharedSubscriptionsAvailable = 42,
    }

    /// <summary>Reads a packet's properties.</summary>
    /// <param name="reader">Stands before their length; behind them afterwards.</param>
    /// <param name="place">Where they stand.</param>
    /// <returns>What is wrong with them.</returns>
    internal MqttReason Read(ref PacketReader reader, PropertyPlace place)
    {
        All = reader.Take(reader.VariableInteger());
        if (reader.IsBad)
        {
            return MqttReason.Malformed;
        }

        var inner = new PacketReader(All);
        while (!inner.Rest.IsEmpty)
        {
            int id = inner.VariableInteger();
            if (inner.IsBad || id > 63 || (PlacesOf((Id)id) & place) == 0)
            {
                return inner.IsBad || PlacesOf((Id)id) == PropertyPlace.None ? MqttReason.Malformed : MqttReason.ProtocolError;
            }

            if (id != (int)Id.UserProperty && (_seen & (1UL << id)) != 0)
            {
                return MqttReason.ProtocolError;
            }

            _seen |= 1UL << id;
            if (!ReadValue(ref inner, (Id)id))
            {
                return MqttReason.ProtocolError;
            }

            if (inner.IsBad)
            {
                return MqttReason.Malformed;
            }
        }

        return MqttReason.Success;
    }

    /// <summary>The next of the user's properties.</summary>
    /// <param name="reader">Over <see cref="All"/>.</param>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    internal static bool NextUserProperty(ref PacketReader reader, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        var passed = default(PacketProperties);
        while (!reader.Rest.IsEmpty)
        {
            var id = (Id)reader.VariableInteger();
            if (id == Id.UserProperty)
            {
                name = reader.Text();
                value = reader.Text();
                return true;
            }

            passed.ReadValue(ref reader, id);
        }

        name = value = default;
        return false;
    }

    private static PropertyPlace PlacesOf(Id id) => id switch
    {
        Id.PayloadFormat or Id.MessageExpiry or Id.ContentType or Id.ResponseTopic or Id.CorrelationData => PropertyPlace.Publish | PropertyPlace.Will,
        Id.SubscriptionId => PropertyPlace.Subscribe,
        Id.SessionExpiry => PropertyPlace.Connect | PropertyPlace.Disconnect,
        Id.AuthenticationMethod or Id.AuthenticationData or Id.RequestProblemInformation or Id.RequestResponseInformation
            or Id.ReceiveMaximum or Id.TopicAliasMaximum or Id.MaximumPacketSize => PropertyPlace.Connect,
        Id.WillDelay => PropertyPlace.Will,
        Id.ReasonString => PropertyPlace.Acknowledgement | PropertyPlace.Disconnect,
        Id.TopicAlias => PropertyPlace.Publish,
        Id.UserProperty => (PropertyPlace)0xFF,
        _ => PropertyPlace.None,
    };

    /// <returns>False where the value is one that the protocol forbids.</returns>
    private bool ReadValue(ref PacketReader reader, Id id)
    {
        switch (id)
        {
            case Id.PayloadFormat:
                return (PayloadFormat = reader.Byte()) <= 1;
            case Id.RequestProblemInformation:
            case Id.RequestResponseInformation:
                return reader.Byte() <= 1;
            case Id.MessageExpiry:
                reader.UInt32();
                return true;
            case Id.ContentType:
                ContentType = reader.Text();
                return true;
            case Id.ResponseTopic:
                return !reader.Text().ContainsAny((byte)'+', (byte)'#');
            case Id.AuthenticationMethod:
            case Id.ReasonString:
                reader.Text();
                return true;
            case Id.CorrelationData:
            case Id.AuthenticationData:
                reader.Binary();
                return true;
            case Id.SubscriptionId:
                return reader.VariableInteger() > 0;
            case Id.SessionExpiry:
                SessionExpiry = reader.UInt32();
                return true;
            case Id.WillDelay:
                WillDelay = reader.UInt32();
                return true;
            case Id.ReceiveMaximum:
                return (ReceiveMaximum = reader.UInt16()) > 0;
            case Id.TopicAliasMaximum:
                reader.UInt16();
                return true;
            case Id.TopicAlias:
                TopicAlias = reader.UInt16();
                return true;
            case Id.MaximumPacketSize:
                return (MaxPacketBytes = reader.UInt32()) > 0;
            case Id.UserProperty:
                UserProperties++;
                reader.Text();
                reader.Text();
                return true;
            default:
                return false;
        }
    }
}
