using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.Identity;

/// <summary>Where <c>Identity</c> listens, what it keeps, and how long things last.</summary>
public sealed record IdentityOptions
{
    /// <summary>The folder with everything it keeps: databases, keys, policies, <c>services.json</c>. Made where it is not there, readable by this user only.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Where to listen. Default: this machine only.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 chooses one. Default: 5101.</summary>
    public int Port { get; init; } = 5101;

    /// <summary>To listen with TLS; needed beyond loopback. Null, the default: without.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>What it calls itself in tokens, where that is not its own address: behind a proxy.</summary>
    public Uri? Issuer { get; init; }

    /// <summary>Where the portal's log-in may return to. Default: the portal's default port.</summary>
    public IReadOnlyList<Uri> PortalRedirects { get; init; } = [new("http://127.0.0.1:5100/signin")];

    /// <summary>Where the developer page's log-in returns to.</summary>
    public IReadOnlyList<Uri> ApiGatewayRedirects { get; init; } = [new("http://127.0.0.1:5108/signin")];

    /// <summary>How long a person's or service's access token holds. Default: 10 min.</summary>
    public TimeSpan AccessTokenLifetime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a device's or app's access token holds; a connection ends with it. Default: 1 h.</summary>
    public TimeSpan DeviceTokenLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long a log-in can be prolonged without using it. Default: 8 h.</summary>
    public TimeSpan RefreshTokenLifetime { get; init; } = TimeSpan.FromHours(8);

    /// <summary>How often the signing key is replaced. Default: 30 days.</summary>
    public TimeSpan SigningKeyLifetime { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Log-ins that one address may try in a minute. Default: 30.</summary>
    public int LoginsPerMinute { get; init; } = 30;

    /// <summary>Wrong passwords in a row after which an account rests for <see cref="LockoutTime"/>. Default: 5.</summary>
    public int MaxFailures { get; init; } = 5;

    /// <summary>Default: 5 min.</summary>
    public TimeSpan LockoutTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Requests for tokens and verifications that one address may make in a second. Default: 2,000, for a fleet behind one address.</summary>
    public int TokensPerSecond { get; init; } = 2_000;

    /// <summary>The most devices and apps, and of resources. Default: 200,000.</summary>
    public int MaxSubjects { get; init; } = 200_000;

    /// <summary>Told of every audit entry, beside the database; must not block. Default: nobody.</summary>
    public Action<AuditEntry>? Audit { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Default: nowhere.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;
}
