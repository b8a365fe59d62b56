using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// How a program speaks to CoAP servers: set by <c>cep.Coap(o =&gt; ...)</c>, else read from the host's configuration (<c>IoT.Cep:Coap:default</c>). Which
/// server is in each URI.
/// </summary>
public sealed class CoapOptions
{
    /// <summary>How messages over UDP and DTLS are repeated. Default: as RFC 7252 says.</summary>
    public CoapTransmission Transmission { get; set; } = new();

    /// <summary>Whether requests want an acknowledgement and are repeated without one. Default: true.</summary>
    public bool IsConfirmable { get; set; } = true;

    /// <summary>How long a response is waited for after its request was acknowledged. Default: 60 s.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long connecting may take, a handshake included. Default: 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The largest body of a message over UDP or DTLS; longer ones go in blocks of this size: 16 to 1,024, a power of two. Default: 1,024.</summary>
    public int BlockBytes { get; set; } = 1024;

    /// <summary>The largest body that is received or sent. Default: 1 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 1 << 20;

    /// <summary>How many servers a sink keeps connections to; further ones push out the one unused for longest. Default: 256.</summary>
    public int MaxServers { get; set; } = 256;

    /// <summary>Encryption of <c>coaps+tcp</c> and <c>coaps+ws</c>; null: as <see cref="CoapTlsOptions"/> is by default.</summary>
    public CoapTlsOptions? Tls { get; set; }

    /// <summary>Makes what carries <c>coaps</c>: set by <c>UseDtls</c> of the package IoT.Cep.Transports.Dtls. Null, the default: <c>coaps</c> is refused.</summary>
    public Func<CoapDatagramContext, ICoapDatagrams>? SecureDatagrams { get; set; }

    /// <summary>
    /// Gives the access token that is shown to each server at <c>authz-info</c> (RFC 9200) when a session with it begins, and again when the server does not know this client any more. Asked
    /// each time: a token from a cache must still be valid. Null, or a function that gives null: none is shown.
    /// </summary>
    public Func<CancellationToken, ValueTask<string?>>? Token { get; set; }

    /// <summary>Whether <see cref="Token"/> may cross a network without DTLS or TLS. Default: no; on this machine it may.</summary>
    public bool AllowPlainTextToken { get; set; }

    /// <summary>The first pause before trying again; it doubles with each failure and half of it is random. Default: 0.5 s.</summary>
    public TimeSpan ReconnectMin { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause before trying again. Default: 30 s.</summary>
    public TimeSpan ReconnectMax { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Decides tokens and waits; tests give a seed.</summary>
    internal Random? Random { get; set; }

    internal void Validate(string name)
    {
        Require(Transmission.Problem() is null, nameof(Transmission), Transmission.Problem() ?? "");
        Require(ResponseTimeout > TimeSpan.Zero, nameof(ResponseTimeout), "must be longer than zero");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "must be longer than zero");
        Require(BlockBytes is >= 16 and <= 1024 && int.IsPow2(BlockBytes), nameof(BlockBytes), "must be 16, 32, 64, 128, 256, 512 or 1,024");
        Require(MaxBodyBytes is >= 1 and <= 1 << 28, nameof(MaxBodyBytes), "must be 1 byte to 256 MiB");
        Require(MaxServers >= 1, nameof(MaxServers), "must be at least 1");
        Require(ReconnectMin > TimeSpan.Zero && ReconnectMax >= ReconnectMin, nameof(ReconnectMin), "must be longer than zero and not longer than ReconnectMax");

        void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"CoAP connection '{name}': {option} {remedy}.");
            }
        }
    }

    internal CoapEndpointSettings ToEndpoint() => new()
    {
        Transmission = Transmission,
        IsConfirmable = IsConfirmable,
        ResponseTimeout = ResponseTimeout,
        MaxPayload = BlockBytes,
        MaxPeers = Math.Max(MaxServers, 16),
    };
}
