using System.Collections.Concurrent;
using System.Threading.Channels;

using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>What is going on, for those who look on: each has the latest value of his devices and a short queue of alerts, and no more, however slow he is.</summary>
internal sealed class LiveHub
{
    internal const int MaxViewers = 200, MaxDevices = 1_000, MaxAlerts = 256;

    private readonly ConcurrentDictionary<LiveViewer, bool> _viewers = new();
    private readonly ConcurrentDictionary<string, bool> _devices = new();
    private long _readings;

    public long Readings => Volatile.Read(ref _readings);

    public int Viewers => _viewers.Count;

    /// <summary>Devices that sent something while this process runs: at most a thousand of them, to look at where nobody names any.</summary>
    public IReadOnlyList<string> Devices => [.. _devices.Keys.Order()];

    /// <returns>Null where too many look on.</returns>
    public LiveViewer? Join(IReadOnlyList<string> devices)
    {
        var viewer = new LiveViewer(devices);
        return _viewers.Count < MaxViewers && _viewers.TryAdd(viewer, true) ? viewer : null;
    }

    public void Leave(LiveViewer viewer) => _viewers.TryRemove(viewer, out _);

    public void Forget(IReadOnlyList<string> devices)
    {
        foreach (string device in devices)
        {
            _devices.TryRemove(device, out _);
        }
    }

    public void Tell(ReadOnlySpan<Reading> readings)
    {
        Volatile.Write(ref _readings, _readings + readings.Length);
        foreach (var reading in readings)
        {
            if (_devices.Count < MaxDevices)
            {
                _devices.TryAdd(reading.Device, true);
            }

            foreach (var (viewer, _) in _viewers)
            {
                viewer.Tell(in reading);
            }
        }
    }

    public void Tell(AlertRecord alert)
    {
        foreach (var (viewer, _) in _viewers)
        {
            viewer.Tell(alert);
        }
    }
}

/// <summary>Somebody who looks on.</summary>
internal sealed class LiveViewer(IReadOnlyList<string> devices)
{
    private const int MaxNames = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Dictionary<string, StoredReading>> _latest = devices.Distinct().Take(LiveHub.MaxDevices).ToDictionary(d => d, _ => new Dictionary<string, StoredReading>());
    private readonly Channel<AlertRecord> _alerts = Channel.CreateBounded<AlertRecord>(new BoundedChannelOptions(LiveHub.MaxAlerts) { FullMode = BoundedChannelFullMode.DropOldest });

    public ChannelReader<AlertRecord> Alerts => _alerts.Reader;

    public IReadOnlyList<string> Devices
    {
        get
        {
            lock (_gate)
            {
                return [.. _latest.Keys];
            }
        }
    }

    public void Tell(in Reading reading)
    {
        lock (_gate)
        {
            if (_latest.TryGetValue(reading.Device, out var names) && (names.Count < MaxNames || names.ContainsKey(reading.Name)))
            {
                names[reading.Name] = new StoredReading(reading.Device, reading.Name, reading.Time, reading.Value);
            }
        }
    }

    public void Tell(AlertRecord alert)
    {
        lock (_gate)
        {
            if (!_latest.ContainsKey(alert.Device))
            {
                return;
            }
        }

        _alerts.Writer.TryWrite(alert);
    }

    /// <summary>What came since the last time, the latest of each measure.</summary>
    public List<StoredReading> Take()
    {
        lock (_gate)
        {
            var taken = new List<StoredReading>();
            foreach (var names in _latest.Values)
            {
                taken.AddRange(names.Values);
                names.Clear();
            }

            return taken;
        }
    }

    /// <summary>Some devices may not be looked at any more.</summary>
    public void Keep(IReadOnlyList<string> devices, bool[] permitted)
    {
        lock (_gate)
        {
            for (int i = 0; i < devices.Count; i++)
            {
                if (!permitted[i])
                {
                    _latest.Remove(devices[i]);
                }
            }
        }
    }
}
