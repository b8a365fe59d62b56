using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Formatter;
using MQTTnet.Packets;

namespace IoT.Cep;

/// <summary>
/// A client made of a stored session, which MQTTnet gives no other way to bring back: it connects, subscribes to what the session had subscribed to, and breaks off, so that the session stays.
/// </summary>
/// <param name="session">The session.</param>
internal sealed class RestoredClient(StoredSession session) : IMqttChannelAdapter
{
    private readonly Queue<MqttPacket> _says = new(Says(session));

    public long BytesReceived => 0;

    public long BytesSent => 0;

    public X509Certificate2? ClientCertificate => null;

    public EndPoint? RemoteEndPoint => null;

    public EndPoint? LocalEndPoint => null;

    public bool IsSecureConnection => false;

    public MqttPacketFormatterAdapter PacketFormatterAdapter { get; } = new(session.IsV5 ? MqttProtocolVersion.V500 : MqttProtocolVersion.V311, new MqttBufferWriter(64, 256));

    public Task ConnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DisconnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken) => Task.FromResult(_says.TryDequeue(out var packet) ? packet : null);

    public Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken) => Task.CompletedTask;

    public void ResetStatistics()
    {
    }

    public void Dispose()
    {
    }

    private static IEnumerable<MqttPacket> Says(StoredSession session)
    {
        yield return new MqttConnectPacket { ClientId = session.ClientId, CleanSession = false, SessionExpiryInterval = session.IsV5 ? session.ExpirySeconds : 0 };
        ushort packetId = 0;
        foreach (var (filter, identifier) in session.Subscriptions.Values.Select(BrokerRecords.ReadSubscription))
        {
            yield return new MqttSubscribePacket { PacketIdentifier = ++packetId, SubscriptionIdentifier = identifier, TopicFilters = [filter] };
        }
    }
}
