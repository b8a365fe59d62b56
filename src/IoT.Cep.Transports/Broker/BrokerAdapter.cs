using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// A client's connection as MQTTnet sees it. Keeps the CONNECT packet, from which MQTTnet tells less than is needed (the will), says why a connection ends that broke a rule, and lets the broker
/// answer in the client's place what the client is not to get.
/// </summary>
/// <param name="inner">MQTTnet's own adapter.</param>
/// <param name="channel">What it reads: looks at the packets.</param>
internal sealed class BrokerAdapter(IMqttChannelAdapter inner, CheckedChannel channel) : IMqttChannelAdapter
{
    /// <summary>An alias keeps a topic in memory; MQTTnet alone would allow 65,535 of them, each of as many bytes.</summary>
    internal const ushort MaxTopicAliases = 64;

    private readonly ConcurrentQueue<MqttPacket> _inserted = new();
    private Task<MqttPacket?>? _receiving;
    private TaskCompletionSource? _hasInserted;

    public long BytesReceived => inner.BytesReceived;

    public long BytesSent => inner.BytesSent;

    public X509Certificate2? ClientCertificate => inner.ClientCertificate;

    public EndPoint? RemoteEndPoint => inner.RemoteEndPoint;

    public EndPoint? LocalEndPoint => inner.LocalEndPoint;

    public bool IsSecureConnection => inner.IsSecureConnection;

    public MqttPacketFormatterAdapter PacketFormatterAdapter => inner.PacketFormatterAdapter;

    /// <summary>What the client said when it connected; null before.</summary>
    internal MqttConnectPacket? Connect { get; private set; }

    /// <summary>Whether the client said goodbye in the way that drops its will (MQTT 5, 3.14.4-3).</summary>
    internal bool HasSaidGoodbye { get; private set; }

    public Task ConnectAsync(CancellationToken cancellationToken) => inner.ConnectAsync(cancellationToken);

    public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

    public Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken) => inner.SendPacketAsync(packet, cancellationToken);

    public void ResetStatistics() => inner.ResetStatistics();

    /// <summary>MQTTnet receives a packet as if the client had sent it: what ends the exchange of a message that the client is not sent.</summary>
    /// <param name="packet">The packet.</param>
    internal void Insert(MqttPacket packet)
    {
        _inserted.Enqueue(packet);
        Volatile.Read(ref _hasInserted)?.TrySetResult();
    }

    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_inserted.TryDequeue(out var inserted))
            {
                return inserted;
            }

            var receiving = _receiving ??= ReceiveAsync(cancellationToken);
            if (receiving.IsCompleted || Connect is null)
            {
                _receiving = null;
                return await receiving.ConfigureAwait(false);
            }

            await NextAsync(receiving).ConfigureAwait(false);
        }
    }

    public void Dispose() => inner.Dispose();

    internal static string MadeUpName() => string.Create(CultureInfo.InvariantCulture, $"auto-{Guid.NewGuid():N}");

    private Task NextAsync(Task receiving)
    {
        // Made once for as long as nothing is inserted: who is idle and who is busy pays for the wait only.
        if (_hasInserted is not { Task.IsCompleted: false } hasInserted)
        {
            Volatile.Write(ref _hasInserted, hasInserted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        Interlocked.MemoryBarrier();
        return _inserted.IsEmpty ? Task.WhenAny(receiving, hasInserted.Task) : Task.CompletedTask;
    }

    private async Task<MqttPacket?> ReceiveAsync(CancellationToken cancellationToken)
    {
        MqttPacket? packet = null;
        try
        {
            packet = await inner.ReceivePacketAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (MqttCommunicationException) when (channel.HasFailed)
        {
            // MQTTnet's wrapping of what the channel throws.
        }

        switch (packet)
        {
            case null when channel.HasFailed:
                await channel.SayWhyAsync(cancellationToken).ConfigureAwait(false);
                break;
            case MqttConnectPacket connect:
                Connect = connect;
                Name(connect);
                break;
            case MqttDisconnectPacket goodbye:
                HasSaidGoodbye = goodbye.ReasonCode == MqttDisconnectReasonCode.NormalDisconnection;
                break;
        }

        return packet;
    }

    // One of MQTT 3.1.1 is given a name that it is never told (3.1.3-6).
    private void Name(MqttConnectPacket connect)
    {
        if (string.IsNullOrEmpty(connect.ClientId) && PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V311)
        {
            connect.ClientId = MadeUpName();
        }
    }
}
