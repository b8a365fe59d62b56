using System.Net;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

// Who connects, and what they may publish and subscribe to.
public sealed partial class MqttBroker
{
    /// <summary>How long a connection may take to end after it was told to: a revoked client is gone within a second.</summary>
    private static readonly TimeSpan _lastWord = TimeSpan.FromMilliseconds(250);

    private async Task ValidateAsync(ValidatingConnectionEventArgs e)
    {
        if (e.ChannelAdapter is RestoredClient)
        {
            return;
        }

        if (_listener.ConnectionOf(e.ChannelAdapter) is not { Adapter: { Connect: { } connect } adapter, Peer: { } peer } connection)
        {
            e.ReasonCode = MqttConnectReasonCode.ServerUnavailable;
            return;
        }

        bool isV5 = e.ProtocolVersion == MqttProtocolVersion.V500;
        if (RefusalOf(e, isV5, out string clientId) is { } refusal)
        {
            e.ReasonCode = refusal;
            return;
        }

        var admission = await _options.Security.AdmitAsync(CredentialsOf(connect, peer), clientId).ConfigureAwait(false);
        connection.Admission = admission;
        e.ReasonCode = admission.Refusal switch
        {
            AdmissionRefusal.None => await CheckWillAsync(connect, admission.Identity).ConfigureAwait(false),
            AdmissionRefusal.NotAuthenticated => MqttConnectReasonCode.BadUserNameOrPassword,
            AdmissionRefusal.NotAuthorized => MqttConnectReasonCode.NotAuthorized,
            _ => isV5 ? MqttConnectReasonCode.QuotaExceeded : MqttConnectReasonCode.ServerUnavailable,
        };
        if (e.ReasonCode == MqttConnectReasonCode.Success)
        {
            e.ReasonCode = Own(clientId, admission.Identity, isV5);
        }

        if (e.ReasonCode != MqttConnectReasonCode.Success)
        {
            Interlocked.Increment(ref _refusedConnections);
            return;
        }

        LimitSession(connect, isV5);
        connection.Receipts = new Receipts(adapter, admission.Budget);
        await TakeOverAsync(clientId, connection).ConfigureAwait(false);

        // The earlier connection's session may have ended with it, and its owner's claim as well.
        if ((e.ReasonCode = Own(clientId, admission.Identity, isV5)) != MqttConnectReasonCode.Success)
        {
            return;
        }

        await KeepSessionAsync(clientId, admission.Identity.Name, connect, isV5).ConfigureAwait(false);
        _active[clientId] = connection;
        DropWill(clientId, connect.CleanSession);
        if (TakeWill(connect, admission.Identity) is { } will)
        {
            connection.Ending = () => LeaveWill(clientId, adapter, will);
        }

        admission.Ended.Register(() => _ = EndAsync(clientId, connection));
    }

    /// <summary>What is wrong with what a client calls itself, or how it wants to prove it; one without a name gets one.</summary>
    private static MqttConnectReasonCode? RefusalOf(ValidatingConnectionEventArgs e, bool isV5, out string clientId)
    {
        if (string.IsNullOrEmpty(e.ClientId) && isV5)
        {
            e.AssignedClientIdentifier = BrokerAdapter.MadeUpName();
        }

        clientId = string.IsNullOrEmpty(e.ClientId) ? e.AssignedClientIdentifier ?? "" : e.ClientId;
        return clientId.Length == 0 || clientId.Any(char.IsControl) ? MqttConnectReasonCode.ClientIdentifierNotValid
            : e.AuthenticationMethod is { Length: > 0 } ? MqttConnectReasonCode.BadAuthenticationMethod
            : null;
    }

    /// <summary>A client that was away for longer than this finds no session, whatever it asked for; MQTTnet keeps what the packet says.</summary>
    private void LimitSession(MqttConnectPacket connect, bool isV5)
    {
        if (isV5)
        {
            connect.SessionExpiryInterval = Math.Min(connect.SessionExpiryInterval, (uint)_options.MaxSessionExpiry.TotalSeconds);
        }
    }

    private ClientCredentials CredentialsOf(MqttConnectPacket connect, Peer peer)
    {
        string? password = connect.Password is null ? null : System.Text.Encoding.UTF8.GetString(connect.Password);
        bool isToken = password is not null && _options.Security.Token is not null && (_options.Security.Password is null || password.Count(static c => c == '.') == 2);
        return new ClientCredentials((peer.Remote as IPEndPoint)?.Address, peer.IsEncrypted)
        {
            UserName = connect.Username,
            Password = isToken ? null : password,
            Token = isToken ? password : null,
            Certificate = peer.Certificate,
        };
    }

