using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.ApiGateway;

/// <summary>Where the gateway listens, what is behind it, and its limits.</summary>
public sealed record ApiGatewayOptions
{
    /// <summary>The folder with subscriptions, hashes of keys and counts of calls, and the catalogue where none is named. Made where it is not there.</summary>
    public required string DataFolder { get; init; }

    /// <summary>What the gateway proves itself with at <c>Identity</c>: its id and secret are also those of the log-in's client.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>The decision point.</summary>
    public Uri Identity { get; init; } = new LayerAddresses().Identity;

    /// <summary>What <c>Identity</c> calls itself in its tokens. Null, the default: its address.</summary>
    public Uri? Issuer { get; init; }

    /// <summary>Where usage events go.</summary>
    public Uri Analytics { get; init; } = new LayerAddresses().Analytics;

    /// <summary>The catalogue of APIs, read again when it changes. Null, the default: <c>apis.json</c> of the data folder, made where it is not there.</summary>
    public string? CatalogFile { get; init; }

    /// <summary>The instances behind the API of a catalogue that has to be made. Default: the portal's.</summary>
    public IReadOnlyList<Uri> Backends { get; init; } = [new LayerAddresses().Portal];

    /// <summary>How often the catalogue's file is looked at. Default: 2 s.</summary>
    public TimeSpan CatalogInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Where to listen. Default: this machine only.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 chooses one. Default: 5108.</summary>
    public int Port { get; init; } = 5108;

    /// <summary>To listen with TLS; needed beyond loopback. Null, the default: without.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>How often each instance is asked how it is. Default: 5 s.</summary>
    public TimeSpan HealthInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an instance that failed a call rests, unless a check finds it well. Default: 10 s.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Requests a second of an address that proves nothing; three times as many at once. Default: 20.</summary>
    public double StrangersPerSecond { get; init; } = 20;

    /// <summary>Addresses whose requests are told apart; those past it share one limit. Default: 100,000.</summary>
    public int MaxAddresses { get; init; } = 100_000;

    /// <summary>Default: 10,000.</summary>
    public int MaxSubscriptions { get; init; } = 10_000;

    /// <summary>Default: 20.</summary>
    public int MaxSubscriptionsPerPerson { get; init; } = 20;

    /// <summary>How long somebody stays signed in at the developer page. Default: 8 h.</summary>
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromHours(8);

    /// <summary>Usage events that may wait; one more is dropped and counted. Default: 50,000.</summary>
    public int MaxUsageWaiting { get; init; } = 50_000;

    /// <summary>How long usage events are gathered before they are sent. Default: 1 s.</summary>
    public TimeSpan UsageInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the counts of calls that developers see are kept. Default: 30 days.</summary>
    public TimeSpan UsageRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Makes what requests go through, where a development certificate has to be trusted. Null, the default: plain sockets without redirections.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Default: nowhere.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    internal HttpMessageHandler MakeHandler() =>
        Handler?.Invoke() ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(10) };
}
