using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Commands;
using IoT.Reference.DeviceManager.Jobs;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.Registry;
using IoT.Reference.DeviceManager.Software;
using IoT.Reference.DeviceManager.Storage;
using IoT.Reference.DeviceManager.Web;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager;

/// <summary>
/// The device manager: which devices there are and whose they are, what they shall do and be like, one by one and ten thousand at once. It talks to devices by MQTT over the bus, to <c>Identity</c>
/// and to those who ask by HTTP.
/// </summary>
public sealed partial class DeviceManagerLayer : IAsyncDisposable
{
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(100), _sweep = TimeSpan.FromSeconds(1), _prune = TimeSpan.FromHours(1);

    private readonly DeviceManagerOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly PeriodicTimer _timer;
    private readonly Database _database;
    private readonly BusLink _bus;
    private readonly AuditLog _audit;
    private readonly PackageStore _packages;
    private readonly CommandDesk _desk;
    private readonly Twins _twins;
    private readonly Presences _presences;
    private readonly JobStore _jobs;
    private readonly JobRunner _runner;
    private readonly Rollouts _rollouts;
    private AccessPoint? _access;
    private IdentityLink? _identity;
    private Outbox? _outbox;
    private ManagerServer? _server;
    private Task _ticking = Task.CompletedTask;

    private DeviceManagerLayer(DeviceManagerOptions options)
    {
        _options = options;
        _logger = options.Logging.CreateLogger("IoT.Reference.DeviceManager");
        _timer = new PeriodicTimer(_tick, options.TimeProvider);
        _database = new Database(Path.Combine(options.DataFolder, "devices.db"));
        _bus = new BusLink(options);
        _audit = new AuditLog(_database, options.TimeProvider, e => _bus.TrySend(Topics.Of(Topics.Audit, AuditLog.Layer), e, WireJson.Default.AuditEntry));
        _packages = new PackageStore(_database, _audit, options);
        _desk = new CommandDesk(_database, _bus, _audit, options);
        _twins = new Twins(_database, _bus, _audit, options);
        _presences = new Presences(_database, options.TimeProvider);
        _jobs = new JobStore(_database, _audit, options);
        _runner = new JobRunner(_database, _jobs, _desk, options.TimeProvider);
        _rollouts = new Rollouts(_database, _packages, _jobs, _audit, options, () => options.Downloads ?? Address);
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>The public key (PEM) that devices are made with, to know which software they may install.</summary>
    public string UpdateKey => _packages.PublicKey;

    /// <summary>Opens the store and goes on where it was; does not wait for the bus or for <c>Identity</c>.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task<DeviceManagerLayer> StartAsync(DeviceManagerOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        CreateFolder(options.DataFolder);
        var layer = new DeviceManagerLayer(options);
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

    /// <summary>Takes no more requests, and closes; what is not done yet is in the store.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await _stop.CancelAsync();
        await _ticking;
        _timer.Dispose();
        await _bus.DisposeAsync();
        if (_outbox is not null)
        {
            await _outbox.DisposeAsync();
        }

        _identity?.Dispose();
        if (_access is not null)
        {
            await _access.DisposeAsync();
        }

        _presences.Flush();
        _packages.Dispose();
        _database.Dispose();
        _stop.Dispose();
    }

    // Commands, locations and secrets of devices on their way: for this user only.
    private static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private async Task OpenAsync(CancellationToken stop)
    {
        _access = await AccessPoint.StartAsync(
            new AccessOptions { Identity = _options.Identity, Service = _options.Service, Handler = _options.Handler, Audit = _audit.Refused, Logger = _logger }, stop);
        _identity = new IdentityLink(_access.CreateClient(_options.Identity));
        _outbox = new Outbox(_database, _identity, _audit, _options.TimeProvider);
        var registry = new DeviceRegistry(_database, _identity, _outbox, _audit, _options);
        var actions = new DeviceActions(_database, registry, _desk, _identity, _audit);
        var people = new People(_database, registry, _twins, _jobs, _audit);
        await _bus.StartAsync(_desk.OnAck, OnReported, OnPresence, OnHeard, stop);
        _outbox.Start();
        _desk.Sweep(isStart: true);
        _twins.SayAll();
        _server = await ManagerServer.StartAsync(
            _options, _access,
            app =>
            {
                new DeviceEndpoints(registry, _twins, actions, _desk, _access, people).Map(app);
                new FleetEndpoints(_jobs, _packages, _rollouts, _audit).Map(app);
            },
            stop);
        Address = _server.Address;
        _ticking = TickAsync();
    }

    private void OnReported(string device, ReportedState reported)
    {
        _twins.OnReported(device, reported);
        _desk.OnSeen(device, isNew: false);
    }

    private void OnPresence(Presence presence)
    {
        _presences.OnPresence(presence);
        if (presence.Online)
        {
            _desk.OnSeen(presence.Device, isNew: true);
        }
    }

    private void OnHeard(string device)
    {
        _presences.OnHeard(device);
        _desk.OnHeard(device);
    }

    private async Task TickAsync()
    {
        long swept = _options.TimeProvider.GetTimestamp(), pruned = swept;
        try
        {
            while (await _timer.WaitForNextTickAsync(_stop.Token))
            {
                Try(_runner.Tick);
                Try(_rollouts.Tick);
                if (_options.TimeProvider.GetElapsedTime(swept) >= _sweep)
                {
                    swept = _options.TimeProvider.GetTimestamp();
                    Try(() => _desk.Sweep());
                    Try(_presences.Flush);
                }

                if (_options.TimeProvider.GetElapsedTime(pruned) >= _prune)
                {
                    pruned = _options.TimeProvider.GetTimestamp();
                    Try(_desk.Prune);
                    Try(_jobs.Prune);
                    Try(_audit.Prune);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It was stopped.
        }
    }

    // A disk that is full now may not be so at the next tick, and a job that can't go on must not hold up the others for good.
    private void Try(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is SqliteException or Refusal or IOException)
        {
            LogFailed(_logger, e);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "A step failed; it is tried again")]
    private static partial void LogFailed(ILogger logger, Exception error);
}
