using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>How <c>coaps</c> is secured: DTLS 1.2 by a pre-shared key, by certificates, or by either.</summary>
public sealed class DtlsOptions
{
    /// <summary>A client's name beside <see cref="PreSharedKey"/>; null: no key is used. A server takes keys from <see cref="ListenerSecurity.PreSharedKey"/>.</summary>
    public string? PskIdentity { get; set; }

    /// <summary>A client's key, of 16 random bytes or more.</summary>
    public byte[]? PreSharedKey { get; set; }

    /// <summary>A certificate with its private key (ECDSA or RSA): a server's, or a client's to show. Null: none; a listener takes <see cref="CoapListenerOptions.Certificate"/>.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>A PEM file with the certificate authorities that a client trusts, and no others; null: the operating system's.</summary>
    public string? CaFile { get; set; }

    /// <summary>The name that the server's certificate must carry; null: the URI's host.</summary>
    public string? TargetHost { get; set; }

    /// <summary>How many sessions there may be; beyond them no handshake begins. Default: 10,000.</summary>
    public int MaxSessions { get; set; } = 10_000;

    /// <summary>How many handshakes may be under way or wait for a thread; beyond them clients are not answered, and try again. Default: 64.</summary>
    public int MaxHandshakes { get; set; } = 64;

    /// <summary>Threads for handshakes, each for one at a time; none is needed for a session afterwards. Default: 4.</summary>
    public int HandshakeThreads { get; set; } = 4;

    /// <summary>How long a handshake may take. Default: 10 s.</summary>
    public TimeSpan HandshakeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A server's session that nothing came by for this long is closed. Default: 10 min.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(10);

    internal void Validate()
    {
        Require((PskIdentity is null) == (PreSharedKey is null), nameof(PskIdentity), "and PreSharedKey belong together: set both or none");
        Require(PreSharedKey is null || PreSharedKey.Length is >= 1 and <= 64, nameof(PreSharedKey), "must have 1 to 64 bytes");
        Require(PskIdentity is null || System.Text.Encoding.UTF8.GetByteCount(PskIdentity) is >= 1 and <= 128, nameof(PskIdentity), "must have 1 to 128 bytes");
        Require(Certificate is null || Certificate.HasPrivateKey, nameof(Certificate), "has no private key");
        Require(CaFile is null || File.Exists(CaFile), nameof(CaFile), $"names a file that does not exist: {CaFile}");
        Require(MaxSessions >= 1, nameof(MaxSessions), "must be at least 1");
        Require(MaxHandshakes >= 1, nameof(MaxHandshakes), "must be at least 1");
        Require(HandshakeThreads is >= 1 and <= 64, nameof(HandshakeThreads), "must be 1 to 64");
        Require(HandshakeTimeout >= TimeSpan.FromSeconds(1) && HandshakeTimeout <= TimeSpan.FromMinutes(5), nameof(HandshakeTimeout), "must be 1 s to 5 min");
        Require(IdleTimeout >= TimeSpan.FromSeconds(1), nameof(IdleTimeout), "must be at least 1 s");

        static void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"DTLS: {option} {remedy}.");
            }
        }
    }
}
