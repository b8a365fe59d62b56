using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Accepts connections while the sources run, and looks after them four times a second: no connection has a timer of its own.</summary>
public sealed partial class MqttIngestEndpoint
{
    /// <summary>Time limits are this exact. Ten thousand connections are looked at in less than a millisecond.</summary>
    private static readonly TimeSpan _sweepPeriod = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan _troublePeriod = TimeSpan.FromSeconds(10);

    private readonly List<IngestConnection> _connections = [];
    private readonly List<IngestConnection> _due = [];
    private TaskCompletionSource _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isStopping = true;
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;
    private ITimer? _sweep;
    private bool _isListening;
    private bool _isSweeping;
    private int _running;
    private int _open;
    private int _connecting;
    private long _began;
    private long _now;
    private long _troubleTold;
    private long _duplicates, _unmatched, _refused, _cut, _commandsAcknowledged, _commandsDropped, _refusedTold, _cutTold;
    private (string Client, string Reason) _lastTrouble;

    /// <summary>The time in milliseconds since the start, as it was at the last look.</summary>
    internal long Now => Volatile.Read(ref _now);

    internal TimeProvider Time => _time;

    internal bool IsStopping => _isStopping;

    internal void Start(ConnectionContext context)
    {
        lock (_gate)
        {
            _time = context.TimeProvider;
            Logger = context.Logger;
            if (++_running < _subscriptions.Count)
            {
                IngestLog.Waits(Logger, _running, _subscriptions.Count);
                return;
            }

            Topics.Clear();
            _began = _time.GetTimestamp();
            _now = _troubleTold = 0;
            _isStopping = false;
            if (Options.Port is { } port)
            {
                Listen(port);
            }

            _sweep = _time.CreateTimer(static state => ((MqttIngestEndpoint)state!).Sweep(), this, _sweepPeriod, _sweepPeriod);
            _isListening = true;
            _listening.TrySetResult();
        }
    }

    /// <summary>A source stops. With the last one, all connections end: what they brought is acknowledged first, within the stop timeout.</summary>
    /// <param name="subscription">The source's part.</param>
    /// <param name="leave">Makes it take nothing more.</param>
    internal async Task StopAsync(IngestSubscription subscription, Action leave)
    {
        bool isLast;
        lock (_gate)
        {
            isLast = --_running == 0;
        }

        if (isLast && _isListening)
        {
            await StopListeningAsync().ConfigureAwait(false);
        }

        await subscription.Turn.EnterAsync(new Waiter()).ConfigureAwait(false);
        leave();
        subscription.Turn.Leave();
    }

    internal void CountDuplicate() => Interlocked.Increment(ref _duplicates);

    internal void CountUnmatched() => Interlocked.Increment(ref _unmatched);

    internal void CountCommandAcknowledged() => Interlocked.Increment(ref _commandsAcknowledged);

    internal void CountCommandsDropped(int count) => Interlocked.Add(ref _commandsDropped, count);

    internal void CountRefused(string client, string reason)
    {
        Interlocked.Increment(ref _refused);
        _lastTrouble = (client, reason);
    }

    internal void CountCut(string client, string reason)
    {
        Interlocked.Increment(ref _cut);
        _lastTrouble = (client, reason);
        IngestLog.Ended(Logger, client, reason);
    }

    internal void HasConnected() => Interlocked.Decrement(ref _connecting);

