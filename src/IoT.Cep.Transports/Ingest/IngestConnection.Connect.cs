using System.Buffers.Binary;
using System.Text;

namespace IoT.Cep;

/// <summary>How a client says who it is, and is let in.</summary>
internal sealed partial class IngestConnection
{
    /// <summary>Names and passwords, a token of some KiB, and a will.</summary>
    private const int MaxConnectBytes = 64 * 1024;

    /// <summary>Long enough for a UUID with a prefix; text that is kept for each client.</summary>
    private const int MaxClientIdBytes = 256;

    private int _maxPacket;
    private bool _isVersion31;
    private Admission? _admission;
    private ConnectRequest? _request;

    /// <summary>What a CONNECT says.</summary>
    private sealed class ConnectRequest
    {
        internal string ClientId = "";
        internal bool StartsClean;
        internal ushort KeepAlive;
        internal uint SessionExpiry;
        internal bool HasAuthenticationMethod;
        internal string? UserName;
        internal string? Password;
        internal Topic? WillTopic;
        internal byte[] WillPayload = [];
        internal string? WillContentType;
        internal uint WillDelay;
    }

    private Step ReadConnect(ReadOnlySpan<byte> body)
    {
        var reader = new PacketReader(body);
        var name = reader.Binary();
        byte level = reader.Byte();
        byte flags = reader.Byte();
        var request = new ConnectRequest { KeepAlive = reader.UInt16(), StartsClean = (flags & 2) != 0 };
        bool isMqtt = name.SequenceEqual("MQTT"u8);
        _isVersion31 = name.SequenceEqual("MQIsdp"u8) && level == 3;
        IsVersion5 = isMqtt && level == 5;
        if (reader.IsBad || !(isMqtt || _isVersion31))
        {
            return Fail(MqttReason.Malformed, "it does not speak MQTT");
        }

        if (!_isVersion31 && level is not (4 or 5))
        {
            return Refuse(MqttReason.UnsupportedVersion, "it speaks another version of MQTT");
        }

        if ((flags & 1) != 0 || (flags & 0x18) == 0x18 || ((flags & 4) == 0 && (flags & 0x38) != 0) || (!IsVersion5 && (flags & 0xC0) == 0x40))
        {
            return Refuse(MqttReason.Malformed, "a CONNECT's flags contradict each other");
        }

        var problem = ReadConnect(ref reader, flags, request);
        if (problem == MqttReason.Success && !reader.IsBad && reader.Rest.IsEmpty)
        {
            _request = request;
            _start += _wanted;
            return Step.Connect;
        }

        return Refuse(problem == MqttReason.Success ? MqttReason.Malformed : problem, "a CONNECT is malformed, or asks for what is not supported");
    }

    private MqttReason ReadConnect(ref PacketReader reader, byte flags, ConnectRequest request)
    {
        var properties = default(PacketProperties);
        if (IsVersion5)
        {
            if (properties.Read(ref reader, PropertyPlace.Connect) is var problem and not MqttReason.Success)
            {
                return problem;
            }

            request.SessionExpiry = properties.SessionExpiry;
            request.HasAuthenticationMethod = properties.Has(PacketProperties.Id.AuthenticationMethod);
            if (properties.Has(PacketProperties.Id.AuthenticationData) && !request.HasAuthenticationMethod)
            {
                return MqttReason.ProtocolError;
            }

            CommandsAtOnce = properties.ReceiveMaximum > 0 ? properties.ReceiveMaximum : ushort.MaxValue;
            MaxCommandBytes = properties.MaxPacketBytes > 0 ? properties.MaxPacketBytes : int.MaxValue;
        }

        var clientId = reader.Text();
        if (clientId.Length > MaxClientIdBytes)
        {
            return MqttReason.ClientIdNotValid;
        }

        request.ClientId = reader.IsBad ? "" : Encoding.UTF8.GetString(clientId);
        if ((flags & 4) != 0 && ReadWill(ref reader, flags, request) is var inWill and not MqttReason.Success)
        {
            return inWill;
        }

        request.UserName = (flags & 0x80) != 0 ? Encoding.UTF8.GetString(reader.Text()) : null;
        request.Password = (flags & 0x40) != 0 ? Encoding.UTF8.GetString(reader.Binary()) : null;
        return MqttReason.Success;
    }

