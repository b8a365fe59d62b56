using System.Security.Cryptography.X509Certificates;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.CoapTests;

/// <summary>A listener over one kind of connection whose clients are known by it: by a key over DTLS, by a certificate over TLS; over UDP and TCP all are nobody in particular.</summary>
internal sealed class Guarded : IAsyncDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly string _scheme;
    private readonly List<CoapConnector> _connectors = [];

    internal Guarded(string scheme, PrincipalLimits limits, Authorize? authorize = null, TimeSpan? expiry = null)
    {
        _scheme = scheme;
        byte[] key = "0123456789abcdef"u8.ToArray();
        Security = new ListenerSecurity
        {
            TimeProvider = Clock,
            Limits = limits,
            Authorize = authorize,
            AllowAnonymous = scheme is "coap" or "coap+tcp",
            PreSharedKey = scheme == "coaps" ? _ => key : null,
            Certificate = scheme != "coaps+tcp" ? null
                : c => new(new Identity(c.GetNameInfo(X509NameType.SimpleName, false), AuthenticationMethod.Certificate, expires: Clock.GetUtcNow() + (expiry ?? TimeSpan.FromDays(1)))),
        };
        Connections = Local.Listener(
            o =>
            {
                (o.Port, o.TcpPort, o.TlsPort, o.Certificate, o.Security) = (0, 0, 0, _authority.Server, Security);
                o.UseDtls().DtlsPort = 0;
            },
            c =>
            {
                c.Tls = new CoapTlsOptions { CaFile = _authority.RootFile, CertificateFile = _authority.ClientFile };
                c.UseDtls(d => (d.PskIdentity, d.PreSharedKey, d.CaFile) = (Name, key, _authority.RootFile)).Transmission.MaxOutstanding = 10;
            });
    }

    internal FakeTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    internal ListenerSecurity Security { get; }

    internal Connections Connections { get; }

    /// <summary>Who the clients are.</summary>
    internal string Name => _scheme is "coap" or "coap+tcp" ? "anonymous" : "device-1";

    internal string Uri(string path)
    {
        var server = Connections.Server();
        int port = _scheme switch
        {
            "coap" => server.Port,
            "coaps" => server.DtlsPort,
            "coap+tcp" => server.TcpPort,
            _ => server.TlsPort,
        };
        return $"{_scheme}://localhost:{port}/{path}";
    }

    /// <summary>A connection of its own.</summary>
    internal async Task<CoapClient> ConnectAsync()
    {
        var connector = new CoapConnector(Connections.Find<CoapOptions>()!, TimeProvider.System, NullLogger.Instance);
        _connectors.Add(connector);
        return await connector.ConnectAsync(CoapUri.Parse(Uri("")), CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
    }

    /// <summary>Closes the connection that was made first.</summary>
    internal ValueTask CloseFirstAsync() => _connectors[0].DisposeAsync();

    internal static Task<CoapMessage> PostAsync(CoapClient client, string path, string body = "x") =>
        client.SendAsync(Pair.Request(CoapCode.Post, path, body), CancellationToken.None).WaitAsync(Collector.Patience);

    internal static async Task UntilAsync(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    /// <summary>What a request comes to: its response's code and text, or why there was none.</summary>
    internal static async Task<string> OutcomeAsync(Func<Task<CoapMessage>> request)
    {
        try
        {
            var response = await request();
            return $"{response.Code.Text()} {Encoding.UTF8.GetString(response.Payload.Span)}".Trim();
        }
        catch (Exception error) when (CoapConnector.IsTransient(error))
        {
            return error.Message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connector in _connectors)
        {
            await connector.DisposeAsync();
        }

        _authority.Dispose();
    }
}
