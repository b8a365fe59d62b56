using System.Buffers;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;
using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Subscriptions;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

namespace IoT.Reference.ApiGateway.Usage;

/// <summary>Calls of a subscription in an hour.</summary>
/// <param name="Errors">Those answered with 500 or more.</param>
/// <param name="Refused">Those answered with 429.</param>
/// <param name="Milliseconds">Of all of them together.</param>
internal sealed record HourOfCalls(string App, DateTimeOffset Hour, long Calls, long Errors, long Refused, double Milliseconds);

/// <summary>
/// Tells analytics of each call, in batches, and counts them for the developer page. A call never waits for it: the queue is bounded, what does not fit is dropped and counted. A batch that analytics
/// does not take is sent again until it does, or refuses it for good.
/// </summary>
internal sealed class UsageReporter : BackgroundService
{
    private const int MaxBatch = 500;

    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(30);
    private static readonly Counter<long> _dropped = ReferenceTelemetry.Meter.CreateCounter<long>("iot_reference_gateway_usage_dropped", "{event}", "Usage events that were lost.");

    private readonly ApiGatewayOptions _options;
    private readonly SubscriptionStore _store;
    private readonly HttpClient _analytics;
    private readonly ILogger<UsageReporter> _logger;
    private readonly Channel<UsageEvent> _waiting;
    private long _lost;

    public UsageReporter(ApiGatewayOptions options, SubscriptionStore store, AccessPoint access, ILogger<UsageReporter> logger)
    {
        (_options, _store, _logger) = (options, store, logger);
        _analytics = access.CreateClient(options.Analytics);
        _waiting = Channel.CreateBounded<UsageEvent>(new BoundedChannelOptions(options.MaxUsageWaiting) { SingleReader = true });
    }

    internal long Dropped => Interlocked.Read(ref _lost);

    /// <summary>Takes a call; never waits.</summary>
    internal void Tell(UsageEvent call)
    {
        if (!_waiting.Writer.TryWrite(call))
        {
            Drop(1);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _waiting.Writer.TryComplete();
        await base.StopAsync(cancellationToken);

        // Once more, without waiting for an analytics that is away.
        var rest = new List<UsageEvent>();
        while (_waiting.Reader.TryRead(out var call))
        {
            rest.Add(call);
        }

        foreach (var batch in rest.Chunk(MaxBatch))
        {
            Count(batch);
            if (await SendAsync(batch, cancellationToken) != Outcome.Taken)
            {
                Drop(batch.Length);
            }
        }
    }

    public override void Dispose()
    {
        _analytics.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _waiting.Reader.WaitToReadAsync(stoppingToken))
        {
            await Task.Delay(_options.UsageInterval, _options.TimeProvider, stoppingToken);
            var batch = new List<UsageEvent>(MaxBatch);
            while (_waiting.Reader.TryRead(out var call))
            {
                batch.Add(call);
                if (batch.Count == MaxBatch)
                {
                    await DeliverAsync(batch, stoppingToken);
                    batch.Clear();
                }
            }

            if (batch.Count > 0)
            {
                await DeliverAsync(batch, stoppingToken);
            }
        }
    }

    private async Task DeliverAsync(List<UsageEvent> batch, CancellationToken stop)
    {
        Count(batch);
        var pause = _options.UsageInterval;
        Outcome outcome;
        try
        {
            while ((outcome = await SendAsync(batch, stop)) == Outcome.Later)
            {
                await Task.Delay(pause, _options.TimeProvider, stop);
                pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway stops while analytics is away.
            Drop(batch.Count);
            throw;
        }

        if (outcome == Outcome.Never)
        {
            Drop(batch.Count);
        }
    }

    private async Task<Outcome> SendAsync(IReadOnlyList<UsageEvent> batch, CancellationToken stop)
    {
        try
        {
            using var content = new ByteArrayContent(Lines(batch));
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
            using var response = await _analytics.PostAsync(new Uri("v1/usage", UriKind.Relative), content, stop);
            if (response.IsSuccessStatusCode)
            {
                return Outcome.Taken;
            }

            UsageLog.NotTaken(_logger, (int)response.StatusCode);
            bool isForGood = response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity or HttpStatusCode.UnsupportedMediaType;
            return isForGood ? Outcome.Never : Outcome.Later;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            UsageLog.Away(_logger, e.Message);
            return Outcome.Later;
        }
    }

    private static byte[] Lines(IReadOnlyList<UsageEvent> batch)
    {
        var body = new ArrayBufferWriter<byte>(batch.Count * 192);
        using var json = new Utf8JsonWriter(body);
        foreach (var call in batch)
        {
            JsonSerializer.Serialize(json, call, WireJson.Default.UsageEvent);
            json.Flush();
            json.Reset();
            body.Write("\n"u8);
        }

        return body.WrittenSpan.ToArray();
    }

    private void Count(IReadOnlyList<UsageEvent> batch) => _store.Count(
        batch.Where(c => c.Client != "-")
            .GroupBy(c => (c.Client, Hour: new DateTimeOffset(c.Time.UtcDateTime.Date.AddHours(c.Time.UtcDateTime.Hour), TimeSpan.Zero)))
            .Select(g => new HourOfCalls(g.Key.Client, g.Key.Hour, g.Count(), g.Count(c => c.Status >= 500), g.Count(c => c.Status == 429), g.Sum(c => c.Milliseconds))),
        _options.TimeProvider.GetUtcNow() - _options.UsageRetention);

    private void Drop(int count)
    {
        Interlocked.Add(ref _lost, count);
        _dropped.Add(count);
    }

    private enum Outcome
    {
        Taken,
        Later,
        Never,
    }
}

internal static partial class UsageLog
{
    [LoggerMessage(1, LogLevel.Warning, "Analytics did not take usage events: status {Status}")]
    internal static partial void NotTaken(ILogger logger, int status);

    [LoggerMessage(2, LogLevel.Warning, "Analytics is away: {Reason}")]
    internal static partial void Away(ILogger logger, string reason);
}
