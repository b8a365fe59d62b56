using System.Security.Claims;
using System.Security.Principal;

using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Reference.Analytics.Web;

/// <summary>The layer by HTTP. Each address says who may use it; one that says nothing is refused.</summary>
internal sealed class AnalyticsEndpoints : IAsyncDisposable
{
    private const int MaxBodyBytes = 4 << 20, MaxConnections = 1_000;

    private readonly WebApplication _app;

    private AnalyticsEndpoints(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public static async Task<AnalyticsEndpoints> StartAsync(AnalyticsLayer layer, AnalyticsOptions options, HttpServer usage, CancellationToken stop)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(options.Logging);
        builder.Services.AddAccess(layer.Access);
        builder.AddReferenceTelemetry("analytics").AddCheck("queries", () => Check(layer.Engine))
            .AddCheck("bus", () => layer.IsConnected ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not connected"));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Listen(options.Address, options.Port, listen =>
            {
                if (options.Certificate is not null)
                {
                    listen.UseHttps(options.Certificate);
                }
            });
        });
        var app = builder.Build();
        app.Use(BadRequests.AnswerAsync);
        app.UseRouting();
        app.MapReferenceTelemetry();
        app.UseAccess();
        app.Use(Believe);
        HistoryEndpoints.Map(app, layer);
        AlertEndpoints.Map(app, layer);
        QueryEndpoints.Map(app, layer);
        BatchEndpoints.Map(app, layer);
        ControlEndpoints.Map(app, layer);
        LiveEndpoint.Map(app, layer);

        // The gateway is the only one that tells of calls: its token has a scope that people and apps can't have.
        app.MapCep(usage).Requires(Scopes.Decide, Actions.Publish);
        await app.StartAsync(stop);
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new AnalyticsEndpoints(app) { Address = new Uri(address + "/") };
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
    }

    // The library's own endpoints believe the user that the application has proved.
    private static Task Believe(HttpContext context, RequestDelegate next)
    {
        if (context.FindSubject() is { } subject)
        {
            context.User = new ClaimsPrincipal(new GenericIdentity(subject.Id, "access"));
        }

        return next(context);
    }

    private static HealthCheckResult Check(CepEngine engine)
    {
        string[] failed = [.. engine.Queries.Where(q => q.State == QueryState.Failed).Select(q => q.Name)];
        return failed.Length == 0 ? HealthCheckResult.Healthy($"{engine.Queries.Count} queries") : HealthCheckResult.Unhealthy("failed: " + string.Join(", ", failed));
    }
}
