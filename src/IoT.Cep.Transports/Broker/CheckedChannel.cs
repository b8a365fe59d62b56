using System.Buffers;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Channel;
using MQTTnet.Exceptions;

namespace IoT.Cep;

/// <summary>
/// Reads a client's packets for MQTTnet, which gets those that are whole and well-formed (<see cref="PacketCheck"/>); at the first other one the connection ends, with the reason where the client's
/// protocol has one. Reads ahead: MQTTnet reads each packet in three small reads, each a call into the kernel.
/// </summary>
/// <param name="inner">The connection.</param>
/// <param name="maxPacketBytes">The largest packet, without its header.</param>
/// <param name="bufferBytes">How much is read at once; thousands of idle clients have such a buffer each.</param>
internal sealed class CheckedChannel(IMqttChannel inner, int maxPacketBytes, int bufferBytes) : IMqttChannel
{
    /// <summary>A packet's first byte and the longest form of its length.</summary>
    private const int MaxHeaderBytes = 5;

    /// <summary>Reads return tasks; those of usual lengths are made once.</summary>
    private static readonly Task<int>[] _lengths = [.. Enumerable.Range(0, 513).Select(Task.FromResult)];

    private readonly byte[] _small = new byte[bufferBytes];
    private readonly PacketCheck _check = new();
    private byte[]? _buffer;

    // What MQTTnet has read, what it may read, and what has arrived.
    private int _start;
    private int _checked;
    private int _end;
    private MqttReason _problem;

    public X509Certificate2? ClientCertificate => inner.ClientCertificate;

    public EndPoint? RemoteEndPoint => inner.RemoteEndPoint;

    public EndPoint? LocalEndPoint => inner.LocalEndPoint;

    public bool IsSecureConnection => inner.IsSecureConnection;

    /// <summary>Whether it ended because of what the client sent.</summary>
    internal bool HasFailed => _problem != MqttReason.Success;

    public Task ConnectAsync(CancellationToken cancellationToken) => inner.ConnectAsync(cancellationToken);

    public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

    public Task WriteAsync(ReadOnlySequence<byte> buffer, bool isEndOfPacket, CancellationToken cancellationToken) => inner.WriteAsync(buffer, isEndOfPacket, cancellationToken);

    public Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _start < _checked ? Take(buffer, offset, count) : FillAsync(buffer, offset, count, cancellationToken);

    // What was rented is left to the collector: a read may still be under way into it.
    public void Dispose() => inner.Dispose();

    /// <summary>Tells the client why it is cut, where its protocol has a word for it.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task SayWhyAsync(CancellationToken cancellationToken)
    {
        byte reason = (byte)_problem;
        byte[]? answer = _check switch
        {
            { IsConnected: true, Version: 5 } => [MqttPacketType.Disconnect, 1, reason],
            { IsConnected: false, Version: 5 } => [MqttPacketType.ConnAck, 3, 0, reason, 0],

            // MQTT 3.1.1, 3.1.2-2 and 3.1.3-8.
            { IsConnected: false } when _problem == MqttReason.UnsupportedVersion => [MqttPacketType.ConnAck, 2, 0, 1],
            { IsConnected: false } when _problem == MqttReason.ClientIdNotValid => [MqttPacketType.ConnAck, 2, 0, 2],
            _ => null,
        };
        if (answer is not null)
        {
            await inner.WriteAsync(new ReadOnlySequence<byte>(answer), isEndOfPacket: true, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<int> Take(byte[] buffer, int offset, int count)
    {
        int taken = Math.Min(count, _checked - _start);
        (_buffer ?? _small).AsSpan(_start, taken).CopyTo(buffer.AsSpan(offset));
        _start += taken;
        return taken < _lengths.Length ? _lengths[taken] : Task.FromResult(taken);
    }

    private async Task<int> FillAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        while (!TryPass())
        {
            MakeRoom();
            byte[] into = _buffer ?? _small;
            int read = await inner.ReadAsync(into, _end, into.Length - _end, cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return 0;
            }

            _end += read;
        }

        return await Take(buffer, offset, count).ConfigureAwait(false);
    }

    /// <summary>Looks at the packets that are whole.</summary>
    /// <returns>False: there is none.</returns>
    private bool TryPass()
    {
        var bytes = (_buffer ?? _small).AsSpan(0, _end);
        while (TryReadHeader(bytes[_checked..], out int header, out int length) && bytes.Length - _checked >= header + length)
        {
            _problem = _check.Problem(bytes[_checked], bytes.Slice(_checked + header, length));
            if (HasFailed)
            {
                break;
            }

            _checked += header + length;
        }

        if (_checked > _start)
        {
            // Those before a malformed packet are processed: the next read comes back to it.
            _problem = MqttReason.Success;
            return true;
        }

        return HasFailed ? throw new MqttCommunicationException($"The client sent what MQTT does not allow: {_problem}.") : false;
    }

    private bool TryReadHeader(ReadOnlySpan<byte> bytes, out int header, out int length)
    {
        length = 0;
        for (header = 1; header < Math.Min(bytes.Length, MaxHeaderBytes); header++)
        {
            byte group = bytes[header];
            length |= (group & 0x7F) << (7 * (header - 1));
            if (group < 0x80)
            {
                header++;

                // A longer form than needed; then what is larger than it may be, before it is read.
                _problem = group == 0 && header > 2 ? MqttReason.Malformed
                    : length > (_check.IsConnected ? maxPacketBytes : Math.Min(maxPacketBytes, PacketCheck.MaxConnectBytes)) ? MqttReason.PacketTooLarge
                    : MqttReason.Success;
                return !HasFailed;
            }
        }

        _problem = header == MaxHeaderBytes ? MqttReason.Malformed : MqttReason.Success;
        return false;
    }

    /// <summary>Room behind what has arrived. The buffer grows with what came and not with what was announced.</summary>
    private void MakeRoom()
    {
        byte[] from = _buffer ?? _small;
        int held = _end - _checked;
        byte[] into = held < from.Length ? from : ArrayPool<byte>.Shared.Rent(from.Length * 2);
        if (held <= bufferBytes / 2 && _buffer is not null)
        {
            into = _small;
        }

        from.AsSpan(_checked, held).CopyTo(into);
        (_start, _checked, _end) = (0, 0, held);
        if (into != from)
        {
            Shrink();
            _buffer = into == _small ? null : into;
        }
    }

    private void Shrink()
    {
        if (_buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
        }
    }
}
