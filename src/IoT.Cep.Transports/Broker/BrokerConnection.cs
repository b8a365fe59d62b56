using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// A client's connection, whose input can be ended: what has arrived is still read, in order, and then it looks as if the client had gone.
/// So a client that comes back finds its session as its earlier connection left it. MQTTnet alone hands the session over at once: what the earlier
/// connection had not yet read, acknowledgements above all, would be thrown away, and its sender could take from the new one what is to be sent again.
/// </summary>
/// <param name="inner">The accepted connection; disposed with this one.</param>
/// <param name="hasMore">Whether bytes have arrived that were not read yet.</param>
internal sealed class BrokerConnection(Stream inner, Func<bool> hasMore) : Stream
{
    private readonly CancellationTokenSource _inputEnds = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _either;
    private CancellationToken _outer;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Sends packets on it; null while it is being encrypted.</summary>
    internal BrokerAdapter? Adapter { get; set; }

    /// <summary>Its two ends; null while it is being encrypted.</summary>
    internal Peer? Peer { get; set; }

    /// <summary>Who its client is; null until it has said so.</summary>
    internal Admission? Admission { get; set; }

    /// <summary>Which of its messages wait for their acknowledgement.</summary>
    internal Receipts? Receipts { get; set; }

    /// <summary>What is to be done at its end; null: nothing.</summary>
    internal Action? Ending { get; set; }

    /// <summary>Completes when MQTTnet has done with it: all its input is processed and its session is at rest.</summary>
    internal Task Ended => _ended.Task;

    internal bool IsV5 => Adapter?.PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500;

    /// <summary>MQTTnet has done with it.</summary>
    internal void HasEnded()
    {
        Receipts?.Close();

        // Before anybody hears of the end: who comes back finds the will waiting.
        Ending?.Invoke();
        Admission?.Dispose();
        _ended.TrySetResult();
    }

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
            return await inner.ReadAsync(buffer, _either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_inputEnds.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            if (hasMore())
            {
                return await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }

            await SayTakenOverAsync(cancellationToken).ConfigureAwait(false);
            return 0;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _either?.Dispose();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    // MQTT 5 demands a reason of the broker (3.1.4-3); MQTT 3.1.1 has no packet for it.
    private async Task SayTakenOverAsync(CancellationToken cancellationToken)
    {
        if (!IsV5)
        {
            return;
        }

        try
        {
            await Adapter!.SendPacketAsync(new MqttDisconnectPacket { ReasonCode = MqttDisconnectReasonCode.SessionTakenOver }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (MqttFailure.IsTransient(e))
        {
            // The usual case: who comes back has left this connection already.
        }
    }
}
