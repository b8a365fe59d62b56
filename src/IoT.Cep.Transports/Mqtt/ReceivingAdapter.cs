using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// Sits between MQTTnet's client and its socket and takes the messages out. MQTTnet would put them into a queue without a
/// bound and hand them to another task; here a message goes to the receiver on the thread that read it, and the next one is
/// read when the receiver is ready. So backpressure reaches the broker through TCP, at every QoS and in both protocols.
/// </summary>
/// <param name="inner">MQTTnet's own adapter.</param>
/// <param name="channel">Its channel.</param>
/// <param name="session">Where messages go.</param>
internal sealed class ReceivingAdapter(IMqttChannelAdapter inner, BufferedChannel channel, InboundSession session) : IMqttChannelAdapter
{
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _pingUnanswered;
    private volatile TaskCompletionSource? _pingSent;
    private Task _taking = Task.CompletedTask;

    public long BytesReceived => inner.BytesReceived;

    public long BytesSent => inner.BytesSent;

    public X509Certificate2? ClientCertificate => inner.ClientCertificate;

    public EndPoint? RemoteEndPoint => inner.RemoteEndPoint;

    public EndPoint? LocalEndPoint => inner.LocalEndPoint;

    public bool IsSecureConnection => inner.IsSecureConnection;

    public MqttPacketFormatterAdapter PacketFormatterAdapter => inner.PacketFormatterAdapter;

    /// <summary>The message that the receiver is still taking. A new connection waits for it: one message after the other.</summary>
    internal Task Taking => _taking;

    /// <summary>Completes if the receiver fails: that is no matter of the connection and must not be tried again.</summary>
    internal Task<Exception> Failed => _failed.Task;

    public Task ConnectAsync(CancellationToken cancellationToken) => inner.ConnectAsync(cancellationToken);

    public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

    public void ResetStatistics() => inner.ResetStatistics();

    public async Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken)
    {
        await inner.SendPacketAsync(packet, cancellationToken).ConfigureAwait(false);
        if (packet is MqttPingReqPacket)
        {
            _pingUnanswered = true;
            _pingSent?.TrySetResult();
        }
    }

    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (!_taking.IsCompletedSuccessfully && await AwaitReceiverAsync(cancellationToken).ConfigureAwait(false) is { } early)
            {
                return early.Packet;
            }

            var packet = await inner.ReceivePacketAsync(cancellationToken).ConfigureAwait(false);
            switch (packet)
            {
                case MqttPublishPacket publish:
                    Take(publish);
                    continue;
                case MqttConnAckPacket { ReasonCode: MqttConnectReasonCode.Success } accepted:
                    session.Connected(inner, channel, accepted.IsSessionPresent || session.AssumesSession);
                    break;
                case MqttPubRelPacket release:
                    session.Released(release.PacketIdentifier);
                    break;
                case MqttPingRespPacket:
                    _pingUnanswered = false;
                    break;
            }

            return packet;
        }
    }

    public void Dispose() => inner.Dispose();

    private void Take(MqttPublishPacket publish)
    {
        try
        {
            var taken = session.Receive(publish);
            _taking = taken.IsCompletedSuccessfully ? Task.CompletedTask : taken.AsTask();
        }
        catch (MqttProtocolViolationException)
        {
            // The broker's fault, not the receiver's: the connection ends, and is made again.
            throw;
        }
        catch (Exception e) when (_failed.TrySetResult(e))
        {
            _taking = Task.FromException(e);
        }
    }

    /// <summary>
    /// Waits for the receiver. Meanwhile nothing is read, so the broker's answer to a ping stays in the socket and MQTTnet would
    /// give the connection up; the answer is therefore given here. The broker has the ping itself and knows that we live.
    /// </summary>
    /// <returns>A packet to return at once (null: the connection ends), or no value: the receiver is ready.</returns>
    private async Task<(MqttPacket? Packet, bool)?> AwaitReceiverAsync(CancellationToken cancellationToken)
    {
        var pingSent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _pingSent = pingSent;
        if (_pingUnanswered)
        {
            pingSent.TrySetResult();
        }

        await using var stopped = cancellationToken.Register(static s => ((TaskCompletionSource)s!).TrySetResult(), pingSent).ConfigureAwait(false);
        await Task.WhenAny(_taking, pingSent.Task).ConfigureAwait(false);
        _pingSent = null;
        if (cancellationToken.IsCancellationRequested)
        {
            return (null, true);
        }

        if (_taking.IsFaulted || _taking.IsCanceled)
        {
            _failed.TrySetResult(_taking.Exception?.InnerException ?? new OperationCanceledException("The receiver was cancelled."));
            return (null, true);
        }

        if (_pingUnanswered && !_taking.IsCompleted)
        {
            _pingUnanswered = false;
            return (MqttPingRespPacket.Instance, true);
        }

        return null;
    }
}
