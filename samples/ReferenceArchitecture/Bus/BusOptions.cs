using System.Net;
using System.Security.Cryptography.X509Certificates;

using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.Bus;

/// <summary>Where the bus listens and whom it asks.</summary>
public sealed record BusOptions
{
    /// <summary>The decision point, asked for every connect, publish and subscribe.</summary>
    public required Uri Identity { get; init; }

    /// <summary>What the bus proves itself with.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>Where sessions and retained messages are kept.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Anything beyond loopback needs <see cref="Certificate"/>.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>0: any that is free.</summary>
    public int MqttPort { get; init; } = 5183;

    /// <inheritdoc cref="MqttPort"/>
    public int HttpPort { get; init; } = 5180;

    /// <inheritdoc cref="MqttPort"/>
    public int CoapPort { get; init; } = 5683;

    /// <summary>
    /// Another broker in place of the embedded one, as <c>mqtt://host:port</c>: who may publish and subscribe there is that broker's to say, and it tells nobody who comes and goes.
    /// HTTP and CoAP stay behind the decision point.
    /// </summary>
    public Uri? Broker { get; init; }

    /// <summary>Encrypts MQTT, HTTP and CoAP (over TLS).</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Makes what requests to <see cref="Identity"/> go through, where a development certificate has to be trusted.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    /// <summary>How many MQTT connections there may be.</summary>
    public int MaxClients { get; init; } = 20_000;

    /// <summary>Where log entries go.</summary>
    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
