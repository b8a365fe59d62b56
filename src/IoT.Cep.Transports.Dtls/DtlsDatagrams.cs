using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;

namespace IoT.Cep;

/// <summary>
/// CoAP's datagrams through DTLS 1.2, many peers on one socket. A stranger's hello is answered by a cookie, and nothing is kept until it comes back (RFC 6347, 4.2.1); then
/// a thread of a small set does the handshake, and afterwards records are decrypted where they are received.
/// </summary>
internal sealed class DtlsDatagrams : ICoapDatagrams
{
    private const int MaxDatagramBytes = 65_535;
    private const int RecordHeaderLength = 13;
    private const int SocketBufferBytes = 1 << 20;

    /// <summary>Records of a handshake that a session takes after its end: the last flight may have been lost. More are somebody else's.</summary>
    private const int MaxLateRecords = 32;

    private readonly CoapDatagramContext _context;
    private readonly DtlsOptions _options;
    private readonly Socket _socket;
    private readonly BcTlsCrypto _crypto = new();
    private readonly DtlsVerifier _verifier;
    private readonly HandshakeThreads _threads;
    private readonly ConcurrentDictionary<IPEndPoint, DtlsPipe> _handshakes = new();
    private readonly ConcurrentDictionary<IPEndPoint, Session> _sessions = new();
    private readonly ITimer _timer;
    private ICoapDatagramReceiver? _receiver;
    private long _numbers;

    internal DtlsDatagrams(CoapDatagramContext context, DtlsOptions options)
    {
        _context = context;
        _options = options;
        _verifier = new DtlsVerifier(_crypto);
        _socket = new Socket(context.Local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            _socket.Blocking = false;
            _socket.ReceiveBufferSize = SocketBufferBytes;
            _socket.Bind(context.Local);
            LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        }
        catch
        {
            _socket.Dispose();
            throw;
        }

        _threads = new HandshakeThreads(options.HandshakeThreads, options.MaxHandshakes);
        _timer = context.TimeProvider.CreateTimer(_ => CloseIdle(), null, options.IdleTimeout / 2, options.IdleTimeout / 2);
    }

    public IPEndPoint LocalEndPoint { get; }

    internal int SessionCount => _sessions.Count;

    internal int HandshakeCount => _handshakes.Count;

    public void Send(ReadOnlySpan<byte> datagram, CoapRemote remote)
    {
        if (_sessions.TryGetValue(remote.Address, out var session) && session.Remote == remote)
        {
            try
            {
                session.Records.Send(datagram);
            }
            catch (Exception error) when (error is IOException or InvalidOperationException)
            {
                Remove(session);
            }
        }
    }

    public async ValueTask<CoapRemote> ConnectAsync(IPEndPoint address, string host, CancellationToken stop)
    {
        if (_sessions.TryGetValue(address, out var known))
        {
            return known.Remote;
        }

        var pipe = new DtlsPipe(_socket, address);
        if (!_handshakes.TryAdd(address, pipe))
        {
            throw new IOException($"A handshake with {address} is under way.");
        }

        var connected = new TaskCompletionSource<CoapRemote>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool runs = _threads.TryRun(() =>
        {
            try
            {
                var records = new DtlsClientProtocol().Connect(new DtlsClientPeer(_crypto, _options, host), pipe);
                connected.TrySetResult(Establish(address, pipe, records, null));
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                End(address, pipe);
                connected.TrySetException(new IOException($"The handshake with {address} failed: {Describe(error)}", error));
            }
        });
        if (!runs)
        {
            End(address, pipe);
            throw new IOException($"More than {_options.MaxHandshakes} handshakes are under way.");
        }

        using (stop.UnsafeRegister(static p => ((DtlsPipe)p!).Close(), pipe))
        {
            return await connected.Task.WaitAsync(stop).ConfigureAwait(false);
        }
    }

    public bool IsOpen(CoapRemote remote)
    {
        ArgumentNullException.ThrowIfNull(remote);
        return _sessions.TryGetValue(remote.Address, out var session) && session.Remote == remote;
    }

