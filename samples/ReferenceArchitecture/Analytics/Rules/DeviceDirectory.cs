
using IoT.Cep;
using IoT.Reference.Contracts;


namespace IoT.Reference.Analytics.Rules;

/// <summary>What the registry knows of devices, read again every minute: how long one may sleep, and where it belongs. Without a registry nothing is known, and the rules go by what holds for all.</summary>
internal sealed partial class DeviceDirectory(HttpClient? registry, TimeProvider clock, ILogger logger)
{
    private const int Page = 1_000, MaxDevices = 1_000_000;

    private static readonly TimeSpan _every = TimeSpan.FromMinutes(1);

    /// <summary>For <c>Enrich</c>.</summary>
    public Table<string, DeviceRecord> Rows { get; } = new();

    public DeviceRecord? Find(string device) => Rows.Find(device);

    public async Task RunAsync(CancellationToken stop)
    {
        while (registry is not null && !stop.IsCancellationRequested)
        {
            try
            {
                await ReadAsync(stop);
            }
            catch (Exception e) when (e is HttpRequestException or System.Text.Json.JsonException || (e is OperationCanceledException && !stop.IsCancellationRequested))
            {
                Away(logger, e.Message);   // What was known holds.
            }

            await Task.Delay(_every, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    internal async Task ReadAsync(CancellationToken stop)
    {
        var found = new Dictionary<string, DeviceRecord>();
        for (string? after = ""; after is not null && found.Count < MaxDevices;)
        {
            var page = await registry!.GetFromJsonAsync($"v1/devices?after={Uri.EscapeDataString(after)}&limit={Page}", WireJson.Default.ListDeviceRecord, stop) ?? [];
            foreach (var device in page)
            {
                found[device.Id] = device;
            }

            // A page that brings nothing new ends it, whatever the registry thinks of "after".
            after = page.Count == Page && page[^1].Id != after ? page[^1].Id : null;
        }

        Rows.Replace(found);
    }

    [LoggerMessage(1, LogLevel.Information, "The registry of devices did not answer: {Reason}")]
    private static partial void Away(ILogger logger, string reason);
}
