using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Catalog;
using IoT.Reference.ApiGateway.Limits;
using IoT.Reference.ApiGateway.Subscriptions;
using IoT.Reference.ApiGateway.Usage;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Health;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>How the parts of the gateway are put together.</summary>
internal static class GatewayServer
{
    private const int MaxBodyBytes = 1024 * 1024;

    internal static WebApplication Build(ApiGatewayOptions options, AccessPoint access)
    {
        Directory.CreateDirectory(options.DataFolder);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(options.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = typeof(GatewayServer).Assembly.GetName().Name });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(options.LoggerFactory);
        builder.AddReferenceTelemetry("api-gateway").AddCheck<InstancesCheck>("instances").AddCheck<CatalogCheck>("catalogue");
        builder.WebHost.ConfigureKestrel(k => Listen(k, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Services.AddSingleton(options).AddSingleton(access).AddSingleton(new TokenBuckets(options.MaxAddresses, options.TimeProvider));
        builder.Services.AddSingleton<SubscriptionStore>().AddSingleton<IdentityClient>().AddSingleton<SubscriptionBook>().AddSingleton<DeveloperSessions>().AddSingleton<DeveloperEndpoints>();
        builder.Services.AddSingleton(s => new Quotas(s.GetRequiredService<SubscriptionStore>(), options.TimeProvider));
        builder.Services.AddSingleton<UsageReporter>().AddHostedService(s => s.GetRequiredService<UsageReporter>());
        builder.Services.AddSingleton<CatalogFile>().AddSingleton<Gate>();
        builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, GatewayJson.Default));
        builder.Services.AddReverseProxy().LoadFromMemory([], []);
        if (options.Handler is not null)
        {
            builder.Services.AddSingleton<IForwarderHttpClientFactory, GivenHandlers>();
        }

        // One call that could not be made is enough to let an instance rest: with two instances, waiting for ten failures is ten people who see one.
        builder.Services.Configure<TransportFailureRateHealthPolicyOptions>(o =>
        {
            (o.MinimalTotalCountThreshold, o.DefaultFailureRateLimit, o.DetectionWindowSize) = (1, 0.1, TimeSpan.FromSeconds(5));
        });
        builder.Services.Configure<ConsecutiveFailuresHealthPolicyOptions>(o => o.DefaultThreshold = 2);
        var app = builder.Build();
        Use(app, options, access);
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, ApiGatewayOptions options)
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

    private static void Use(WebApplication app, ApiGatewayOptions options, AccessPoint access)
    {
        var sessions = app.Services.GetRequiredService<DeveloperSessions>();
        var book = app.Services.GetRequiredService<SubscriptionBook>();
        var gate = app.Services.GetRequiredService<Gate>();
        access.Changes.Subscribe(new Revocations(sessions, book));
        app.Use((context, next) =>
        {
            Pages.Harden(context, options.Certificate is not null);
            return next(context);
        });
        app.UseRouting();
        app.MapReferenceTelemetry();
        Pages.Map(app);
        sessions.Map(app);
        app.Services.GetRequiredService<DeveloperEndpoints>().Map(app);
        app.MapReverseProxy(proxy =>
        {
            proxy.Use(gate.PassAsync);
            proxy.UseLoadBalancing();
            proxy.UsePassiveHealthChecks();
        });
        app.MapFallback(async context =>
        {
            if (!await Gate.RefusesStrangerAsync(context, options, context.RequestServices.GetRequiredService<TokenBuckets>()))
            {
                await Problems.WriteAsync(context, StatusCodes.Status404NotFound, "There is nothing here", "The APIs are listed at /developers.");
            }
        });
    }

    private sealed class Revocations(DeveloperSessions sessions, SubscriptionBook book) : IObserver<Change>
    {
        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void OnNext(Change value)
        {
            if (value.Kind == ChangeKinds.Revoked)
            {
                sessions.End(value.Id);
                book.Forget(value.Id);
            }
        }
    }

    private sealed class GivenHandlers(ApiGatewayOptions options) : IForwarderHttpClientFactory
    {
        public HttpMessageInvoker CreateClient(ForwarderHttpClientContext context) =>
            context.OldClient is { } old && context.NewConfig == context.OldConfig ? old : new HttpMessageInvoker(options.MakeHandler());
    }

    private sealed class InstancesCheck(IProxyStateLookup proxy, CatalogFile catalog) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            string[] without =
            [
                .. catalog.Current.Apis.SelectMany(a => a.Versions.Where(v => v.State != VersionState.Retired).Select(v => ProxyRoutes.ClusterOf(a, v)))
                    .Where(c => !proxy.TryGetCluster(c, out var cluster) || cluster.DestinationsState.AvailableDestinations.Count == 0),
            ];
            return Task.FromResult(without.Length == 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("No instance for " + string.Join(", ", without)));
        }
    }

    private sealed class CatalogCheck(CatalogFile catalog) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(catalog.Problem is null ? HealthCheckResult.Healthy() : HealthCheckResult.Degraded("The file can't be used; the catalogue of before goes on."));
    }
}
