using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;

using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Gateway;

/// <summary>A gateway between sensors that a test plays and a bus that it looks at.</summary>
internal sealed class Field : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Times of the past, so that nothing of a test hangs on the clock: time goes on by what is sent.
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly string _folder;
    private readonly MqttBroker _broker;
    private readonly CepEngine _bus;
    private readonly UdpClient _sensor = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly ChannelReader<Message> _arrived;
    private readonly List<Message> _kept = [];
    private long _number = 1_000_000;

    private Field(string folder, MqttBroker broker, CepEngine bus, ChannelReader<Message> arrived, Uplink uplink, GatewayLayer gateway) =>
        (_folder, _broker, _bus, _arrived, Uplink, Gateway) = (folder, broker, bus, arrived, uplink, gateway);

    public Uplink Uplink { get; }

    public GatewayLayer Gateway { get; }

    public static async Task<Field> StartAsync(params string[] devices)
    {
        string folder = Directory.CreateTempSubdirectory("gateway-").FullName;
        MqttBroker broker = await MqttBroker.StartAsync(new MqttBrokerOptions
        {
            Port = 0,
            Security = new ListenerSecurity
            {
                Password = (user, secret) => new(user == "gateway-1" && secret == "secret" ? new Identity(user, AuthenticationMethod.Password, [user, .. devices]) : null),
            },
        });
        var bus = new CepEngine();
        var arrived = Channel.CreateUnbounded<Message>();
        bus.From(broker.Subscribe("{*topic}", Message.Decode())).Subscribe(m => arrived.Writer.TryWrite(m));
        await bus.StartAsync();
        var uplink = new Uplink(broker.Port);
        GatewayLayer gateway = await GatewayLayer.StartAsync(new GatewayOptions
        {
            Id = "gateway-1",
            Secret = "secret",
            Devices = devices,
            Addresses = new Dictionary<string, string> { ["0x4f21"] = "s-1", ["0x00124b0001abcdef"] = "s-2" },
            Bus = new Uri($"mqtt://127.0.0.1:{uplink.Port}"),
            Datagrams = new IPEndPoint(IPAddress.Loopback, 0),
            Lines = new IPEndPoint(IPAddress.Loopback, 0),
            DataFolder = folder,
            MaxDisorder = TimeSpan.FromSeconds(2),
            IdleAfter = TimeSpan.FromSeconds(1),
            Band = 0,
        });
        return new Field(folder, broker, bus, arrived.Reader, uplink, gateway);
    }

    /// <summary>A reading by datagram.</summary>
    public Task SendAsync(string device, double seconds, double celsius, long? number = null) => SendFrameAsync(Frame(device, seconds, celsius, number));

    public Task SendFrameAsync(string frame) => _sensor.SendAsync(Encoding.UTF8.GetBytes(frame), new IPEndPoint(IPAddress.Loopback, Gateway.DatagramPort)).AsTask();

    public async Task SendLinesAsync(params string[] frames)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Gateway.LinePort);
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(string.Join('\n', frames) + "\n"));
    }

    public string Frame(string device, double seconds, double celsius, long? number = null) => string.Create(
        CultureInfo.InvariantCulture,
        $$$"""{"d":"{{{device}}}","q":{{{number ?? ++_number}}},"k":"t","b":{"time":{{{Start.AddSeconds(seconds).ToUnixTimeMilliseconds() / 1000.0}}},"temperature":{{{celsius}}}}}""");

    /// <summary>The next message of a topic at the bus; those of others are kept for those who ask for them.</summary>
    public async Task<Message> ArrivedAsync(string topic)
    {
        using var patience = new CancellationTokenSource(Patience);
        int known;
        while ((known = _kept.FindIndex(m => m.Topic == topic)) < 0)
        {
            _kept.Add(await _arrived.ReadAsync(patience.Token));
        }

        Message message = _kept[known];
        _kept.RemoveAt(known);
        return message;
    }

    /// <summary>The temperatures of a device that arrived, up to the one that says that it is the last.</summary>
    public async Task<List<double>> TemperaturesUntilAsync(string device, double last)
    {
        var temperatures = new List<double>();
        while (temperatures.LastOrDefault() != last)
        {
            using var body = JsonDocument.Parse((await ArrivedAsync(Topics.Of(Topics.Telemetry, device))).Body);
            temperatures.Add(body.RootElement.GetProperty("temperature").GetDouble());
        }

        return temperatures;
    }

    public Task CommandAsync(DeviceCommand command) =>
        _broker.PublishAsync(Topics.Of(Topics.Commands, command.Device), JsonSerializer.SerializeToUtf8Bytes(command, WireJson.Default.DeviceCommand), MqttQualityOfService.AtLeastOnce);

    /// <summary>The next frame that came down to the sensors.</summary>
    public async Task<(string Device, string Kind, JsonElement Body)> DownAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        UdpReceiveResult datagram = await _sensor.ReceiveAsync(patience.Token);
        JsonElement frame = JsonSerializer.Deserialize<JsonElement>(datagram.Buffer);
        return (frame.GetProperty("d").GetString()!, frame.GetProperty("k").GetString()!, frame.GetProperty("b"));
    }

    /// <summary>Waits until something is so.</summary>
    public static async Task UntilAsync(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!isSo())
        {
            await looks.WaitForNextTickAsync(patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Uplink.DisposeAsync();
        await _bus.DisposeAsync();
        await _broker.DisposeAsync();
        _sensor.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
