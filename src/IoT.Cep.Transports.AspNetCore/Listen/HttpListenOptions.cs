using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>Where and how an <see cref="HttpServer"/> listens by itself. What it needs stands here: it reads no configuration and no environment.</summary>
public sealed class HttpListenOptions
{
    /// <summary>Where it listens; this machine only by default. Any other address needs <see cref="HttpServerOptions.Security"/>.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The port; 0, the default, lets the system choose one (<see cref="HttpListening.Port"/>).</summary>
    public int Port { get; set; }

    /// <summary>The server's certificate; null, the default: no TLS.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>How many connections at a time; 10,000 by default. Further ones are closed at once.</summary>
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>How long a client may take to send a request's header; 15 seconds by default.</summary>
    public TimeSpan HeaderTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a connection without a request is kept; 2 minutes by default.</summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How fast a body must come, after 5 seconds; 100 bytes per second by default. A client that is slower gets 408.</summary>
    public int MinBytesPerSecond { get; set; } = 100;

    /// <summary>The path of the OpenAPI document; null: there is none. <c>/openapi.json</c> by default.</summary>
    public string? OpenApiPath { get; set; } = "/openapi.json";

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Address);
        ArgumentOutOfRangeException.ThrowIfNegative(Port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Port, ushort.MaxValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConnections, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(HeaderTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(KeepAlive, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MinBytesPerSecond, 1);
    }
}
