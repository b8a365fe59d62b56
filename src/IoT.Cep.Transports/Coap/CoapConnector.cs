using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>Makes clients of servers: one socket for all that are reached by UDP, one for DTLS, a connection each over TCP and WebSocket. For one user at a time.</summary>
/// <param name="options">How to speak.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed class CoapConnector(CoapOptions options, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    /// <summary>A server that moved is found again within this time.</summary>
    private static readonly TimeSpan _addressLifetime = TimeSpan.FromMinutes(1);

    /// <summary>Larger bodies go in blocks, several at once, so that another request gets its turn between them.</summary>
    private const int MaxStreamMessageBytes = 64 << 10;

    private readonly Dictionary<(CoapScheme Scheme, string Host, int Port), Connected> _clients = [];
    private readonly Dictionary<(CoapScheme Scheme, AddressFamily Family), Carrier> _carriers = [];
    private readonly CoapRandom _random = new(options.Random);
    private long _uses;

    internal CoapRandom Random => _random;

    /// <summary>A client of the URI's server, connected; throws what <see cref="IsTransient"/> knows where that fails.</summary>
    /// <param name="uri">The URI.</param>
    /// <param name="stop">Gives up.</param>
    internal async ValueTask<CoapClient> ConnectAsync(CoapUri uri, CancellationToken stop)
    {
        if (_clients.TryGetValue(uri.Authority, out var known))
        {
            if (known.IsUsable(time))
            {
                known.LastUse = ++_uses;
                return known.Client;
            }

            _clients.Remove(uri.Authority);
            await known.DisposeAsync().ConfigureAwait(false);
        }

        if (_clients.Count >= options.MaxServers)
        {
            var (oldest, unused) = _clients.MinBy(static c => c.Value.LastUse);
            _clients.Remove(oldest);
            await unused.DisposeAsync().ConfigureAwait(false);
        }

        using var limit = new CancellationTokenSource(options.ConnectTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            var connected = uri.IsDatagram
                ? await ConnectDatagramsAsync(uri, either.Token).ConfigureAwait(false)
                : await ConnectStreamAsync(uri, either.Token).ConfigureAwait(false);
            connected.LastUse = ++_uses;
            _clients.Add(uri.Authority, connected);
            await ProveAsync(uri, connected.Client, either.Token).ConfigureAwait(false);
            return connected.Client;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException($"Connecting to {uri.Host} took longer than {options.ConnectTimeout}.");
        }
    }

    private async Task ProveAsync(CoapUri uri, CoapClient client, CancellationToken stop)
    {
        if (options.Token is not { } token)
        {
            return;
        }

        try
        {
            bool isEncrypted = uri.Scheme is CoapScheme.Dtls or CoapScheme.Tls or CoapScheme.SecureWebSocket;
            if (!isEncrypted && !options.AllowPlainTextToken && uri.Host != "localhost" && !IPAddress.IsLoopback(client.Remote.Address.Address))
            {
                throw new InvalidOperationException($"The token for {uri.Host} would cross the network in clear text: use coaps, coaps+tcp or coaps+ws, or set AllowPlainTextToken.");
            }

            await client.ProveByAsync(token, stop).ConfigureAwait(false);
        }
        catch
        {
            await ForgetAsync(uri, client).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Forgets a client that failed, so that the next attempt connects anew.</summary>
    /// <param name="uri">The URI that it was made for.</param>
    /// <param name="failed">The client that failed, where another may have been made since; null: whichever there is.</param>
    internal async ValueTask ForgetAsync(CoapUri uri, CoapClient? failed = null)
    {
        if (_clients.TryGetValue(uri.Authority, out var known) && (failed is null || known.Client == failed))
        {
            _clients.Remove(uri.Authority);
            await known.DisposeAsync().ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients.Values)
        {
            await client.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var carrier in _carriers.Values)
        {
            await carrier.DisposeAsync().ConfigureAwait(false);
        }

        _clients.Clear();
        _carriers.Clear();
    }

    /// <summary>Whether trying again may help.</summary>
    /// <param name="error">What went wrong.</param>
    internal static bool IsTransient(Exception error) => error is CoapException or SocketException or IOException or TimeoutException
        or OperationCanceledException or System.Security.Authentication.AuthenticationException or ObjectDisposedException or System.Net.WebSockets.WebSocketException;

    /// <summary>An error as a line for people.</summary>
    /// <param name="error">The error.</param>
    internal static string Describe(Exception error)
    {
        var cause = error;
        while (cause.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is OperationCanceledException ? "It took too long." : SafeText.Escape(cause.Message);
    }

    private async Task<Connected> ConnectDatagramsAsync(CoapUri uri, CancellationToken stop)
    {
        var address = IPAddress.TryParse(uri.Host, out var literal) ? literal : (await Dns.GetHostAddressesAsync(uri.Host, stop).ConfigureAwait(false))[0];
        var key = (uri.Scheme, address.AddressFamily);
        if (!_carriers.TryGetValue(key, out var carrier))
        {
            var any = new IPEndPoint(address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            var datagrams = uri.Scheme == CoapScheme.Udp ? new UdpDatagrams(any)
                : options.SecureDatagrams?.Invoke(new CoapDatagramContext(any, time, logger))
                    ?? throw new InvalidOperationException("coaps needs DTLS: call UseDtls of the package IoT.Cep.Transports.Dtls in cep.Coap(...).");
            carrier = new Carrier(datagrams, new CoapEndpoint(datagrams, null, options.ToEndpoint(), time, _random));
            _carriers.Add(key, carrier);
        }

        var remote = await carrier.Datagrams.ConnectAsync(new IPEndPoint(address, uri.Port), uri.Host, stop).ConfigureAwait(false);
        return new Connected(new CoapClient(carrier.Endpoint, remote, options.MaxBodyBytes, _random))
        {
            // A DTLS session lasts as long as it works; a name may lead elsewhere after a while.
            UsableFrom = time.GetTimestamp(),
            IsOpen = () => carrier.Datagrams.IsOpen(remote),
            Lifetime = uri.Scheme == CoapScheme.Udp && literal is null ? _addressLifetime : null,
        };
    }

    private async Task<Connected> ConnectStreamAsync(CoapUri uri, CancellationToken stop)
    {
        var (frames, address) = await CoapStreamConnector.ConnectAsync(uri, options.Tls ?? new CoapTlsOptions(), stop).ConfigureAwait(false);
        var settings = new CoapStreamSettings { MaxMessageBytes = MaxStreamMessageBytes, ResponseTimeout = options.ResponseTimeout };
        var remote = new CoapRemote(address, null, ++_uses) { IsEncrypted = uri.Scheme is CoapScheme.Tls or CoapScheme.SecureWebSocket };
        var connection = new StreamConnection(new CoapStreamLink(frames, remote, null, settings, time, _random));
        try
        {
            // What the server takes decides how bodies are cut.
            await connection.Link.Ready.WaitAsync(stop).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return new Connected(new CoapClient(connection.Link, remote, options.MaxBodyBytes, _random), connection) { IsOpen = () => connection.Link.IsUsable };
    }

    private sealed class StreamConnection : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal StreamConnection(CoapStreamLink link)
        {
            Link = link;
            _run = link.RunAsync(_stop.Token);
        }

        internal CoapStreamLink Link { get; }

        public async ValueTask DisposeAsync()
        {
            await Link.ReleaseAsync().ConfigureAwait(false);
            await _stop.CancelAsync().ConfigureAwait(false);
            await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Link.DisposeAsync().ConfigureAwait(false);
            _stop.Dispose();
        }
    }

    private sealed class Connected(CoapClient client, IAsyncDisposable? connection = null) : IAsyncDisposable
    {
        internal CoapClient Client => client;

        internal long LastUse { get; set; }

        internal long UsableFrom { get; init; }

        internal TimeSpan? Lifetime { get; init; }

        internal Func<bool> IsOpen { get; init; } = static () => true;

        internal bool IsUsable(TimeProvider time) => IsOpen() && (Lifetime is not { } lifetime || time.GetElapsedTime(UsableFrom) < lifetime);

        public ValueTask DisposeAsync() => connection?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    private sealed class Carrier : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal Carrier(ICoapDatagrams datagrams, CoapEndpoint endpoint)
        {
            Datagrams = datagrams;
            Endpoint = endpoint;
            _run = datagrams.RunAsync(endpoint, _stop.Token);
        }

        internal ICoapDatagrams Datagrams { get; }

        internal CoapEndpoint Endpoint { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            Endpoint.Dispose();
            await Datagrams.DisposeAsync().ConfigureAwait(false);
            await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }
    }
}