    private void Listen(int port)
    {
        var socket = new Socket(Options.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // A program that comes back on its port must not wait for the old connections' last packets to time out.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(Options.Address, port));
            socket.Listen(Options.ConnectionBacklog);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        _socket = socket;
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        _accepting = Task.Run(() => AcceptAsync(socket));
        IngestLog.Listens(Logger, Options.Address.ToString(), Port);
    }

    private async Task StopListeningAsync()
    {
        _isStopping = true;
        _socket?.Dispose();
        await _accepting.ConfigureAwait(false);
        IngestConnection[] open;
        lock (_connections)
        {
            open = [.. _connections];
        }

        foreach (var connection in open)
        {
            connection.Stop();
        }

        var ended = Task.WhenAll(open.Select(c => c.Completion));
        try
        {
            // They themselves wait for acknowledgements, and then for their clients; the pause on top is for those that do neither.
            await ended.WaitAsync(Options.StopTimeout + TimeSpan.FromSeconds(2), _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            foreach (var connection in open)
            {
                connection.Abort();
            }
        }

        lock (_gate)
        {
            _sweep?.Dispose();
            _isListening = false;
            _listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _socket = null;
            Port = 0;
        }

        IngestLog.Stopped(Logger);
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_isStopping)
        {
            try
            {
                var socket = await listener.AcceptAsync().ConfigureAwait(false);
                _ = ServeAsync(socket);
            }
            catch (Exception e) when (e is ObjectDisposedException || _isStopping)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of file handles, or a client that went away before it was accepted: neither may end the listening.
                IngestLog.AcceptFailed(Logger, SafeText.Escape(e.Message));
                await Task.Delay(TimeSpan.FromMilliseconds(100), _time, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        SslStream? encrypted = null;
        IngestConnection? connection = null;
        try
        {
            socket.NoDelay = true;

            // A device whose power went off says nothing; a client without a keep-alive would never be noticed.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            var remote = (socket.RemoteEndPoint as IPEndPoint)?.Address;
            if (Options.Certificate is null)
            {
                await ServeAsync(new SocketLink(socket), new MqttIngestPeer(remote, IsEncrypted: false)).ConfigureAwait(false);
                return;
            }

            encrypted = new SslStream(new NetworkStream(socket, ownsSocket: false), leaveInnerStreamOpen: false);
            connection = TryBegin(new TlsLink(encrypted, socket), new MqttIngestPeer(remote, IsEncrypted: true));
            if (connection is not null)
            {
                var certificate = await EncryptAsync(encrypted).ConfigureAwait(false);
                connection.HasProved(certificate);
                await connection.RunAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (MqttFailure.IsTransient(e) || e is InvalidOperationException)
        {
            CountCut(socket.Connected ? $"{socket.RemoteEndPoint}" : "a client", MqttFailure.Describe(e));
        }
        finally
        {
            if (connection is not null)
            {
                End(connection);
            }

            socket.Dispose();
            if (encrypted is not null)
            {
                await encrypted.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task ServeAsync(Link link, MqttIngestPeer peer)
    {
        if (TryBegin(link, peer) is { } connection)
        {
            try
            {
                await connection.RunAsync().ConfigureAwait(false);
            }
            finally
            {
                End(connection);
            }
        }

        link.Abort();
    }

    private IngestConnection? TryBegin(Link link, MqttIngestPeer peer)
    {
        if (IsStopping)
        {
            return null;
        }

        bool isTooMany = Interlocked.Increment(ref _open) > Options.MaxConnections;
        if (Interlocked.Increment(ref _connecting) > Options.MaxConnecting || isTooMany)
        {
            Interlocked.Decrement(ref _open);
            Interlocked.Decrement(ref _connecting);
            CountRefused($"{peer.Remote}", isTooMany ? "there are MaxConnections connections" : "there are MaxConnecting connections that have not said who they are");
            return null;
        }

        var connection = new IngestConnection(this, link, peer);
        lock (_connections)
        {
            connection.Index = _connections.Count;
            _connections.Add(connection);
        }

        return connection;
    }

    private void End(IngestConnection connection)
    {
        if (!connection.IsKnown)
        {
            Interlocked.Decrement(ref _connecting);
        }

        Interlocked.Decrement(ref _open);
        lock (_connections)
        {
            var last = _connections[^1];
            _connections[last.Index = connection.Index] = last;
            _connections.RemoveAt(_connections.Count - 1);
        }
    }

    private async Task<X509Certificate2?> EncryptAsync(SslStream stream)
    {
        using var limit = new CancellationTokenSource(Options.ConnectTimeout, _time);
        bool asks = Options.Security.Certificate is not null;
        var authentication = new SslServerAuthenticationOptions
        {
            ServerCertificate = Options.Certificate,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ClientCertificateRequired = asks,

            // ListenerSecurity.Certificate decides, and sees the certificate as it is; without it no certificate is asked for.
#pragma warning disable CA5359
            RemoteCertificateValidationCallback = asks ? static (_, _, _, _) => true : null,
#pragma warning restore CA5359
        };
        await stream.AuthenticateAsServerAsync(authentication, limit.Token).ConfigureAwait(false);
        return stream.RemoteCertificate switch
        {
            X509Certificate2 certificate => certificate,
            { } other => new X509Certificate2(other),
            null => null,
        };
    }

    private void Sweep()
    {
        lock (_due)
        {
            if (_isSweeping)
            {
                return;
            }

            _isSweeping = true;
        }

        long now = (long)_time.GetElapsedTime(_began).TotalMilliseconds;
        Volatile.Write(ref _now, now);
        lock (_connections)
        {
            foreach (var connection in _connections)
            {
                if (connection.IsDue(now))
                {
                    _due.Add(connection);
                }
            }
        }

        foreach (var connection in _due)
        {
            connection.Look(now);
        }

        _due.Clear();
        SweepSessions(now);
        TellTrouble(now);
        lock (_due)
        {
            _isSweeping = false;
        }
    }

    private void TellTrouble(long now)
    {
        long cut = Interlocked.Read(ref _cut) - _cutTold, refused = Interlocked.Read(ref _refused) - _refusedTold;
        if (cut + refused > 0 && (_troubleTold == 0 || now - _troubleTold >= _troublePeriod.TotalMilliseconds))
        {
            (_cutTold, _refusedTold, _troubleTold) = (_cutTold + cut, _refusedTold + refused, now);
            IngestLog.Trouble(Logger, cut, refused, _troublePeriod, _lastTrouble.Client, _lastTrouble.Reason);
        }
    }
}
