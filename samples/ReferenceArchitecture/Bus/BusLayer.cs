using System.Net;
using System.Net.Sockets;

using IoT.Cep;
using IoT.Reference.Access;

namespace IoT.Reference.Bus;

/// <summary>
/// The bus: an MQTT broker, with entrances for HTTP and CoAP that speak the same topics. Every connect, publish and subscribe is decided by the decision point, whatever the protocol.
/// It knows nothing of the layers above: who wants messages subscribes.
/// </summary>
public sealed class BusLayer : IAsyncDisposable
{
    private readonly BusOptions _options;
    private readonly AccessPoint _access;
    private MqttBroker? _broker;
    private PresenceBoard? _presence;
    private CepEngine? _engine;
    private BusEndpoints? _endpoints;

    private readonly BusAudit _audit;

    private BusLayer(BusOptions options, AccessPoint access, BusAudit audit) => (_options, _access, _audit) = (options, access, audit);

    /// <summary>MQTT, as <c>mqtt://host:port</c>; <c>mqtts</c> where it is encrypted.</summary>
    public Uri Mqtt { get; private set; } = null!;

    /// <summary>HTTP, and MQTT over WebSocket at <c>/mqtt</c>.</summary>
    public Uri Http { get; private set; } = null!;

    /// <summary>CoAP over UDP, or over TLS where it is encrypted.</summary>
    public Uri Coap { get; private set; } = null!;

    /// <summary>Messages that devices and layers have published so far; 0 with a broker of its own.</summary>
    public long Received => _broker?.Received ?? 0;

    /// <summary>MQTT connections now; 0 with a broker of its own.</summary>
    public int Clients => _broker?.Clients ?? 0;

    /// <summary>Opens all entrances; has subscribed to itself when it completes.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task<BusLayer> StartAsync(BusOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var audit = new BusAudit();
        var access = await AccessPoint.StartAsync(
            new AccessOptions
            {
                Identity = options.Identity,
                Service = options.Service,
                Handler = options.Handler,
                Audit = audit.Refused,
                Logger = options.Logging.CreateLogger("IoT.Reference.Bus"),
            },
            stop);
        var bus = new BusLayer(options, access, audit);
        try
        {
            await bus.OpenAsync(stop);
            return bus;
        }
        catch
        {
            await bus.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes no more, hands on what it has, and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_endpoints is not null)
        {
            await _endpoints.StopTakingAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }

        if (_endpoints is not null)
        {
            await _endpoints.DisposeAsync();
        }

        if (_presence is not null)
        {
            await _presence.DisposeAsync();
        }

        if (_broker is not null)
        {
            await _broker.DisposeAsync();
        }

        await _access.DisposeAsync();
        _audit.Dispose();
    }

    private async Task OpenAsync(CancellationToken stop)
    {
        Directory.CreateDirectory(_options.DataFolder);
        var security = _access.ForListeners(new PrincipalLimits { MaxConnections = 16 });
        if (_options.Broker is null)
        {
            _broker = await MqttBroker.StartAsync(new MqttBrokerOptions
            {
                Address = _options.Address,
                Port = _options.MqttPort,
                Certificate = _options.Certificate,
                Security = security,
                MaxClients = _options.MaxClients,
                ConnectionBacklog = 4_096,
                StoreFolder = Path.Combine(_options.DataFolder, "mqtt"),
            });
            _presence = new PresenceBoard(_broker);
        }

        Mqtt = _options.Broker ?? new Uri($"{(_options.Certificate is null ? "mqtt" : "mqtts")}://{Host}:{_broker!.Port}");
        int coapPort = _options.CoapPort != 0 ? _options.CoapPort : FreePort(_options.Certificate is null ? SocketType.Dgram : SocketType.Stream);
        Coap = new Uri($"{(_options.Certificate is null ? "coap" : "coaps+tcp")}://{Host}:{coapPort}");

        _engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(5) });
        var http = BusRoutes.Declare(_engine, _options, Mqtt, coapPort, security, _audit, out var desired);
        await _engine.StartAsync(stop);
        _endpoints = await BusEndpoints.StartAsync(_options, http, _broker, desired, security, stop);
        Http = _endpoints.Address;
        await _engine.ConnectedAsync(stop);
    }

    private string Host => _options.Address.Equals(IPAddress.Any) ? "127.0.0.1" : _options.Address.ToString();

    private static int FreePort(SocketType type)
    {
        using var probe = new Socket(type, type == SocketType.Dgram ? ProtocolType.Udp : ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
