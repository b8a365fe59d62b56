using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A CoAP server of this program: set by <c>cep.CoapListener(o =&gt; ...)</c>. It is open while a <c>Coap.Listen</c> or a <c>Coap.Resource</c> of its name runs; all of them
/// share it.
/// </summary>
public sealed class CoapListenerOptions
{
    /// <summary>Where it listens. Default: loopback. Any other address needs <see cref="Security"/>.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The UDP port, 0 for a free one; null: not over UDP. Default: 5683.</summary>
    public int? Port { get; set; } = 5683;

    /// <summary>The TCP port, 0 for a free one; null, the default: not over TCP.</summary>
    public int? TcpPort { get; set; }

    /// <summary>The TLS port, 0 for a free one; null, the default: not over TLS. Needs <see cref="Certificate"/>.</summary>
    public int? TlsPort { get; set; }

    /// <summary>The server's certificate with its private key, for TLS.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>The DTLS port, 0 for a free one; null, the default: not over DTLS. Needs <c>UseDtls</c> of the package IoT.Cep.Transports.Dtls.</summary>
    public int? DtlsPort { get; set; }

    /// <summary>Makes what carries DTLS: set by <c>UseDtls</c>.</summary>
    public Func<CoapDatagramContext, ICoapDatagrams>? SecureDatagrams { get; set; }

    /// <summary>Who may do what. Default: everyone on this machine everything.</summary>
    public ListenerSecurity Security { get; set; } = ListenerSecurity.LoopbackOnly;

    /// <summary>How messages over UDP and DTLS are repeated. Default: as RFC 7252 says.</summary>
    public CoapTransmission Transmission { get; set; } = new();

    /// <summary>
    /// To an address that has not shown that it is its own, at most this many times its request's bytes are sent (RFC 9175). Default: 3. 0 sends anything to anyone, which makes the
    /// server a weapon on a network that others can reach.
    /// </summary>
    public int MaxAmplification { get; set; } = 3;

