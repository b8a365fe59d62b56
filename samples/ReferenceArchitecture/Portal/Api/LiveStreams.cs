using System.Buffers;
using System.Collections.Concurrent;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>
/// Live events on their way through: as much is read from analytics as the reader takes, so that a slow one costs a buffer and no memory; one that takes nothing for a while is let go. Ends at once
/// when the subject's tokens are revoked.
/// </summary>
internal sealed class LiveStreams(Layers layers, PortalOptions options, AccessPoint access, IHostApplicationLifetime life)
{
    private const int MaxDevices = 50, MaxStreams = 5_000;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.Ordinal);
    private int _all;

    internal IResult Open(HttpContext context, string? devices)
    {
        string[] ids = (devices ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (ids.Length > MaxDevices || ids.Any(static d => !DeviceIds.IsValid(d)))
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", $"devices: at most {MaxDevices} ids of devices, separated by commas.");
        }

        return new Stream(this, string.Join(',', ids));
    }

    private async Task RunAsync(HttpContext context, string devices)
    {
        string subject = context.GetSubject().Id;
        if (!Enter(subject))
        {
            context.Response.Headers.RetryAfter = "10";
            await Problems.WriteAsync(context, StatusCodes.Status429TooManyRequests, "Too many streams", $"At most {options.StreamsPerSubject} at once: close others.");
            return;
        }

        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
            using var changes = access.Changes.Subscribe(new EndOnRevocation(subject, stop));
            await PassOnAsync(context, devices, stop.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException && context.Response.HasStarted)
        {
            // Whoever ended it: the reader connects again, and is asked again who it is.
        }
        finally
        {
            Leave(subject);
        }
    }

    private async Task PassOnAsync(HttpContext context, string devices, CancellationToken stop)
    {
        using var response = await layers.Analytics.SendAsync(context, HttpMethod.Get, "v1/live".With(("devices", devices)), null, stop);
        if (!response.IsSuccessStatusCode)
        {
            int status = (int)response.StatusCode;
            await Problems.WriteAsync(context, status < 500 ? status : StatusCodes.Status502BadGateway, "No live events", $"Analytics answered with {status}.");
            return;
        }

        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        await context.Response.WriteAsync("retry: 2000\n\n", stop);
        await context.Response.Body.FlushAsync(stop);
        await using var stream = await response.Content.ReadAsStreamAsync(stop);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(8_192);
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer, stop)) > 0;)
            {
                using var patience = new CancellationTokenSource(_patience, options.TimeProvider);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), both.Token);
                await context.Response.Body.FlushAsync(both.Token);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private bool Enter(string subject)
    {
        int all = Interlocked.Increment(ref _all), own = _open.AddOrUpdate(subject, 1, static (_, n) => n + 1);
        if (all <= MaxStreams && own <= options.StreamsPerSubject)
        {
            return true;
        }

        Leave(subject);
        return false;
    }

    private void Leave(string subject)
    {
        Interlocked.Decrement(ref _all);
        if (_open.AddOrUpdate(subject, 0, static (_, n) => n - 1) <= 0)
        {
            _open.TryRemove(new KeyValuePair<string, int>(subject, 0));
        }
    }

    private sealed class Stream(LiveStreams streams, string devices) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => streams.RunAsync(httpContext, devices);
    }

    private sealed class EndOnRevocation(string subject, CancellationTokenSource stop) : IObserver<Change>
    {
        public void OnNext(Change value)
        {
            if (value.Kind == ChangeKinds.Revoked && value.Id == subject)
            {
                try
                {
                    stop.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // It has just ended by itself.
                }
            }
        }

        public void OnError(Exception error)
        {
        }

        public void OnCompleted()
        {
        }
    }
}
