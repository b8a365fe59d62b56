using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>How a TCP listener runs.</summary>
public sealed record TcpListenOptions
{
    /// <summary>Where it listens. Default: loopback; any other address needs what <see cref="ListenerSecurity.ThrowIfUnsafe"/> asks for.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The messages' topic. Default: <c>tcp</c>.</summary>
    public string Topic { get; init; } = "tcp";

    /// <summary>How many connections at once. Default: 100. One more is closed at once, and counted in the log.</summary>
    public int MaxConnections { get; init; } = 100;

    /// <summary>How long a connection may send nothing before it is closed. Default: 10 minutes. Time in which the queries hold it back does not count.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The longest line or frame, in bytes. Default: 1 MiB, and never more than <see cref="PrincipalLimits.MaxPayloadBytes"/>. A longer one is a dead letter; behind a frame the connection is closed, since where the next begins is unknown.</summary>
    public int MaxMessageBytes { get; init; } = 1 << 20;

    /// <summary>The server's certificate: the listener then speaks TLS 1.2 or 1.3. Null, the default: plain TCP.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Who may connect. A client proves itself by a certificate or not at all: there is no place for a password in plain lines. One that sends more than its limits allow is not read meanwhile.</summary>
    public ListenerSecurity Security { get; init; } = ListenerSecurity.LoopbackOnly;

    /// <summary>
    /// Whether each connection is a partition of the source: with its own order, time and backpressure. Default: no; the connections are one stream, in the order of arrival.
    /// </summary>
    public bool IsPartitioned { get; init; }

    /// <summary>Told where it listens: the port that was chosen for 0.</summary>
    public Action<IPEndPoint>? Listening { get; init; }

    internal static TcpListenOptions Check(TcpListenOptions? options, int port)
    {
        options ??= new TcpListenOptions();
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)port, (uint)IPEndPoint.MaxPort, nameof(port));
        ArgumentException.ThrowIfNullOrEmpty(options.Topic, nameof(Topic));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxConnections, 1, nameof(MaxConnections));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxMessageBytes, 1, nameof(MaxMessageBytes));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.IdleTimeout, TimeSpan.Zero, nameof(IdleTimeout));
        return options;
    }
}
