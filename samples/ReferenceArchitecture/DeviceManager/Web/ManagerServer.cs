using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Storage;
using IoT.Reference.Observability;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace IoT.Reference.DeviceManager.Web;

/// <summary>The web server of the layer.</summary>
internal sealed class ManagerServer : IAsyncDisposable
{
    /// <summary>A batch of ten thousand devices is the largest thing that comes, but for packages.</summary>
    private const int MaxBodyBytes = 8 << 20;

    private readonly WebApplication _app;

    private ManagerServer(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First().Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal) + "/");

    public static async Task<ManagerServer> StartAsync(DeviceManagerOptions options, AccessPoint access, Action<WebApplication> map, CancellationToken stop)
    {
        if (options.Certificate is null && !System.Net.IPAddress.IsLoopback(options.Address))
        {
            throw new InvalidOperationException("Beyond loopback the device manager listens only with a certificate.");
        }

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = typeof(ManagerServer).Assembly.GetName().Name });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(options.Logging);
        builder.AddReferenceTelemetry(AuditLog.Layer);
        builder.Services.AddAccess(access);
        builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, WireJson.Default));
        builder.WebHost.ConfigureKestrel(k => Listen(k, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var app = builder.Build();
        app.Use(ExplainAsync);
        app.UseRouting();
        app.UseAccess();
        app.MapReferenceTelemetry();
        map(app);
        await app.StartAsync(stop);
        return new ManagerServer(app);
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5), TimeProvider.System);
        await _app.StopAsync(limit.Token);
        await _app.DisposeAsync();
    }

    private static void Listen(KestrelServerOptions kestrel, DeviceManagerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        kestrel.Limits.MaxConcurrentConnections = 10_000;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Listen(options.Address, options.Port, l =>
        {
            if (options.Certificate is { } certificate)
            {
                l.UseHttps(certificate);
            }
        });
    }

    private static async Task ExplainAsync(HttpContext context, RequestDelegate next)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            await next(context);
        }
        catch (Refusal e) when (!context.Response.HasStarted)
        {
            await Problems.WriteAsync(context, e.Status, e.Title, e.Message);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.WriteAsync(context, e.StatusCode, "Not valid", "The request can't be read.");
        }
    }
}
