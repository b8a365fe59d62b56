using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>
/// Server-sent events: <c>reading</c> (the latest value of each measure, at most once a second), <c>alert</c> (each change), <c>counters</c> (once a second). Only of devices that the caller may
/// read; that is asked again and again, so what is shared no more ends.
/// </summary>
internal static class LiveEndpoint
{
    private const int SecondsBetweenChecks = 10;

    private static readonly TimeSpan _second = TimeSpan.FromSeconds(1);

    public static void Map(WebApplication app, AnalyticsLayer layer) =>
        app.MapGet("/v1/live", (HttpContext c) => StreamAsync(c, layer)).Requires(Scopes.ReadReadings, Actions.Read);

    private static async Task StreamAsync(HttpContext context, AnalyticsLayer layer)
    {
        string[] wanted = context.Devices(LiveHub.MaxDevices);
        IReadOnlyList<string> devices = wanted.Length > 0 ? wanted : layer.Live.Devices;
        bool[] permitted = await FilterAsync(context, layer, devices);
        if (wanted.Length > 0 && !permitted.Any(p => p))
        {
            await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Not allowed", "None of these devices may be read.");
            return;
        }

        if (layer.Live.Join([.. devices.Where((_, i) => permitted[i])]) is not { } viewer)
        {
            context.Response.Headers.RetryAfter = "10";
            await Problems.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "Too many", "Too many look on at the moment.");
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            await context.Response.WriteAsync("retry: 2000\n\n", context.RequestAborted);
            await ServeAsync(context, layer, viewer);
        }
        catch (OperationCanceledException)
        {
            // Gone, as everybody who looks on is at some time.
        }
        finally
        {
            layer.Live.Leave(viewer);
        }
    }

    private static async Task ServeAsync(HttpContext context, AnalyticsLayer layer, LiveViewer viewer)
    {
        var lifetime = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        using var timer = new PeriodicTimer(_second);
        Task<bool> alert = viewer.Alerts.WaitToReadAsync(stop.Token).AsTask(), tick = timer.WaitForNextTickAsync(stop.Token).AsTask();
        for (int seconds = 0; ;)
        {
            await context.Response.Body.FlushAsync(stop.Token);
            await Task.WhenAny(alert, tick);
            stop.Token.ThrowIfCancellationRequested();
            if (alert.IsCompleted)
            {
                while (viewer.Alerts.TryRead(out var one))
                {
                    await WriteAsync(context, "alert", one, WireJson.Default.AlertRecord);
                }

                alert = viewer.Alerts.WaitToReadAsync(stop.Token).AsTask();
            }

            if (tick.IsCompleted)
            {
                if (++seconds % SecondsBetweenChecks == 0)
                {
                    var devices = viewer.Devices;
                    viewer.Keep(devices, await FilterAsync(context, layer, devices));
                }

                foreach (var reading in viewer.Take())
                {
                    await WriteAsync(context, "reading", reading, WireJson.Default.StoredReading);
                }

                await WriteAsync(
                    context, "counters", new LiveCounters(layer.Readings, layer.OpenAlerts, layer.CommandsSent, layer.Latency.P99Milliseconds), WireJson.Default.LiveCounters);
                tick = timer.WaitForNextTickAsync(stop.Token).AsTask();
            }
        }
    }

    private static ValueTask<bool[]> FilterAsync(HttpContext context, AnalyticsLayer layer, IReadOnlyList<string> devices) =>
        layer.Access.FilterAsync(context.GetSubject(), Actions.Read, [.. devices.Select(Resources.Device)]);

    private static Task WriteAsync<T>(HttpContext context, string kind, T value, JsonTypeInfo<T> type) =>
        context.Response.WriteAsync($"event: {kind}\ndata: {JsonSerializer.Serialize(value, type)}\n\n", context.RequestAborted);
}
