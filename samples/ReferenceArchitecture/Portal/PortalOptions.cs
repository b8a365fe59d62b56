using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.Portal;

/// <summary>Where the portal listens, what is behind it, and its limits.</summary>
public sealed record PortalOptions
{
    /// <summary>The folder with sessions (encrypted) and the keys they are encrypted with. Instances that share it share log-ins. Made where it is not there.</summary>
    public required string DataFolder { get; init; }

    /// <summary>What the portal proves itself with at <c>Identity</c>: its id and secret are also those of the log-in's client.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>Where the layers behind it listen. Default: those of a machine of one's own.</summary>
    public LayerAddresses Layers { get; init; } = new();

    /// <summary>What <c>Identity</c> calls itself in its tokens. Null, the default: its address.</summary>
    public Uri? Issuer { get; init; }

    /// <summary>Where to listen. Default: this machine only.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 chooses one. Default: 5100.</summary>
    public int Port { get; init; } = 5100;

    /// <summary>To listen with TLS; needed beyond loopback. Null, the default: without.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>How long a log-in lasts without being used. Default: 8 h.</summary>
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromHours(8);

    /// <summary>The most log-ins at once; the oldest gives way. Default: 100,000.</summary>
    public int MaxSessions { get; init; } = 100_000;

    /// <summary>Requests a second of one session or token; five times as many at once. Default: 50.</summary>
    public int RequestsPerSecond { get; init; } = 50;

    /// <summary>Requests a second of one address; twice as many at once. Default: 1,000, for programs and gateways behind one address.</summary>
    public int RequestsPerSecondOfAddress { get; init; } = 1_000;

    /// <summary>Log-ins that one address may begin in a minute. Default: 30.</summary>
    public int LoginsPerMinute { get; init; } = 30;

    /// <summary>Live streams of one person or program at once. Default: 8.</summary>
    public int StreamsPerSubject { get; init; } = 8;

    /// <summary>How long a layer behind may take for an answer. Default: 15 s.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The longest answer that is passed on. Default: 16 MB.</summary>
    public long MaxAnswerBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Serves the pages from this folder, read at each request, in place of those built in: to work on them. Default: null.</summary>
    public string? PagesFolder { get; init; }

    /// <summary>Makes what requests to the layers behind go through, where a development certificate has to be trusted. Null, the default: plain sockets without redirections.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Default: nowhere.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    internal HttpMessageHandler MakeHandler() =>
        Handler?.Invoke() ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(10) };
}
