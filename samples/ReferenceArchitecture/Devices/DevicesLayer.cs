using IoT.Reference.Devices.Agent;
using IoT.Reference.Devices.Fleet;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Devices;

/// <summary>A fleet of simulated devices, each over its own protocol to the bus, with labelled faults.</summary>
public sealed class DevicesLayer : IAsyncDisposable
{
    private readonly DevicesOptions _options;
    private readonly FaultPlan _faults;
    private readonly HttpClient _http;
    private readonly HttpClient _downloads;
    private readonly HttpClient _identity;
    private readonly List<FleetDevice> _devices = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _beating = Task.CompletedTask;
    private long _sent;
    private long _failed;

    private DevicesLayer(DevicesOptions options)
    {
        _options = options;
        _faults = new FaultPlan(options.Seed, options.FaultShare, options.TimeProvider.GetUtcNow());
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(10) }, disposeHandler: true)
        {
            BaseAddress = options.Addresses.BusHttp,
            Timeout = TimeSpan.FromSeconds(90),
        };
        _downloads = new HttpClient { Timeout = TimeSpan.FromMinutes(5) };
        _identity = new HttpClient { BaseAddress = options.Addresses.Identity, Timeout = TimeSpan.FromSeconds(10) };
    }

    /// <summary>Messages sent.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Readings that found no way; a device that has commands tries others again, a reading is lost as a real one would be.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>How many devices are there.</summary>
    public int Count => _devices.Count;

    /// <summary>A device's agent; null where it has none.</summary>
    /// <param name="id">The device's id.</param>
    public DeviceAgent? AgentOf(string id) => _devices.Find(d => d.Device.Id == id)?.Agent;

    /// <summary>The truth about the faults so far.</summary>
    public IEnumerable<FaultLabel> Labels() =>
        _devices.SelectMany((d, i) => _faults.Labels(d.Device.Id, i, _options.TimeProvider.GetUtcNow()));

    /// <summary>Connects the whole fleet and lets it send.</summary>
    /// <param name="options">Which, and where.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task<DevicesLayer> StartAsync(DevicesOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var layer = new DevicesLayer(options);
        try
        {
            for (int i = 0; i < options.Devices.Count; i++)
            {
                if (layer.Make(options.Devices[i], i) is { } device)
                {
                    layer._devices.Add(device);
                }
            }

            // Some at a time: a broker takes thousands of connections, but not in one instant.
            await Parallel.ForEachAsync(
                layer._devices, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = stop }, async (device, token) => await device.OpenAsync(token));
            layer._beating = layer.BeatAsync();
            return layer;
        }
        catch
        {
            await layer.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets every device leave.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _beating;
        await Parallel.ForEachAsync(_devices, new ParallelOptions { MaxDegreeOfParallelism = 64 }, static (device, _) => device.DisposeAsync());
        _http.Dispose();
        _downloads.Dispose();
        _identity.Dispose();
        _stop.Dispose();
    }

    private FleetDevice? Make(SimulatedDevice device, int index)
    {
        var random = new Random(HashCode.Combine(_options.Seed, index));
        TimeProvider clock = _options.TimeProvider;
        string secret = device.Secret ?? "";
        IDeviceLink? link = device.Kind switch
        {
            DeviceKind.Arduino => new MqttLink(device.Id, secret, _options.Addresses.BusMqtt, isSmall: true, random, clock),
            DeviceKind.Pi => new MqttLink(device.Id, secret, _options.Addresses.BusMqtt, isSmall: false, random, clock),
            DeviceKind.Controller => new HttpLink(device.Id, secret, _http, asks: false, random, clock),
            DeviceKind.Legacy => new HttpLink(device.Id, secret, _http, asks: true, random, clock),
            DeviceKind.Coap => new CoapLink(device.Id, _options.Addresses.BusCoap, new DeviceToken(device.Id, secret, _identity, clock)),
            DeviceKind.Sensor when _options.Gateway is { } gateway => new GatewayLink(device.Id, gateway),
            _ => null,
        };
        if (link is null)
        {
            return null;
        }

        DeviceAgent? agent = device.Kind == DeviceKind.Controller ? null : new DeviceAgent(
            new AgentOptions
            {
                Device = device.Id,
                Type = device.Kind.ToString().ToLowerInvariant(),
                UpdateKey = _options.UpdateKey,
                Downloads = _downloads,
                Location = (48 + (index % 100 * 0.01), 11 + (index / 100 % 100 * 0.01)),
                Starts = version => _options.Starts(device.Id, version),
                TimeProvider = clock,
            },
            link);
        return new FleetDevice(device, index, link, agent);
    }

    // Each device has its own instant in the interval, so that the fleet sends evenly. One that is slow misses its next beat, and holds up nobody.
    private async Task BeatAsync()
    {
        using var room = new SemaphoreSlim(_options.MaxUnderWay);
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(100), _options.TimeProvider);
        bool[] under = new bool[_devices.Count];
        int next = 0;
        double due = 0;
        try
        {
            while (await ticks.WaitForNextTickAsync(_stop.Token))
            {
                due += _devices.Count * 0.1 / _options.Interval.TotalSeconds;
                for (; due >= 1; due--, next = (next + 1) % _devices.Count)
                {
                    await room.WaitAsync(_stop.Token);
                    _ = BeatAsync(next, under, room);
                }
            }
        }
        catch (OperationCanceledException)
        {
            for (int i = 0; i < _options.MaxUnderWay; i++)
            {
                await room.WaitAsync();
            }
        }
    }

    private async Task BeatAsync(int index, bool[] under, SemaphoreSlim room)
    {
        try
        {
            if (Interlocked.Exchange(ref under[index], true))
            {
                return;
            }

            Interlocked.Add(ref _sent, await _devices[index].BeatAsync(_options.Seed, _faults, _options.TimeProvider.GetUtcNow(), _stop.Token));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Interlocked.Increment(ref _failed);
        }
        finally
        {
            Volatile.Write(ref under[index], false);
            room.Release();
        }
    }
}