    /// <summary>How long an address that has shown itself counts as such. Default: 10 min.</summary>
    public TimeSpan VerifiedFor { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many clients are known at a time; beyond them the one idle for longest is forgotten. Default: 10,000.</summary>
    public int MaxPeers { get; set; } = 10_000;

    /// <summary>How many connections over TCP, TLS and WebSocket there may be. Default: 1,000.</summary>
    public int MaxConnections { get; set; } = 1000;

    /// <summary>How many requests are answered at a time; beyond them 5.03. Default: 4,096.</summary>
    public int MaxRequests { get; set; } = 4096;

    /// <summary>How many messages may wait for the engine at each source; beyond them 5.03. Default: 256.</summary>
    public int MaxWaiting { get; set; } = 256;

    /// <summary>What a client is told to wait when the engine holds back. Default: 2 s.</summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The largest request body, in blocks or not; a longer one is 4.13, as is one beyond <see cref="PrincipalLimits.MaxPayloadBytes"/>. Default: 1 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 1 << 20;

    /// <summary>All bodies under way in blocks together. Default: 32 MiB.</summary>
    public long MaxTransferBytes { get; set; } = 32 << 20;

    /// <summary>The largest body of a message over UDP or DTLS: 16 to 1,024, a power of two. Default: 1,024.</summary>
    public int BlockBytes { get; set; } = 1024;

    /// <summary>The largest message over TCP, TLS and WebSocket. Default: 64 KiB.</summary>
    public int MaxMessageBytes { get; set; } = 64 << 10;

    /// <summary>A connection over TCP, TLS or WebSocket without a message for this long is closed. Default: 10 min.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Serves a WebSocket that a web server has accepted, with the subprotocol <c>coap</c> and usually at <c>/.well-known/coap</c> (RFC 8323, 8.3), until it is closed. Returns at once
    /// where this listener is not open, has as many connections as it may, or <see cref="Security"/> does not let the client in.
    /// </summary>
    /// <param name="socket">The socket; disposed of when this is done.</param>
    /// <param name="remote">Where it comes from.</param>
    /// <param name="identity">Who it is, as the web server proved it; null: nobody in particular.</param>
    /// <param name="isEncrypted">Whether it came by TLS.</param>
    /// <param name="stop">Closes it.</param>
    public Task AcceptAsync(System.Net.WebSockets.WebSocket socket, IPEndPoint remote, Identity? identity, bool isEncrypted, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ArgumentNullException.ThrowIfNull(remote);
        return Server.AcceptAsync(socket, remote, identity, isEncrypted, stop);
    }

    /// <summary>Decides tokens and waits; tests give a seed.</summary>
    internal Random? Random { get; set; }

    /// <summary>The server, while it is open.</summary>
    internal CoapServer Server => field ??= new CoapServer(this);

    internal string Name { get; set; } = Connections.Default;

    internal void Validate(string name)
    {
        Name = name;
        Require(Transmission.Problem() is null, nameof(Transmission), Transmission.Problem() ?? "");
        foreach (int port in new[] { Port, TcpPort, TlsPort, DtlsPort }.OfType<int>())
        {
            Require(port is >= 0 and <= 65_535, nameof(Port), "must be 0 to 65,535");
        }

        Require(TlsPort is null || Certificate is { HasPrivateKey: true }, nameof(Certificate), "is missing or has no private key, but TlsPort is set");
        Require(DtlsPort is null || SecureDatagrams is not null, nameof(DtlsPort), "is set, but nothing carries DTLS: call UseDtls of the package IoT.Cep.Transports.Dtls");
        Require(MaxAmplification is >= 0 and <= 100, nameof(MaxAmplification), "must be 0 to 100");
        Require(VerifiedFor > TimeSpan.Zero, nameof(VerifiedFor), "must be longer than zero");
        Require(MaxPeers >= 1, nameof(MaxPeers), "must be at least 1");
        Require(MaxConnections >= 1, nameof(MaxConnections), "must be at least 1");
        Require(MaxRequests >= 1, nameof(MaxRequests), "must be at least 1");
        Require(MaxWaiting >= 1, nameof(MaxWaiting), "must be at least 1");
        Require(RetryAfter >= TimeSpan.FromSeconds(1), nameof(RetryAfter), "must be at least 1 s, the unit that the protocol counts in");
        Require(MaxBodyBytes is >= 1 and <= 1 << 28, nameof(MaxBodyBytes), "must be 1 byte to 256 MiB");
        Require(MaxTransferBytes >= MaxBodyBytes, nameof(MaxTransferBytes), "must not be less than MaxBodyBytes");
        Require(BlockBytes is >= 16 and <= 1024 && int.IsPow2(BlockBytes), nameof(BlockBytes), "must be 16, 32, 64, 128, 256, 512 or 1,024");
        Require(MaxMessageBytes is >= 1152 and <= 1 << 28, nameof(MaxMessageBytes), "must be 1,152 bytes to 256 MiB");
        Require(IdleTimeout > TimeSpan.Zero, nameof(IdleTimeout), "must be longer than zero");

        void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"CoAP listener '{name}': {option} {remedy}.");
            }
        }
    }

    internal CoapEndpointSettings ToEndpoint() => new()
    {
        Transmission = Transmission,
        MaxPeers = MaxPeers,
        MaxExchanges = MaxRequests,
        MaxPayload = BlockBytes,
        MaxAmplification = MaxAmplification,
        VerifiedFor = VerifiedFor,
    };

    internal CoapTransferSettings ToTransfers() => new()
    {
        // What an identity may not send need not be gathered first.
        MaxBodyBytes = Math.Min(MaxBodyBytes, Security.Limits.MaxPayloadBytes),
        MaxBytes = MaxTransferBytes,
        TimeToLive = Transmission.ExchangeLifetime,
    };
}
