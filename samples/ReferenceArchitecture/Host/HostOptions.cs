using System.Net;
using System.Net.Sockets;

using IoT.Reference.Contracts;

namespace IoT.Reference.Host;

/// <summary>How the whole is started.</summary>
internal sealed record HostOptions
{
    /// <summary>What all layers keep, each in a folder of its own.</summary>
    public string DataFolder { get; init; } = "reference-data";

    /// <summary>The first port; the layers have those behind it. 0: any that are free.</summary>
    public int Port { get; init; } = 5100;

    /// <summary>How many devices there are.</summary>
    public int Devices { get; init; } = 200;

    /// <summary>How often each sends.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The share of devices that have a fault at a time.</summary>
    public double FaultShare { get; init; } = 0.02;

    /// <summary>Another MQTT broker in place of the embedded one, as <c>host:port</c>.</summary>
    public string? Broker { get; init; }

    /// <summary>The options as a command line has them.</summary>
    public static IReadOnlyList<LayerOption> Known { get; } =
    [
        new("data", "FOLDER", "what all layers keep", "reference-data"),
        new("reset", "", "begin anew: delete that folder first"),
        new("port", "PORT", "the portal's port; the layers have those behind it; 0: any that are free", "5100"),
        new("devices", "N", "how many devices there are", "200"),
        new("interval", "SECONDS", "how often each sends", "5"),
        new("broker", "HOST:PORT", "another MQTT broker in place of the embedded one"),
    ];

    /// <summary>A command line's options.</summary>
    public static HostOptions From(LayerArguments given) => new()
    {
        DataFolder = given["data"]!,
        Port = given.Port("port"),
        Devices = given.Number("devices") is >= 0 and <= 100_000 and var devices ? devices : throw new FormatException("--devices must be 0 to 100000."),
        Interval = given.Number("interval") is >= 1 and <= 3600 and var seconds ? TimeSpan.FromSeconds(seconds) : throw new FormatException("--interval must be 1 to 3600."),
        Broker = given["broker"],
    };

    /// <summary>Where each layer listens: every one must know the others' addresses before it starts, so free ports are looked for here.</summary>
    public Ports ChoosePorts() => Port == 0
        ? new Ports(Free(SocketType.Stream), Free(SocketType.Stream), Free(SocketType.Stream), Free(SocketType.Stream), Free(SocketType.Stream), Free(SocketType.Stream),
            Free(SocketType.Stream), Free(SocketType.Stream), Free(SocketType.Dgram), 0, 0)
        : new Ports(Port, Port + 1, Port + 2, Port + 3, Port + 4, Port + 8, Port + 83, Port + 80, Port == 5100 ? 5683 : Port + 84, Port + 90, Port + 91);

    private static int Free(SocketType type)
    {
        using var probe = new Socket(type, type == SocketType.Dgram ? ProtocolType.Udp : ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}

/// <summary>Where each layer listens.</summary>
/// <param name="Second">The second instance of the portal, for the API gateway to balance.</param>
internal sealed record Ports(
    int Portal, int Identity, int DeviceManager, int Analytics, int Second, int ApiGateway, int Mqtt, int Http, int Coap, int Datagrams, int Lines)
{
    public LayerAddresses Addresses { get; } = new()
    {
        Portal = Local(Portal),
        Identity = Local(Identity),
        DeviceManager = Local(DeviceManager),
        Analytics = Local(Analytics),
        ApiGateway = Local(ApiGateway),
        BusHttp = Local(Http),
        BusMqtt = new Uri($"mqtt://127.0.0.1:{Mqtt}"),
        BusCoap = new Uri($"coap://127.0.0.1:{Coap}"),
    };

    public static Uri Local(int port) => new($"http://127.0.0.1:{port}");
}
