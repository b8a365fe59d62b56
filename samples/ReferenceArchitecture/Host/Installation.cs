using System.Diagnostics;
using System.Net;

using IoT.Reference.Analytics;
using IoT.Reference.ApiGateway;
using IoT.Reference.Bus;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager;
using IoT.Reference.Devices;
using IoT.Reference.Devices.Fleet;
using IoT.Reference.Gateway;
using IoT.Reference.Identity;
using IoT.Reference.Portal;

namespace IoT.Reference.Host;

/// <summary>All layers in one process, from the lowest up: each has what it needs when it starts, and they talk over their public ports as they would on machines of their own.</summary>
internal sealed class Installation : IAsyncDisposable
{
    // In the order they were started; they stop in the other one, devices first.
    private readonly List<IAsyncDisposable> _layers = [];

    private Installation(HostOptions options) => (Options, Ports) = (options, options.ChoosePorts());

    public HostOptions Options { get; }

    public Ports Ports { get; }

    public LayerAddresses Addresses => Ports.Addresses;

    public IdentityLayer Identity { get; private set; } = null!;

    public BusLayer Bus { get; private set; } = null!;

    public DeviceManagerLayer DeviceManager { get; private set; } = null!;

    public AnalyticsLayer Analytics { get; private set; } = null!;

    public GatewayLayer? Gateway { get; private set; }

    public DevicesLayer? Devices { get; private set; }

    /// <summary>How long it took until every layer was there.</summary>
    public TimeSpan StartUp { get; private set; }

    public static async Task<Installation> StartAsync(HostOptions options, Action<string> tell, CancellationToken stop)
    {
        long began = Stopwatch.GetTimestamp();
        Directory.CreateDirectory(options.DataFolder);
        var installation = new Installation(options);
        try
        {
            await installation.StartLayersAsync(tell, stop);
            await installation.StartDevicesAsync(tell, stop);
            installation.StartUp = Stopwatch.GetElapsedTime(began);
            return installation;
        }
        catch
        {
            await installation.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = _layers.Count - 1; i >= 0; i--)
        {
            await _layers[i].DisposeAsync();
        }

        _layers.Clear();
    }

    private string Folder(string layer) => Path.Combine(Options.DataFolder, layer);

    private ServiceCredential Service(string layer) => Identity.Services.Single(s => s.Id == layer);

    private T Started<T>(T layer)
        where T : IAsyncDisposable
    {
        _layers.Add(layer);
        return layer;
    }

    private async Task StartLayersAsync(Action<string> tell, CancellationToken stop)
    {
        Identity = Started(await IdentityLayer.StartAsync(
            new IdentityOptions
            {
                DataFolder = Folder("identity"),
                Port = Ports.Identity,
                PortalRedirects = [new Uri(Addresses.Portal, "/signin"), new Uri(Ports.Local(Ports.Second), "/signin")],
                ApiGatewayRedirects = [new Uri(Addresses.ApiGateway, "/signin")],
            },
            stop));
        tell("identity");
        Bus = Started(await BusLayer.StartAsync(
            new BusOptions
            {
                Identity = Addresses.Identity,
                Service = Service("bus"),
                DataFolder = Folder("bus"),
                MqttPort = Ports.Mqtt,
                HttpPort = Ports.Http,
                CoapPort = Ports.Coap,
                Broker = Options.Broker is { } broker ? new Uri("mqtt://" + broker) : null,
            },
            stop));
        tell("bus");
        DeviceManager = Started(await DeviceManagerLayer.StartAsync(
            new DeviceManagerOptions { Identity = Addresses.Identity, Service = Service("device-manager"), Bus = Bus.Mqtt, DataFolder = Folder("device-manager"), Port = Ports.DeviceManager }, stop));
        tell("device manager");
        Analytics = Started(await AnalyticsLayer.StartAsync(
            new AnalyticsOptions
            {
                Identity = Addresses.Identity,
                Service = Service("analytics"),
                Bus = Bus.Mqtt,
                DeviceManager = Addresses.DeviceManager,
                DataFolder = Folder("analytics"),
                Port = Ports.Analytics,
            },
            stop));
        tell("analytics");
        foreach (int port in (int[])[Ports.Portal, Ports.Second])
        {
            Started(await PortalLayer.StartAsync(
                new PortalOptions { DataFolder = Folder("portal"), Service = Service("portal"), Layers = Addresses, Port = port }, stop));
        }

        tell("portal");
        Started(await ApiGatewayLayer.StartAsync(
            new ApiGatewayOptions
            {
                DataFolder = Folder("api-gateway"),
                Service = Service("api-gateway"),
                Identity = Addresses.Identity,
                Analytics = Addresses.Analytics,
                Backends = [Addresses.Portal, Ports.Local(Ports.Second)],
                Port = Ports.ApiGateway,
            },
            stop));
        tell("API gateway");
    }

    private async Task StartDevicesAsync(Action<string> tell, CancellationToken stop)
    {
        List<SimulatedDevice> fleet = await FleetAsync(stop);
        SimulatedDevice gateway = fleet.Single(d => d.Id == FleetRegistration.Gateway);
        Gateway = Started(await GatewayLayer.StartAsync(
            new GatewayOptions
            {
                Id = gateway.Id,
                Secret = gateway.Secret!,
                Devices = [.. fleet.Where(d => d.Gateway == gateway.Id).Select(d => d.Id)],
                DataFolder = Folder("gateway"),
                Bus = Bus.Mqtt,
                Datagrams = new IPEndPoint(IPAddress.Loopback, Ports.Datagrams),
                Lines = new IPEndPoint(IPAddress.Loopback, Ports.Lines),
            },
            stop));
        tell("gateway");
        Devices = Started(await DevicesLayer.StartAsync(
            new DevicesOptions
            {
                Devices = [.. fleet.Where(d => d.Id != gateway.Id).Take(Options.Devices)],
                Addresses = Addresses with { BusMqtt = Bus.Mqtt },
                Gateway = new IPEndPoint(IPAddress.Loopback, Gateway.DatagramPort),
                Interval = Options.Interval,
                FaultShare = Options.FaultShare,
                UpdateKey = DeviceManager.UpdateKey,

                // The version that the tour rolls out to see it fail: it does not start on every tenth device.
                Starts = (device, version) => !version.EndsWith("-broken", StringComparison.Ordinal),
            },
            stop));
        tell("devices");
    }

    // On a new data folder the operator's first password is known here, once; later the fleet is in its file.
    private async Task<List<SimulatedDevice>> FleetAsync(CancellationToken stop)
    {
        string file = Path.Combine(Options.DataFolder, "fleet.json");
        if (!Identity.FirstPasswords.TryGetValue("olga", out string? password))
        {
            return File.Exists(file)
                ? System.Text.Json.JsonSerializer.Deserialize(await File.ReadAllBytesAsync(file, stop), FleetJson.Default.ListSimulatedDevice)!
                : throw new InvalidOperationException($"{file} is missing, and the operator's password is no longer known: begin anew with --reset.");
        }

        using Person olga = await Person.LogInAsync(Identity.Address, "olga", password, stop);
        return await FleetRegistration.RegisterAsync(olga, Addresses.DeviceManager, Options.Devices, file, stop);
    }
}