    private MqttReason ReadWill(ref PacketReader reader, byte flags, ConnectRequest request)
    {
        var properties = default(PacketProperties);
        if (IsVersion5 && properties.Read(ref reader, PropertyPlace.Will) is var problem and not MqttReason.Success)
        {
            return problem;
        }

        var topic = reader.Text();
        var payload = reader.Binary();
        if (reader.IsBad)
        {
            return MqttReason.Malformed;
        }

        if ((flags & 0x20) != 0 && _endpoint.Options.RefuseRetained)
        {
            return MqttReason.RetainNotSupported;
        }

        request.WillTopic = _endpoint.Topics.Get(topic, TopicPool.HashOf(topic));
        request.WillPayload = payload.ToArray();
        request.WillDelay = properties.WillDelay;
        request.WillContentType = properties.ContentType.IsEmpty ? null : Encoding.UTF8.GetString(properties.ContentType);
        return request.WillTopic is null ? MqttReason.TopicNameInvalid : MqttReason.Success;
    }

    private async ValueTask ConnectAsync()
    {
        var request = _request!;
        _request = null;
        if (request.HasAuthenticationMethod)
        {
            Refuse(MqttReason.BadAuthenticationMethod, "it wants enhanced authentication, which is not supported");
            return;
        }

        bool isAssigned = request.ClientId.Length == 0;
        if (isAssigned && (_isVersion31 || (!IsVersion5 && !request.StartsClean)))
        {
            Refuse(MqttReason.ClientIdNotValid, "it has no client id, which its protocol allows with a clean session only");
            return;
        }

        if (isAssigned)
        {
            request.ClientId = "auto-" + Guid.NewGuid().ToString("N");
        }

        var reason = await AdmitAsync(request).ConfigureAwait(false);
        if (_admission is not { IsAdmitted: true } admission)
        {
            Refuse(reason, "it may not connect, or did not prove who it is");
            return;
        }

        _sender = admission.Identity == Identity.Anonymous ? null : admission.Identity.Name;
        if (request.WillTopic is { } willTopic)
        {
            if (!await MaySendAsync(willTopic).ConfigureAwait(false))
            {
                Refuse(MqttReason.NotAuthorized, "it may not send its will");
                return;
            }

            _will = new IngestWill(willTopic, request.WillPayload, request.WillContentType, request.WillDelay * 1_000L, admission.Identity.Name);
        }

        var limits = _endpoint.Options.Security.Limits;
        ReceiveMaximum = Math.Clamp(limits.MaxInFlight, 1, _endpoint.Options.ReceiveMaximum);
        _maxPacket = (int)Math.Min(_endpoint.Options.MaxPacketBytes, limits.MaxPayloadBytes + (64L << 10));
        var (session, isPresent, refused) = await _endpoint.OpenSessionAsync(this, request.ClientId, admission.Identity, request.StartsClean).ConfigureAwait(false);
        if (session is null)
        {
            Refuse(refused, "its client id belongs to another identity");
            return;
        }

        session.KeptFor = IsVersion5 ? KeptFor(request.SessionExpiry) : request.StartsClean ? 0 : (long)_endpoint.Options.MaxSessionExpiry.TotalMilliseconds;
        Session = session;
        Accept(request, session, isPresent, isAssigned);
    }

    private void Accept(ConnectRequest request, IngestSession session, bool isPresent, bool isAssigned)
    {
        int most = (int)_endpoint.Options.MaxKeepAlive.TotalSeconds;
        int keepAlive = IsVersion5 && (request.KeepAlive == 0 || request.KeepAlive > most) ? most : request.KeepAlive;
        _keepAlive = keepAlive * 1_500L;
        if (IsVersion5)
        {
            AcceptVersion5(request, session, isPresent, isAssigned, keepAlive);
        }
        else
        {
            Output.Add([MqttPacketType.ConnAck, 2, (byte)(isPresent && !_isVersion31 ? 1 : 0), 0]);
        }

        IsKnown = true;
        _endpoint.HasConnected();

        // What had not been acknowledged goes first, and only behind the CONNACK.
        session.Resume();
    }

