using System.Buffers;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Channel;

namespace IoT.Cep;

/// <summary>
/// Reads ahead. MQTTnet reads each packet in three small reads, each a call into the kernel; read ahead, one call brings
/// many packets. Writes can be held back likewise, so that many acknowledgements leave in one call.
/// </summary>
/// <param name="inner">The channel that is read.</param>
internal sealed class BufferedChannel(IMqttChannel inner) : IMqttChannel
{
    /// <summary>What a socket's receive buffer usually gives on a fast network.</summary>
    private const int BufferBytes = 32 * 1024;

    /// <summary>Reads return tasks; those of usual lengths are made once.</summary>
    private static readonly Task<int>[] _lengths = [.. Enumerable.Range(0, 513).Select(Task.FromResult)];

    private readonly byte[] _read = new byte[BufferBytes];
    private readonly ArrayBufferWriter<byte> _held = new(256);
    private int _readStart;
    private int _readEnd;

    public X509Certificate2? ClientCertificate => inner.ClientCertificate;

    public EndPoint? RemoteEndPoint => inner.RemoteEndPoint;

    public EndPoint? LocalEndPoint => inner.LocalEndPoint;

    public bool IsSecureConnection => inner.IsSecureConnection;

    /// <summary>Whether writes are kept until one is made while this is false.</summary>
    /// <remarks>Who sets it must make a write afterwards with it unset; a broken connection excepted, nothing is left behind then.</remarks>
    internal volatile bool HoldWrites;

    public Task ConnectAsync(CancellationToken cancellationToken)
    {
        _readStart = _readEnd = 0;
        return inner.ConnectAsync(cancellationToken);
    }

    public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

    public Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        if (_readStart < _readEnd)
        {
            return Copy(buffer, offset, count);
        }

        // A body larger than the buffer gains nothing from it.
        return count >= BufferBytes
            ? inner.ReadAsync(buffer, offset, count, cancellationToken)
            : FillAsync(buffer, offset, count, cancellationToken);
    }

    public Task WriteAsync(ReadOnlySequence<byte> buffer, bool isEndOfPacket, CancellationToken cancellationToken)
    {
        // Called under the adapter's lock, so that one packet's bytes stay together.
        if (HoldWrites && _held.WrittenCount + buffer.Length <= BufferBytes)
        {
            foreach (var part in buffer)
            {
                _held.Write(part.Span);
            }

            return Task.CompletedTask;
        }

        return _held.WrittenCount == 0 ? inner.WriteAsync(buffer, isEndOfPacket, cancellationToken) : FlushAsync(buffer, isEndOfPacket, cancellationToken);
    }

    public void Dispose() => inner.Dispose();

    private async Task FlushAsync(ReadOnlySequence<byte> last, bool isEndOfPacket, CancellationToken cancellationToken)
    {
        if (last.IsSingleSegment && last.Length <= BufferBytes)
        {
            _held.Write(last.FirstSpan);
            last = default;
        }

        await inner.WriteAsync(new ReadOnlySequence<byte>(_held.WrittenMemory), isEndOfPacket, cancellationToken).ConfigureAwait(false);
        _held.ResetWrittenCount();
        if (!last.IsEmpty)
        {
            await inner.WriteAsync(last, isEndOfPacket, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<int> FillAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        int read = await inner.ReadAsync(_read, 0, BufferBytes, cancellationToken).ConfigureAwait(false);
        if (read == 0)
        {
            return 0;
        }

        _readStart = 0;
        _readEnd = read;
        int taken = Math.Min(count, read);
        _read.AsSpan(0, taken).CopyTo(buffer.AsSpan(offset));
        _readStart = taken;
        return taken;
    }

    private Task<int> Copy(byte[] buffer, int offset, int count)
    {
        int taken = Math.Min(count, _readEnd - _readStart);
        _read.AsSpan(_readStart, taken).CopyTo(buffer.AsSpan(offset));
        _readStart += taken;
        return taken < _lengths.Length ? _lengths[taken] : Task.FromResult(taken);
    }
}
