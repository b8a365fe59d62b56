using System.Net;
using System.Security.Cryptography.X509Certificates;

using IoT.Cep;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.Analytics;

/// <summary>Where the analytics layer listens and what it talks to.</summary>
public sealed record AnalyticsOptions
{
    /// <summary>The decision point.</summary>
    public required Uri Identity { get; init; }

    /// <summary>What <see cref="Identity"/> calls itself in its tokens; null: its address.</summary>
    public Uri? Issuer { get; init; }

    /// <summary>What this layer proves itself with, at the bus as well.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>The bus: <c>mqtt://host:port</c> or <c>mqtts://host:port</c>.</summary>
    public required Uri Bus { get; init; }

    /// <summary>How the bus's certificate is checked where it is encrypted; null: as the system does.</summary>
    public MqttTlsOptions? BusTls { get; init; }

    /// <summary>Where commands go and devices are known. Null: no command is sent, and no sleep is known.</summary>
    public Uri? DeviceManager { get; init; }

    /// <summary>The folder for the database.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Where to listen. Default: loopback.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 lets the system choose.</summary>
    public int Port { get; init; }

    /// <summary>To listen with TLS.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>How much a device's readings may be out of order; what comes later still corrects. Default: 2 s.</summary>
    public TimeSpan Disorder { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>An alert that nobody acknowledges for so long is escalated. Default: 5 minutes.</summary>
    public TimeSpan EscalateAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Told of every change of an alert by POST. Default: nobody.</summary>
    public Uri? WebHook { get; init; }

    /// <summary>How long things are kept.</summary>
    public RetentionOptions Retention { get; init; } = new();

    /// <summary>How many threads the queries run on. Default: 1.</summary>
    public int Shards { get; init; } = 1;

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where the log goes.</summary>
    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Makes what requests to other layers go through, where a development certificate has to be trusted.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }
}
