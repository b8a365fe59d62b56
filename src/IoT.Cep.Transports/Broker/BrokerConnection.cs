using System.Net.Sockets;
using MQTTnet.Adapter;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// A client's connection, whose input can be ended: what has arrived is still read, in order, and then it looks as if the client had gone.
/// So a client that comes back finds its session as its earlier connection left it. MQTTnet alone hands the session over at once: what the earlier
/// connection had not yet read, acknowledgements above all, would be thrown away, and its sender could take from the new one what is to be sent again.
/// </summary>
/// <param name="socket">The accepted socket.</param>
internal sealed class BrokerConnection(Socket socket) : NetworkStream(socket, ownsSocket: true)
{
    private readonly CancellationTokenSource _inputEnds = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _either;
    private CancellationToken _outer;

    /// <summary>Sends packets on it; null while it is being encrypted.</summary>
    internal IMqttChannelAdapter? Adapter { get; set; }

    /// <summary>Completes when MQTTnet has done with it: all its input is processed and its session is at rest.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>MQTTnet has done with it.</summary>
    internal void HasEnded() => _ended.TrySetResult();

    /// <summary>No more is read than what has arrived by now.</summary>
    internal void EndInput() => _inputEnds.Cancel();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_either is null || _outer != cancellationToken)
        {
            // MQTTnet reads with one token until the client has said who it is and with another from there on.
            _either?.Dispose();
            _either = CancellationTokenSource.CreateLinkedTokenSource(_inputEnds.Token, cancellationToken);
            _outer = cancellationToken;
        }

        try
        {
            return await base.ReadAsync(buffer, _either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_inputEnds.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            if (Socket.Available > 0)
            {
                return await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }

            await SayTakenOverAsync(cancellationToken).ConfigureAwait(false);
            return 0;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _either?.Dispose();
        }

        base.Dispose(disposing);
    }

    // MQTT 5 demands a reason of the broker (3.1.4-3); MQTT 3.1.1 has no packet for it.
    private async Task SayTakenOverAsync(CancellationToken cancellationToken)
    {
        if (Adapter is not { PacketFormatterAdapter.ProtocolVersion: MqttProtocolVersion.V500 } adapter)
        {
            return;
        }

        try
        {
            await adapter.SendPacketAsync(new MqttDisconnectPacket { ReasonCode = MqttDisconnectReasonCode.SessionTakenOver }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (MqttFailure.IsTransient(e))
        {
            // The usual case: who comes back has left this connection already.
        }
    }
}
