using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// A client's connection as MQTTnet sees it. Keeps the CONNECT packet, from which MQTTnet tells less than is needed (the will), and ends a connection that breaks a rule that MQTTnet does not
/// look at, with the reason where the protocol has one.
/// </summary>
/// <param name="inner">MQTTnet's own adapter.</param>
internal sealed class BrokerAdapter(IMqttChannelAdapter inner) : IMqttChannelAdapter
{
    /// <summary>An alias keeps a topic in memory; MQTTnet alone would allow 65,535 of them, each of as many bytes.</summary>
    internal const ushort MaxTopicAliases = 64;

    private bool _isConnected;

    public long BytesReceived => inner.BytesReceived;

    public long BytesSent => inner.BytesSent;

    public X509Certificate2? ClientCertificate => inner.ClientCertificate;

    public EndPoint? RemoteEndPoint => inner.RemoteEndPoint;

    public EndPoint? LocalEndPoint => inner.LocalEndPoint;

    public bool IsSecureConnection => inner.IsSecureConnection;

    public MqttPacketFormatterAdapter PacketFormatterAdapter => inner.PacketFormatterAdapter;

    /// <summary>What the client said when it connected; null before.</summary>
    internal MqttConnectPacket? Connect { get; private set; }

    public Task ConnectAsync(CancellationToken cancellationToken) => inner.ConnectAsync(cancellationToken);

    public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

    public Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken) => inner.SendPacketAsync(packet, cancellationToken);

    public void ResetStatistics() => inner.ResetStatistics();

    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        var packet = await inner.ReceivePacketAsync(cancellationToken).ConfigureAwait(false);
        if (packet is MqttConnectPacket connect && !_isConnected)
        {
            _isConnected = true;
            Connect = connect;
            Name(connect);
            return packet;
        }

        if (packet is not null && ProblemOf(packet) is { } reason)
        {
            if (PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500)
            {
                await inner.SendPacketAsync(new MqttDisconnectPacket { ReasonCode = reason }, cancellationToken).ConfigureAwait(false);
            }

            return null;
        }

        return packet;
    }

    public void Dispose() => inner.Dispose();

    // One of MQTT 3.1.1 is given a name that it is never told (3.1.3-6); MQTTnet has closed the connection of one that wants its session kept.
    private void Name(MqttConnectPacket connect)
    {
        if (string.IsNullOrEmpty(connect.ClientId) && PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V311)
        {
            connect.ClientId = MadeUpName();
        }
    }

    internal static string MadeUpName() => string.Create(CultureInfo.InvariantCulture, $"auto-{Guid.NewGuid():N}");

    private static MqttDisconnectReasonCode? ProblemOf(MqttPacket packet) => packet switch
    {
        // 3.1.0-2: a second CONNECT.
        MqttConnectPacket => MqttDisconnectReasonCode.ProtocolError,
        MqttPublishPacket { TopicAlias: > MaxTopicAliases } => MqttDisconnectReasonCode.TopicAliasInvalid,
        MqttPublishPacket { QualityOfServiceLevel: > MqttQualityOfServiceLevel.AtMostOnce, PacketIdentifier: 0 } => MqttDisconnectReasonCode.ProtocolError,
        MqttPublishPacket { QualityOfServiceLevel: MqttQualityOfServiceLevel.AtMostOnce, Dup: true } => MqttDisconnectReasonCode.ProtocolError,
        MqttSubscribePacket { TopicFilters.Count: 0 } or MqttUnsubscribePacket { TopicFilters.Count: 0 } => MqttDisconnectReasonCode.ProtocolError,
        MqttSubscribePacket subscribe when subscribe.TopicFilters.Exists(static f => !MqttTopic.IsFilter(f.Topic)) => MqttDisconnectReasonCode.TopicFilterInvalid,
        _ => null,
    };
}
