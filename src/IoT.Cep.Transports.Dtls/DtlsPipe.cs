using System.Net;
using System.Net.Sockets;
using Org.BouncyCastle.Tls;

namespace IoT.Cep;

/// <summary>One peer's share of the socket, as BouncyCastle wants it: during the handshake its thread waits here, afterwards nobody does.</summary>
/// <param name="socket">The socket.</param>
/// <param name="address">The peer.</param>
internal sealed class DtlsPipe(Socket socket, IPEndPoint address) : DatagramTransport
{
    /// <summary>IPv6's least packet without its headers: what every network carries whole.</summary>
    private const int MaxDatagramBytes = 1280 - 48;

    /// <summary>What is received may be larger than what is sent.</summary>
    private const int MaxReceivedBytes = 16 * 1024;

    /// <summary>Datagrams that may wait; a handshake has about a dozen, and what does not fit is lost as on any network.</summary>
    private const int MaxWaiting = 32;

    /// <summary>
    /// "Nothing came" makes BouncyCastle ask again until its time is over, the least of which is a millisecond: a record without data, such as a repeated one, would keep the receiver
    /// busy for that long. This is the one exception that ends the asking and not the session (<see cref="AbstractTlsPeer.IgnoreCorruptDtlsRecords"/>).
    /// </summary>
    private static readonly TlsFatalAlert _nothing = new(AlertDescription.bad_record_mac);

    private readonly object _gate = new();
    private readonly Queue<byte[]> _waiting = new();
    private bool _isHandshaking = true;

    /// <summary>Either side has closed, or something went wrong that can't be put right.</summary>
    internal bool IsClosed { get; private set; }

    /// <summary>The bytes of the datagram that waits for longest; 0: none waits.</summary>
    internal int NextLength
    {
        get
        {
            lock (_gate)
            {
                return _waiting.TryPeek(out byte[]? next) ? next.Length : 0;
            }
        }
    }

    internal void Add(ReadOnlySpan<byte> datagram)
    {
        lock (_gate)
        {
            if (_waiting.Count < MaxWaiting)
            {
                _waiting.Enqueue(datagram.ToArray());
                Monitor.Pulse(_gate);
            }
        }
    }

    internal void EndHandshake()
    {
        lock (_gate)
        {
            _isHandshaking = false;
        }
    }

    public int GetReceiveLimit() => MaxReceivedBytes;

    public int GetSendLimit() => MaxDatagramBytes;

    public int Receive(byte[] buf, int off, int len, int waitMillis) => Receive(buf.AsSpan(off, len), waitMillis);

    public int Receive(Span<byte> buffer, int waitMillis)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 && _isHandshaking && !IsClosed)
            {
                Monitor.Wait(_gate, waitMillis);
            }

            if (_isHandshaking && IsClosed)
            {
                // Otherwise its thread would go on asking until the handshake's time is over.
                throw new IOException("The handshake was given up.");
            }

            if (!_waiting.TryDequeue(out byte[]? datagram))
            {
                return _isHandshaking ? -1 : throw _nothing;
            }

            int length = Math.Min(datagram.Length, buffer.Length);
            datagram.AsSpan(0, length).CopyTo(buffer);
            return length;
        }
    }

    public void Send(byte[] buf, int off, int len) => Send(buf.AsSpan(off, len));

    public void Send(ReadOnlySpan<byte> buffer)
    {
        try
        {
            socket.SendTo(buffer, SocketFlags.None, address);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // As good as lost on its way.
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            IsClosed = true;
            Monitor.PulseAll(_gate);
        }
    }
}
