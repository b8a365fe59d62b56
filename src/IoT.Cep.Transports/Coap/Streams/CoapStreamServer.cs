using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>The connections of a listener: over TCP, over TLS, and WebSockets that a web server has accepted. At most so many; one more is closed at once.</summary>
internal sealed class CoapStreamServer(
    CoapListenerOptions options, ICoapHandler handler, CoapAuthorization? authorization, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    internal const string ApplicationProtocol = "coap";

    /// <summary>As <see cref="CoapOptions.ConnectTimeout"/>: a handshake that takes longer is of nobody who means well.</summary>
    private static readonly TimeSpan _handshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _connections = [];
    private readonly List<TcpListener> _listeners = [];
    private readonly List<Task> _accepting = [];
    private readonly SslServerAuthenticationOptions? _tls = options.Certificate is null ? null : new SslServerAuthenticationOptions
    {
        ServerCertificate = options.Certificate,
        ClientCertificateRequired = options.Security.Certificate is not null,
        ApplicationProtocols = [new SslApplicationProtocol(ApplicationProtocol)],
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
#pragma warning disable CA5359 // the listener's security knows certificates, and refuses who shows a wrong one
        RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
    };

    private long _sessions;

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>Listens on a port, and gives it.</summary>
    /// <param name="port">The port; 0 for a free one.</param>
    /// <param name="isTls">Whether connections are encrypted.</param>
    internal int Listen(int port, bool isTls)
    {
        var listener = new TcpListener(options.Address, port);
        listener.Start();
        _listeners.Add(listener);
        _accepting.Add(AcceptAsync(listener, isTls));
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Serves a WebSocket until it is closed.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="remote">Where it comes from.</param>
    /// <param name="identity">Who it is.</param>
    /// <param name="isEncrypted">Whether it came by TLS.</param>
    /// <param name="stop">Closes it.</param>
    internal async Task ServeAsync(WebSocket socket, IPEndPoint remote, Identity? identity, bool isEncrypted, CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _stop.Token);
        var credentials = new ClientCredentials(remote.Address, isEncrypted) { Proven = identity };
        if (TryRun(() => RunAsync(new CoapWebSocketFrames(socket), remote, credentials, either.Token)) is { } run)
        {
            await run.ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var listener in _listeners)
        {
            listener.Dispose();
        }

        await Task.WhenAll(_accepting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task[] left;
        lock (_gate)
        {
            left = [.. _connections];
        }

        await Task.WhenAll(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener, bool isTls)
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // Whoever wanted to connect is gone, or the process has no handle left; the next may have more luck.
                await Task.Delay(TimeSpan.FromMilliseconds(10), time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }

            if (TryRun(() => ServeAsync(socket, isTls)) is null)
            {
                socket.Dispose();
            }
        }
    }

    private Task? TryRun(Func<Task> serve)
    {
        Task run;
        lock (_gate)
        {
            if (_connections.Count >= options.MaxConnections || _stop.IsCancellationRequested)
            {
                return null;
            }

            run = Task.Run(serve);
            _connections.Add(run);
        }

        _ = run.ContinueWith(
            done =>
            {
                lock (_gate)
                {
                    _connections.Remove(done);
                }
            }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return run;
    }

    private async Task ServeAsync(Socket socket, bool isTls)
    {
        var remote = (IPEndPoint)socket.RemoteEndPoint!;
        socket.NoDelay = true;
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        var credentials = new ClientCredentials(remote.Address, isTls);
        if (isTls)
        {
            var secure = new SslStream(stream);
            stream = secure;
            try
            {
                await HandshakeAsync(secure).ConfigureAwait(false);
                credentials = credentials with { Certificate = secure.RemoteCertificate as X509Certificate2 };
            }
            catch (Exception error) when (error is AuthenticationException or IOException or OperationCanceledException)
            {
                CoapLog.Refused(logger, "CoAP over TLS", CoapConnector.Describe(error));
                await secure.DisposeAsync().ConfigureAwait(false);
                return;
            }
        }

        await RunAsync(new CoapStreamFrames(stream), remote, credentials, _stop.Token).ConfigureAwait(false);
    }

    private async Task HandshakeAsync(SslStream secure)
    {
        using var limit = new CancellationTokenSource(_handshakeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        await secure.AuthenticateAsServerAsync(_tls!, either.Token).ConfigureAwait(false);
    }

    private async Task RunAsync(ICoapFrames frames, IPEndPoint remote, ClientCredentials credentials, CancellationToken stop)
    {
        using var admission = await options.Security.AdmitAsync(credentials).ConfigureAwait(false);
        var identity = admission.Identity == Identity.Anonymous ? null : admission.Identity;
        var session = new CoapRemote(remote, identity, Interlocked.Increment(ref _sessions)) { IsEncrypted = credentials.IsEncrypted };
        var settings = new CoapStreamSettings { MaxMessageBytes = options.MaxMessageBytes, IdleTimeout = options.IdleTimeout };
        var link = new CoapStreamLink(frames, session, handler, settings, time, new CoapRandom(options.Random));
        await using var closes = link.ConfigureAwait(false);
        if (admission.IsAdmitted && (authorization is null || identity is not null))
        {
            await link.RunAsync(stop, admission.Ended).ConfigureAwait(false);
            return;
        }

        bool hasShownNothing = credentials is { Certificate: null, Proven: null };
        if (authorization is not null && (admission.IsAdmitted || (hasShownNothing && admission.Refusal == AdmissionRefusal.NotAuthenticated)))
        {
            await RunByTokenAsync(link, session, admission, stop).ConfigureAwait(false);
            return;
        }

        string reason = admission.Refusal switch
        {
            AdmissionRefusal.NotAuthenticated => "Say who you are.",
            AdmissionRefusal.NotAuthorized => "You may not connect.",
            _ => "There are too many connections of yours.",
        };
        CoapLog.Refused(logger, "CoAP", reason);
        await link.RefuseAsync(reason, stop).ConfigureAwait(false);
    }

    // Who it is comes by the first request. Until then it may do nothing, and not for long where nobody may be nobody here.
    private async Task RunByTokenAsync(CoapStreamLink link, CoapRemote session, Admission admission, CancellationToken stop)
    {
        using var close = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(close.Token, admission.Ended);
        authorization!.Watch(link, session, close);
        var patience = admission.IsAdmitted ? Timeout.InfiniteTimeSpan : _handshakeTimeout;
        using var limit = time.CreateTimer(_ => authorization.CloseUnproven(link, session), null, patience, Timeout.InfiniteTimeSpan);
        await link.RunAsync(stop, either.Token).ConfigureAwait(false);
    }
}
