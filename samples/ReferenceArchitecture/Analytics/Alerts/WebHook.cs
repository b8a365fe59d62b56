using System.Threading.Channels;

using IoT.Reference.Contracts;


namespace IoT.Reference.Analytics.Alerts;

/// <summary>Tells another service of alerts, one POST for each change, in order. At most 1,000 wait; the oldest give way.</summary>
internal sealed partial class WebHook(Uri address, HttpClient client, ILogger logger)
{
    private const int Attempts = 3;

    private readonly Channel<AlertRecord> _waiting = Channel.CreateBounded<AlertRecord>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    public void Tell(AlertRecord alert) => _waiting.Writer.TryWrite(alert);

    public async Task RunAsync(CancellationToken stop)
    {
        await foreach (var alert in _waiting.Reader.ReadAllAsync(stop))
        {
            for (int i = 0; i < Attempts && !await TrySendAsync(alert, stop); i++)
            {
            }
        }
    }

    private async Task<bool> TrySendAsync(AlertRecord alert, CancellationToken stop)
    {
        try
        {
            using var response = await client.PostAsJsonAsync(address, alert, WireJson.Default.AlertRecord, stop);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !stop.IsCancellationRequested)
        {
            NotTold(logger, alert.Id, e.Message);
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The web hook was not told of alert {Alert}: {Reason}")]
    private static partial void NotTold(ILogger logger, string alert, string reason);
}