    /// <summary>A will is published when the client is gone; whether it may be is said now, when the client can be told.</summary>
    private async ValueTask<MqttConnectReasonCode> CheckWillAsync(MqttConnectPacket connect, Identity identity) =>
        !connect.WillFlag ? MqttConnectReasonCode.Success
        : MqttTopic.Problem(connect.WillTopic) is not null ? MqttConnectReasonCode.TopicNameInvalid
        : await MayPublishAsync(identity, connect.WillTopic).ConfigureAwait(false) ? MqttConnectReasonCode.Success : MqttConnectReasonCode.NotAuthorized;

    /// <summary>A session is its owner's: another identity that connects under its client id would get its messages.</summary>
    private MqttConnectReasonCode Own(string clientId, Identity identity, bool isV5)
    {
        if (!_owners.ContainsKey(clientId) && _owners.Count >= _options.MaxSessions)
        {
            return isV5 ? MqttConnectReasonCode.QuotaExceeded : MqttConnectReasonCode.ServerUnavailable;
        }

        return _owners.GetOrAdd(clientId, identity.Name) == identity.Name ? MqttConnectReasonCode.Success : MqttConnectReasonCode.ClientIdentifierNotValid;
    }

    private async ValueTask<bool> MayPublishAsync(Identity identity, string topic) =>
        _options.Security.MaySend(identity, _options.Templates, topic)
        && await _options.Security.AuthorizeAsync(identity, AccessAction.Publish, topic).ConfigureAwait(false);

    private async Task PublishedAsync(InterceptingPublishEventArgs e)
    {
        Interlocked.Increment(ref _received);
        string topic = e.ApplicationMessage.Topic;
        if (MqttTopic.Problem(topic) is not null)
        {
            // A topic with wildcards or control characters: the protocol says to close the connection.
            e.ProcessPublish = false;
            e.CloseConnection = true;
            e.Response.ReasonCode = MqttPubAckReasonCode.TopicNameInvalid;
            return;
        }

        BrokerConnection? connection = null;
        if (!ReferenceEquals(e.ClientId, _self))
        {
            // Its own messages aside, a message without a connection has nobody whom it could be refused.
            if (!_active.TryGetValue(e.ClientId, out connection) || connection.Admission is not { IsAdmitted: true } admission)
            {
                e.ProcessPublish = false;
                return;
            }

            if (await RefusalOfAsync(admission, e).ConfigureAwait(false) is { } refusal)
            {
                Refuse(e, connection, refusal);
                return;
            }
        }

        await SpreadAsync(e, connection).ConfigureAwait(false);
    }

    private async ValueTask<MqttPubAckReasonCode?> RefusalOfAsync(Admission admission, InterceptingPublishEventArgs e)
    {
        var message = e.ApplicationMessage;
        if (!await MayPublishAsync(admission.Identity, message.Topic).ConfigureAwait(false))
        {
            return MqttPubAckReasonCode.NotAuthorized;
        }

        var budget = admission.Budget!;
        if (message.Payload.Length > _options.Security.Limits.MaxPayloadBytes || !budget.TryUseTopic(message.Topic) || IsStoreFullFor(message))
        {
            return MqttPubAckReasonCode.QuotaExceeded;
        }

        // A publisher that is too fast is not read: nothing is lost, and only it waits.
        while (!budget.TryTakeMessage(out var wait))
        {
            Interlocked.Increment(ref _slowed);
            await Task.Delay(wait, _timeProvider, e.CancellationToken).ConfigureAwait(false);
        }

        return null;
    }

    /// <summary>MQTT 5 has words for it; MQTT 3.1.1 allows to acknowledge what was thrown away, or to close (3.3.5-2): a broker that lies is no use.</summary>
    private void Refuse(InterceptingPublishEventArgs e, BrokerConnection connection, MqttPubAckReasonCode reason)
    {
        Interlocked.Increment(ref _refusedMessages);
        e.ProcessPublish = false;
        e.Response.ReasonCode = reason;
        e.CloseConnection = !connection.IsV5 && e.ApplicationMessage.QualityOfServiceLevel != MqttQualityOfServiceLevel.AtMostOnce;
    }

    /// <summary>Tells a client to go and closes its connection.</summary>
    private async Task EndAsync(string clientId, BrokerConnection connection)
    {
        if (_active.TryGetValue(clientId, out var active) && active == connection)
        {
            var said = DisconnectAsync(clientId, MqttDisconnectReasonCode.NotAuthorized);
            await Task.WhenAny(said, Task.Delay(_lastWord, _timeProvider)).ConfigureAwait(false);
        }

        // Whatever it made of that, also where it takes no byte any more.
        await connection.DisposeAsync().ConfigureAwait(false);
    }
}
