using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A running listener: opened by the first who needs it, closed with the last.</summary>
/// <param name="options">How it listens.</param>
#pragma warning disable CA1001 // closed by its last user, and opened again by the next; a gate that nobody waits at holds nothing
internal sealed class CoapServer(CoapListenerOptions options)
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly List<CoapEndpoint> _endpoints = [];
    private readonly List<ICoapDatagrams> _datagrams = [];
    private readonly List<Task> _running = [];
    private CancellationTokenSource? _stop;
    private CoapStreamServer? _streams;
    private CoapAuthorization? _authorization;
    private int _users;

    internal CoapListenerOptions Options => options;

    internal CoapRouter Router { get; } = new();

    internal CoapBlockwise Blockwise { get; private set; } = null!;

    internal CoapAccess Access { get; private set; } = null!;

    /// <summary>The UDP port; 0: none.</summary>
    internal int Port { get; private set; }

    internal int DtlsPort { get; private set; }

    internal int TcpPort { get; private set; }

    internal int TlsPort { get; private set; }

    internal CoapCounters? Counters => _endpoints.FirstOrDefault()?.Counters;

    /// <summary>Opens it, if nobody has yet.</summary>
    /// <param name="context">Clock and log.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="InvalidOperationException">It can't be opened like this.</exception>
    internal async Task AcquireAsync(ConnectionContext context, CancellationToken stop)
    {
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (_users == 0)
            {
                await OpenAsync(context).ConfigureAwait(false);
            }

            _users++;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Closes it, if nobody else needs it.</summary>
    internal async Task ReleaseAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (--_users == 0)
            {
                await CloseAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    internal Task AcceptAsync(System.Net.WebSockets.WebSocket socket, IPEndPoint remote, Identity? identity, bool isEncrypted, CancellationToken stop) =>
        _streams?.ServeAsync(socket, remote, identity, isEncrypted, stop) ?? Task.CompletedTask;

    private async Task OpenAsync(ConnectionContext context)
    {
        string name = options.Name == Connections.Default ? "CoAP listener" : $"CoAP listener '{options.Name}'";
        bool hasPlain = options.Port is not null || options.TcpPort is not null;
        options.Security.ThrowIfUnsafe(name, options.Address, isEncrypted: !hasPlain);
        _stop = new CancellationTokenSource();
        Blockwise = new CoapBlockwise(Router, options.ToTransfers(), context.TimeProvider);
        _authorization = options.Security.Token is null ? null
            : new CoapAuthorization(options.Security, options.MaxPeers, (link, remote) => Router.End(k => k.Link == link && k.Remote == remote, CoapCode.Unauthorized));
        if (_authorization is not null)
        {
            Router.Add(_authorization);
        }

        Access = new CoapAccess(options.Security, _authorization);
        options.Security.Revoked += OnRevoked;
        try
        {
            if (options.Port is { } port)
            {
                Port = Start(new UdpDatagrams(new IPEndPoint(options.Address, port)), context);
            }

            if (options.DtlsPort is { } dtlsPort)
            {
                var carrier = new CoapDatagramContext(new IPEndPoint(options.Address, dtlsPort), context.TimeProvider, context.Logger) { Security = options.Security };
                DtlsPort = Start(options.SecureDatagrams!(carrier), context);
            }

            _streams = new CoapStreamServer(options, Blockwise, _authorization, context.TimeProvider, context.Logger);
            TcpPort = options.TcpPort is { } tcpPort ? _streams.Listen(tcpPort, isTls: false) : 0;
            TlsPort = options.TlsPort is { } tlsPort ? _streams.Listen(tlsPort, isTls: true) : 0;
            CoapLog.Listening(context.Logger, name, options.Address, Port, DtlsPort, TcpPort, TlsPort);
        }
        catch (Exception error)
        {
            await CloseAsync().ConfigureAwait(false);
            if (error is SocketException)
            {
                throw new InvalidOperationException($"{name}: can't listen on {options.Address}: {error.Message}.", error);
            }

            throw;
        }
    }

    private int Start(ICoapDatagrams datagrams, ConnectionContext context)
    {
        var endpoint = new CoapEndpoint(datagrams, Blockwise, options.ToEndpoint(), context.TimeProvider, new CoapRandom(options.Random));
        _datagrams.Add(datagrams);
        _endpoints.Add(endpoint);
        _running.Add(datagrams.RunAsync(endpoint, _stop!.Token));
        return datagrams.LocalEndPoint.Port;
    }

    private void OnRevoked(string identity)
    {
        // Over plain UDP there is no session that could be closed.
        if (identity == Identity.Anonymous.Name)
        {
            // Sessions are closed, and their observers forgotten with them.
            Router.End(static k => k.Remote.Session == 0, CoapCode.Forbidden);
        }
    }

    private async Task CloseAsync()
    {
        options.Security.Revoked -= OnRevoked;
        await _stop!.CancelAsync().ConfigureAwait(false);
        if (_streams is { } streams)
        {
            _streams = null;
            await streams.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var endpoint in _endpoints)
        {
            endpoint.Dispose();
        }

        foreach (var datagrams in _datagrams)
        {
            await datagrams.DisposeAsync().ConfigureAwait(false);
        }

        await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_authorization is { } authorization)
        {
            _authorization = null;
            Router.Remove(authorization);
            authorization.Clear();
        }

        Blockwise.Dispose();
        _endpoints.Clear();
        _datagrams.Clear();
        _running.Clear();
        _stop.Dispose();
    }
}
