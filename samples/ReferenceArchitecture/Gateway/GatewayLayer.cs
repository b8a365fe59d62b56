using System.Net;

using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Gateway;

/// <summary>
/// A gateway at the edge: sensors by datagrams and lines on one side, the bus by MQTT on the other. It alerts and switches by itself, whether there is an uplink or not, keeps what it can't send
/// on its disk, and sends it in order of its time when the bus is back.
/// </summary>
public sealed class GatewayLayer : IAsyncDisposable
{
    private readonly Southbound _sensors;
    private readonly CepEngine _engine;
    private readonly TaskCompletionSource<IPEndPoint> _lines = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Func<long> _waiting;
    private long _alerts;

    private GatewayLayer(GatewayOptions options)
    {
        _sensors = new Southbound(options);
        _engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(5) });
        _engine.Mqtt(o =>
        {
            (o.Host, o.Port, o.ClientId) = (options.Bus.Host, options.Bus.Port, options.Id);
            (o.UserName, o.Password) = (options.Id, options.Secret);
            o.AllowPlainTextPassword = options.Bus.IsLoopback;
            o.Tls = options.Bus.Scheme == "mqtts" ? new MqttTlsOptions() : null;
        });

        var datagrams = _engine.From(Source.FromTransport(_sensors, new FrameDecoder(options))).WithEventTime(GatewayQueries.TimeOf, options.MaxDisorder, options.IdleAfter);
        var lines = _engine.From(Tcp.Lines(options.Lines.Port, new FrameDecoder(options), new TcpListenOptions { Address = options.Lines.Address, Listening = _lines.SetResult }))
            .WithEventTime(GatewayQueries.TimeOf, options.MaxDisorder, options.IdleAfter);
        var uplink = Mqtt.PublishMessages().StoreAndForward(
            Path.Combine(options.DataFolder, "uplink"), new StoreAndForwardOptions { MaxBytes = options.MaxWaitingBytes, WhenFull = WhenLogFull.DropOldest });
        _waiting = () => uplink.Statistics.Waiting;
        GatewayQueries.Declare(datagrams.Union(lines), options, uplink, _sensors.Send, _ => Interlocked.Increment(ref _alerts));

        string[] forSensors = [.. options.Devices.SelectMany(d => Topics.ToDevices.Select(t => Topics.Of(t, d)))];
        if (forSensors.Length > 0)
        {
            _engine.From(Mqtt.Subscribe(forSensors, Message.Decode())).Subscribe(_sensors.Send);
        }
    }

    /// <summary>Where sensors send datagrams.</summary>
    public int DatagramPort => _sensors.Port;

    /// <summary>Where field devices send lines.</summary>
    public int LinePort { get; private set; }

    /// <summary>Alerts that the gateway raised by itself.</summary>
    public long Alerts => Interlocked.Read(ref _alerts);

    /// <summary>Messages that wait for the uplink.</summary>
    public long Waiting => _waiting();

    /// <summary>Why a query of the gateway does not run any more; empty while all do.</summary>
    public IReadOnlyList<string> Problems => [.. _engine.Queries.Where(q => q.Error is not null).Select(q => $"{q.Name}: {q.Error!.Message}")];

    /// <summary>Opens both sides; does not wait for the bus.</summary>
    /// <param name="options">Who, where and what.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task<GatewayLayer> StartAsync(GatewayOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Directory.CreateDirectory(options.DataFolder);
        var gateway = new GatewayLayer(options);
        try
        {
            await gateway._engine.StartAsync(stop);
            gateway.LinePort = (await gateway._lines.Task.WaitAsync(stop)).Port;
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes no more; what waits for the uplink is on the disk.</summary>
    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _sensors.Dispose();
    }
}