    private void AcceptVersion5(ConnectRequest request, IngestSession session, bool isPresent, bool isAssigned, int keepAlive)
    {
        Span<byte> packet = stackalloc byte[128];
        int at = 5;
        uint kept = (uint)(session.KeptFor / 1_000);
        if (kept != request.SessionExpiry)
        {
            Write32(packet, PacketProperties.Id.SessionExpiry, kept, ref at);
        }

        Write16(packet, PacketProperties.Id.ReceiveMaximum, ReceiveMaximum, ref at);
        Write32(packet, PacketProperties.Id.MaximumPacketSize, (uint)_maxPacket, ref at);
        if (_endpoint.Options.RefuseRetained)
        {
            Write8(packet, PacketProperties.Id.RetainAvailable, ref at);
        }

        if (isAssigned)
        {
            packet[at++] = (byte)PacketProperties.Id.AssignedClientId;
            BinaryPrimitives.WriteUInt16BigEndian(packet[at..], (ushort)session.ClientId.Length);
            at += 2 + Encoding.ASCII.GetBytes(session.ClientId, packet[(at + 2)..]);
        }

        if (_endpoint.Options.TopicAliasMaximum > 0)
        {
            Write16(packet, PacketProperties.Id.TopicAliasMaximum, _endpoint.Options.TopicAliasMaximum, ref at);
        }

        if (keepAlive != request.KeepAlive)
        {
            Write16(packet, PacketProperties.Id.ServerKeepAlive, keepAlive, ref at);
        }

        Write8(packet, PacketProperties.Id.SubscriptionIdsAvailable, ref at);
        Write8(packet, PacketProperties.Id.SharedSubscriptionsAvailable, ref at);
        packet[0] = MqttPacketType.ConnAck;
        packet[1] = (byte)(at - 2);
        packet[2] = (byte)(isPresent ? 1 : 0);
        packet[3] = (byte)MqttReason.Success;
        packet[4] = (byte)(at - 5);
        Output.Add(packet[..at]);

        static void Write8(Span<byte> packet, PacketProperties.Id id, ref int at)
        {
            packet[at++] = (byte)id;
            packet[at++] = 0;
        }

        static void Write16(Span<byte> packet, PacketProperties.Id id, int value, ref int at)
        {
            packet[at++] = (byte)id;
            BinaryPrimitives.WriteUInt16BigEndian(packet[at..], (ushort)value);
            at += 2;
        }

        static void Write32(Span<byte> packet, PacketProperties.Id id, uint value, ref int at)
        {
            packet[at++] = (byte)id;
            BinaryPrimitives.WriteUInt32BigEndian(packet[at..], value);
            at += 4;
        }
    }

    private async ValueTask<MqttReason> AdmitAsync(ConnectRequest request)
    {
        // As at the broker: a token stands in the password, under any user name; where both are known, three parts with dots between them are a token.
        var security = _endpoint.Options.Security;
        string? password = request.Password;
        bool isToken = password is not null && security.Token is not null && (security.Password is null || password.AsSpan().Count('.') == 2);
        var credentials = new ClientCredentials(_peer.Remote, _peer.IsEncrypted)
        {
            UserName = isToken ? null : request.UserName,
            Password = isToken ? null : password,
            Token = isToken ? password : password is null ? _peer.Token : null,
            Certificate = _certificate,
        };
        _admission = await security.AdmitAsync(credentials, request.ClientId).ConfigureAwait(false);
        return _admission.Refusal switch
        {
            AdmissionRefusal.None => MqttReason.Success,
            AdmissionRefusal.NotAuthenticated => MqttReason.BadUserNameOrPassword,
            AdmissionRefusal.TooManyConnections => MqttReason.QuotaExceeded,
            _ => MqttReason.NotAuthorized,
        };
    }

    private async ValueTask<bool> MaySendAsync(Topic topic)
    {
        foreach (var taker in topic.Takers)
        {
            if (!_endpoint.Options.Security.MaySpeakFor(_admission!.Identity, taker.Template, topic.Text))
            {
                return false;
            }
        }

        return _admission!.Budget!.TryUseTopic(topic.Text) && await IsAllowedAsync(AccessAction.Publish, topic.Text).ConfigureAwait(false);
    }

    /// <summary>Answers a CONNECT with a refusal, where its protocol has one.</summary>
    private Step Refuse(MqttReason reason, string trouble)
    {
        _isRefused = true;
        _endpoint.CountRefused(Client, trouble);
        int old = reason switch
        {
            MqttReason.UnsupportedVersion => 1,
            MqttReason.ClientIdNotValid => 2,
            MqttReason.QuotaExceeded or MqttReason.ServerBusy => 3,
            MqttReason.BadUserNameOrPassword => 4,
            MqttReason.NotAuthorized => 5,
            _ => 0,
        };
        if (IsVersion5)
        {
            Output.Add([MqttPacketType.ConnAck, 3, 0, (byte)reason, 0]);
        }
        else if (old != 0)
        {
            Output.Add([MqttPacketType.ConnAck, 2, 0, (byte)old]);
        }

        return Fail(reason, trouble);
    }
}
