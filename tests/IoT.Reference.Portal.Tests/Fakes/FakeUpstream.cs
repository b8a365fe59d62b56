using System.Collections.Concurrent;
using System.Threading.Channels;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace IoT.Reference.Portal;

/// <summary>Identity, device manager and analytics in one small server: their interfaces as docs/reference-architecture.md has them, a dozen devices, curves in place of sensors.</summary>
internal sealed partial class FakeUpstream : IAsyncDisposable
{
    internal static readonly ServiceCredential Service = new("portal", "the-portal's-secret");

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<Channel<string>, bool> _changes = new();

    private FakeUpstream(WebApplication app) => _app = app;

    internal LayerAddresses Addresses { get; private set; } = null!;

    /// <summary>What came: method, path and query; and whose token.</summary>
    internal ConcurrentQueue<(string Request, string? Subject)> Requests { get; } = new();

    /// <summary>Answers of every layer are held back, or replaced, where a test says so.</summary>
    internal Func<HttpContext, Task<bool>>? Intercept { get; set; }

    internal static async Task<FakeUpstream> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, WireJson.Default));
        var app = builder.Build();
        var upstream = new FakeUpstream(app);
        app.Use(upstream.RecordAsync);
        upstream.MapIdentity(app.MapGroup("/identity"));
        upstream.MapManager(app.MapGroup("/manager"));
        upstream.MapAnalytics(app.MapGroup("/analytics"));
        await app.StartAsync();
        var at = new Uri(app.Urls.First());
        upstream.Addresses = new LayerAddresses { Identity = new Uri(at, "/identity/"), DeviceManager = new Uri(at, "/manager/"), Analytics = new Uri(at, "/analytics/") };
        return upstream;
    }

    internal int Count(string request) => Requests.Count(r => r.Request.StartsWith(request, StringComparison.Ordinal));

    /// <summary>Everything that listens for changes is told that a subject's tokens are void.</summary>
    internal void Revoke(string subject)
    {
        var now = TimeProvider.System.GetUtcNow().AddSeconds(1);
        _revoked[subject] = now;
        string change = System.Text.Json.JsonSerializer.Serialize(new Change(1, ChangeKinds.Revoked, subject, now), WireJson.Default.Change);
        foreach (var stream in _changes.Keys)
        {
            stream.Writer.TryWrite($"event: change\nid: 1\ndata: {change}\n\n");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _end.Dispose();
    }

    private async Task RecordAsync(HttpContext context, RequestDelegate next)
    {
        if (Requests.Count < 10_000)
        {
            Requests.Enqueue(($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}", SubjectOf(context)));
        }

        if (Intercept is { } intercept && await intercept(context))
        {
            return;
        }

        await next(context);
    }

    private static async Task StreamAsync(HttpContext context, Channel<string> lines, CancellationToken stop)
    {
        context.Response.ContentType = "text/event-stream";
        try
        {
            await foreach (string line in lines.Reader.ReadAllAsync(stop))
            {
                await context.Response.WriteAsync(line, stop);
                await context.Response.Body.FlushAsync(stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The reader has gone, or the test ends.
        }
    }
}
