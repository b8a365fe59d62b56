using System.Reactive.Subjects;
using System.Text.Json;

using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Analytics.Alerts;
using IoT.Reference.Analytics.Batch;
using IoT.Reference.Analytics.Commands;
using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Analytics.Queries;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Analytics.Web;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics;

/// <summary>
/// Event processing: what the bus brings goes through the rules, into the history and out as alerts and, past the interlock, as commands. Everything else here answers questions about it by HTTP.
/// </summary>
public sealed class AnalyticsLayer : IAsyncDisposable
{
    internal const string InterlockDocument = "interlock";

    private readonly AnalyticsOptions _options;
    private readonly CancellationTokenSource _ending = new();
    private readonly List<Task> _loops = [];
    private readonly Subject<AuditEntry> _audits = new();
    private readonly ISubject<AuditEntry> _audit;
    private readonly ReadingDecoder _decoder = new();
    private readonly HttpClient? _hookClient;
    private HttpClient? _manager;
    private AnalyticsEndpoints? _endpoints;

    private AnalyticsLayer(AnalyticsOptions options)
    {
        _options = options;
        _audit = System.Reactive.Subjects.Subject.Synchronize(_audits);
        Directory.CreateDirectory(options.DataFolder);
        Store = new Store(Path.Combine(options.DataFolder, "analytics.db"));
        History = new History(Store, options.TimeProvider.GetUtcNow());
        Alerts = new AlertBook(Store, options.TimeProvider, options.EscalateAfter) { Ignores = signal => History.IsGone(signal.Device) };
        Thresholds = new Thresholds(Keep, KeptThresholds());
        Interlock = new Interlock(KeptInterlock() ?? Interlock.Default, options.TimeProvider);
        Batch = new BatchJobs(Store, options.TimeProvider);
        Usage = new UsageQueries(Store);
        _hookClient = options.WebHook is null ? null : new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => _endpoints!.Address;

    /// <summary>From the arrival of a message to the alert or command that it led to: the latest 8,192.</summary>
    public ActionLatency Latency => Latencies.Now;

    /// <summary>Whether it hears the bus now.</summary>
    public bool IsConnected => Engine.Sources.Where(s => s.Name.StartsWith("mqtt", StringComparison.Ordinal)).All(s => s.IsConnected);

    /// <summary>Readings that were taken since the start.</summary>
    public long Readings => _decoder.Sequence;

    /// <summary>Alerts that are open.</summary>
    public int OpenAlerts => Alerts.OpenCount;

    /// <summary>Commands that rules sent.</summary>
    public long CommandsSent => Commands.Sent;

    internal Store Store { get; }

    internal History History { get; }

    internal AlertBook Alerts { get; }

    internal Thresholds Thresholds { get; }

    internal Interlock Interlock { get; }

    internal BatchJobs Batch { get; }

    internal UsageQueries Usage { get; }

    internal LiveHub Live { get; } = new();

    internal LatencyOfActions Latencies { get; } = new();

    internal CommandSender Commands { get; private set; } = null!;

    internal DeviceDirectory Devices { get; private set; } = null!;

    internal DeployedQueries Deployed { get; private set; } = null!;

    internal CepEngine Engine { get; private set; } = null!;

    internal AccessPoint Access { get; private set; } = null!;

    /// <summary>Opens the store, connects to the bus, and listens.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task<AnalyticsLayer> StartAsync(AnalyticsOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var layer = new AnalyticsLayer(options);
        try
        {
            await layer.OpenAsync(stop);
            return layer;
        }
        catch
        {
            await layer.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes no more, stores what it has, and closes. Windows that are open are counted from the stored readings when it starts again.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_endpoints is not null)
        {
            await _endpoints.DisposeAsync();
        }

        if (Engine is not null)
        {
            await Engine.DisposeAsync();
        }

        await _ending.CancelAsync();
        await Task.WhenAll(_loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Batch.DisposeAsync();
        _manager?.Dispose();
        _hookClient?.Dispose();
        if (Access is not null)
        {
            await Access.DisposeAsync();
        }

        _audits.Dispose();
        _decoder.Dispose();
        Store.Dispose();
        _ending.Dispose();
    }

    /// <summary>Deletes all that is about these devices.</summary>
    internal void Erase(IReadOnlyList<string> devices)
    {
        History.Erase(devices, _decoder.Sequence);
        Alerts.Forget(devices);
        Live.Forget(devices);
    }

    internal void KeepInterlock(InterlockSettings settings)
    {
        Interlock.Settings = settings;
        Store.Write(c => c.Run(
            "INSERT OR REPLACE INTO documents VALUES (@kind, @kind, @body)", ("@kind", InterlockDocument), ("@body", JsonSerializer.Serialize(settings, WireJson.Default.InterlockSettings))));
    }

    internal void Audit(AuditEntry entry) => _audit.OnNext(entry);

    private async Task OpenAsync(CancellationToken stop)
    {
        var log = _options.Logging.CreateLogger("IoT.Reference.Analytics");
        History.Repair(TimeSpan.FromHours(3));
        Access = await AccessPoint.StartAsync(
            new AccessOptions
            {
                Identity = _options.Identity,
                Issuer = _options.Issuer,
                Service = _options.Service,
                Handler = _options.Handler,
                TimeProvider = _options.TimeProvider,
                Logger = log,
                Audit = entry => Audit(entry with { Layer = Interlock.Layer }),
            },
            stop);
        _manager = _options.DeviceManager is null ? null : Access.CreateClient(_options.DeviceManager);
        Commands = new CommandSender(Interlock, _manager, Audit, _options.TimeProvider);
        Devices = new DeviceDirectory(_manager, _options.TimeProvider, log);

        Engine = new CepEngine(new CepEngineOptions
        {
            Shards = _options.Shards,
            TimeProvider = _options.TimeProvider,
            LoggerFactory = _options.Logging,
            ErrorPolicy = ErrorPolicy.Skip,
            DrainTimeout = TimeSpan.FromSeconds(10),
        });
        var http = Declare();
        await Engine.StartAsync(stop);
        Deployed.Restore();
        _endpoints = await AnalyticsEndpoints.StartAsync(this, _options, http, stop);
        await Engine.ConnectedAsync(stop);

        Batch.Resume();
        Alerts.Changed += Live.Tell;
        _loops.Add(Commands.RunAsync(_ending.Token));
        _loops.Add(Task.Run(() => new Retention(Store, _options.Retention, _options.TimeProvider).RunAsync(_ending.Token), CancellationToken.None));
        _loops.Add(Devices.RunAsync(_ending.Token));
        _loops.Add(TickAsync());
        if (_options.WebHook is not null)
        {
            var hook = new WebHook(_options.WebHook, _hookClient!, log);
            Alerts.Changed += hook.Tell;
            _loops.Add(hook.RunAsync(_ending.Token));
        }
    }

    private HttpServer Declare()
    {
        Engine.Mqtt(o =>
        {
            o.Host = _options.Bus.Host;
            o.Port = _options.Bus.Port;
            o.Tls = _options.Bus.Scheme == "mqtts" ? _options.BusTls ?? new MqttTlsOptions() : null;
            o.UserName = _options.Service.Id;
            o.Password = _options.Service.Secret;
            o.AllowPlainTextPassword = _options.Bus.IsLoopback;
            o.ClientId = _options.Service.Id;
        });
        var bus = BusStreams.Subscribe(Engine, _decoder, _options.Disorder);
        StorageQueries.Declare(bus, History, Store);
        bus.Readings.To(new StoreSink<Reading>("live", rows => Live.Tell(rows.Span), isDurable: false), "live");
        AlertSink Sink(string rule) => new(rule, Alerts, Commands.Want, Latencies, _options.TimeProvider);
        RuleSet.Declare(new RuleContext(bus, Thresholds, Devices, Sink));
        Deployed = new DeployedQueries(bus, Store, Sink);

        // What is told when the bus is away is told later, and of a flood the newest is not: who floods a layer with refusals must not stop it.
        Engine.From(Source.FromObservable(_audits, "audit"), o => o.Backpressure = BackpressureMode.DropNewest).WithArrivalTime()
            .To(Mqtt.Publish(_ => Topics.Of(Topics.Audit, Interlock.Layer), WireJson.Default.AuditEntry), "audit");

        var http = Engine.HttpServer();
        Usage.Declare(Engine, http);
        return http;
    }

    private async Task TickAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), _options.TimeProvider);
        while (await timer.WaitForNextTickAsync(_ending.Token))
        {
            Alerts.Tick();
        }
    }

    private void Keep(Threshold threshold) => Store.Write(c => c.Run(
        "INSERT OR REPLACE INTO thresholds VALUES (@rule, @name, @value)", ("@rule", threshold.Rule), ("@name", threshold.Name), ("@value", threshold.Value)));

    private Dictionary<(string Rule, string Name), double> KeptThresholds() =>
        Store.Read(c => c.Rows(row => (Rule: row.GetString(0), Name: row.GetString(1), Value: row.GetDouble(2)), "SELECT rule, name, value FROM thresholds")).ToDictionary(t => (t.Rule, t.Name), t => t.Value);

    private InterlockSettings? KeptInterlock() =>
        Store.Read(c => c.Rows(row => row.GetString(0), "SELECT body FROM documents WHERE kind = @kind", ("@kind", InterlockDocument))) is [var body]
            ? JsonSerializer.Deserialize(body, WireJson.Default.InterlockSettings)
            : null;
}