    public async Task RunAsync(ICoapDatagramReceiver receiver, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        _receiver = receiver;
        byte[] buffer = GC.AllocateUninitializedArray<byte>(MaxDatagramBytes, pinned: true);
        byte[] plain = new byte[MaxDatagramBytes];
        var from = new SocketAddress(_socket.AddressFamily);
        while (!stop.IsCancellationRequested)
        {
            int length;
            try
            {
                length = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, from, stop).ConfigureAwait(false);
            }
            catch (SocketException error) when (error.SocketErrorCode is not (SocketError.OperationAborted or SocketError.NotSocket))
            {
                continue;
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                return;
            }

            Receive((IPEndPoint)LocalEndPoint.Create(from), buffer.AsSpan(0, length), plain);
        }
    }

    public ValueTask DisposeAsync()
    {
        _timer.Dispose();
        foreach (var session in _sessions.Values)
        {
            Remove(session);
        }

        foreach (var pipe in _handshakes.Values)
        {
            pipe.Close();
        }

        _threads.Dispose();
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Receive(IPEndPoint address, ReadOnlySpan<byte> datagram, byte[] plain)
    {
        if (datagram.Length < RecordHeaderLength)
        {
            return;
        }

        bool isFirstEpoch = (datagram[3] | datagram[4]) == 0;
        bool isHello = isFirstEpoch && datagram[0] == ContentType.handshake && datagram.Length > RecordHeaderLength && datagram[RecordHeaderLength] == HandshakeType.client_hello;
        bool isProtected = !isFirstEpoch && datagram[0] is (byte)ContentType.application_data or (byte)ContentType.alert;
        _sessions.TryGetValue(address, out var session);
        if (session is not null && isProtected)
        {
            // Also during another handshake from there, which a hello that comes late or again begins: the session lasts until that one is done (RFC 6347, 4.2.8).
            Decrypt(session, datagram, plain, isFirstEpoch);
        }
        else if (_handshakes.TryGetValue(address, out var pipe))
        {
            pipe.Add(datagram);
        }
        else if (session is not null && !isHello)
        {
            Decrypt(session, datagram, plain, isFirstEpoch);
        }
        else if (isHello && _context.Security is not null)
        {
            // Also where there is a session: whoever restarted has forgotten it.
            Accept(address, datagram, _context.Security);
        }
    }

    private void Accept(IPEndPoint address, ReadOnlySpan<byte> hello, ListenerSecurity security)
    {
        if (_handshakes.Count >= _options.MaxHandshakes || _sessions.Count >= _options.MaxSessions)
        {
            return;
        }

        var pipe = new DtlsPipe(_socket, address);
        byte[] bytes = hello.ToArray();
        byte[] client = [.. address.Address.GetAddressBytes(), (byte)(address.Port >> 8), (byte)address.Port];
        if (_verifier.VerifyRequest(client, bytes, 0, bytes.Length, pipe) is not { } request || !_handshakes.TryAdd(address, pipe))
        {
            return;
        }

        bool runs = _threads.TryRun(() =>
        {
            var peer = new DtlsServerPeer(_crypto, _options, security, address.Address);
            try
            {
                var records = new DtlsServerProtocol().Accept(peer, pipe, request);
                Establish(address, pipe, records, peer.Admission);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                peer.Admission?.Dispose();
                CoapDtlsLog.HandshakeFailed(_context.Logger, address, Describe(error));
                End(address, pipe);
            }
        });
        if (!runs)
        {
            End(address, pipe);
        }
    }

    private CoapRemote Establish(IPEndPoint address, DtlsPipe pipe, DtlsTransport records, Admission? admission)
    {
        var identity = admission is null || admission.Identity == Identity.Anonymous ? null : admission.Identity;
        var remote = new CoapRemote(address, identity, Interlocked.Increment(ref _numbers)) { IsEncrypted = true };
        var session = new Session(remote, records, pipe, admission) { HeardAt = _context.TimeProvider.GetTimestamp() };
        if (_sessions.TryGetValue(address, out var before))
        {
            Remove(before);
        }

        // From here on nobody waits at the pipe.
        pipe.EndHandshake();
        _sessions[address] = session;
        _handshakes.TryRemove(KeyValuePair.Create(address, pipe));

        // A refusal may have come behind the handshake's end: without another datagram nobody would look at it.
        TakeWaiting(session, new byte[MaxDatagramBytes]);

        // Last: where it has ended meanwhile, this closes the session at once.
        admission?.Ended.UnsafeRegister(state => Remove((Session)state!), session);
        return remote;
    }

    private void End(IPEndPoint address, DtlsPipe pipe)
    {
        pipe.Close();
        _handshakes.TryRemove(KeyValuePair.Create(address, pipe));
    }

    private void Decrypt(Session session, ReadOnlySpan<byte> datagram, byte[] plain, bool isFirstEpoch)
    {
        // Application data and alerts are of the session's own epoch; anything else can only belong to the end of the handshake.
        bool isLate = isFirstEpoch || (datagram[0] != ContentType.application_data && datagram[0] != ContentType.alert);
        if (isLate && ++session.LateRecords > MaxLateRecords)
        {
            return;
        }

        session.Pipe.Add(datagram);
        TakeWaiting(session, plain);
    }

    /// <summary>By the thread of the handshake at its end, and then by the one that receives.</summary>
    private void TakeWaiting(Session session, byte[] plain)
    {
        lock (session.Reading)
        {
            Read(session, plain);
        }

        if (session.Pipe.IsClosed)
        {
            Remove(session);
        }
    }

    private void Read(Session session, byte[] plain)
    {
        try
        {
            while (session.Pipe.NextLength is var next and > 0)
            {
                // No more than the datagram can hold: BouncyCastle makes an array of that size. And one millisecond, the least that can be said; it never passes, since the pipe waits for nothing.
                int length = session.Records.Receive(plain.AsSpan(0, next), 1);
                while (length >= 0)
                {
                    session.HeardAt = _context.TimeProvider.GetTimestamp();
                    _receiver!.OnDatagram(plain.AsSpan(0, length), session.Remote);
                    length = session.Records.ReceivePending(plain, 0, plain.Length);
                }
            }
        }
        catch (IOException)
        {
            session.Pipe.Close();
        }
    }

    private void Remove(Session session)
    {
        if (!_sessions.TryRemove(KeyValuePair.Create(session.Remote.Address, session)))
        {
            return;
        }

        try
        {
            session.Records.Close();
        }
        catch (IOException)
        {
            // Its goodbye can't be said.
        }

        session.Admission?.Dispose();

        _receiver?.OnClosed(session.Remote);
    }

    private void CloseIdle()
    {
        if (_context.Security is null)
        {
            // A client's sessions are its user's, who closes them.
            return;
        }

        foreach (var session in _sessions.Values)
        {
            if (_context.TimeProvider.GetElapsedTime(session.HeardAt) >= _options.IdleTimeout)
            {
                Remove(session);
            }
        }
    }

    private static string Describe(Exception error) => error switch
    {
        TlsFatalAlertReceived received => "the other side said " + AlertDescription.GetName(received.AlertDescription) + ".",
        TlsFatalAlert alert => AlertDescription.GetName(alert.AlertDescription) + ".",
        TlsTimeoutException => "it took too long.",
        _ => SafeText.Escape(error.Message),
    };

    private sealed class Session(CoapRemote remote, DtlsTransport records, DtlsPipe pipe, Admission? admission)
    {
        internal Admission? Admission => admission;

        internal CoapRemote Remote => remote;

        internal DtlsTransport Records => records;

        internal DtlsPipe Pipe => pipe;

        internal Lock Reading { get; } = new();

        internal long HeardAt { get; set; }

        internal int LateRecords { get; set; }
    }
}
