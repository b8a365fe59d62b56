using System.Threading.RateLimiting;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Endpoints;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;
using IoT.Reference.Identity.Xacml;
using IoT.Reference.Observability;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace IoT.Reference.Identity;

/// <summary>How the parts of the layer are put together.</summary>
internal static class IdentityServer
{
    /// <summary>A policy is the largest thing that comes.</summary>
    private const int MaxBodyBytes = 1024 * 1024;

    internal static WebApplication Build(IdentityOptions options)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = typeof(IdentityServer).Assembly.GetName().Name });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(options.LoggerFactory);
        builder.AddReferenceTelemetry(AuditLog.Layer);
        builder.WebHost.ConfigureKestrel(k => Listen(k, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        AddParts(builder.Services, options);
        AddWeb(builder.Services, options);
        var app = builder.Build();
        Use(app, options);
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, IdentityOptions options)
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

    private static void AddParts(IServiceCollection services, IdentityOptions options)
    {
        var keys = new KeyRing(Path.Combine(options.DataFolder, "keys"), options);
        services.Configure<HostOptions>(static o => o.ShutdownTimeout = TimeSpan.FromSeconds(5));
        services.AddSingleton(options).AddSingleton(options.TimeProvider).AddSingleton(keys);
        services.AddSingleton(_ => new Database(PrivateFiles.Reserve(Path.Combine(options.DataFolder, "identity.db"))));
        services.AddSingleton<People>().AddSingleton<AuditLog>().AddSingleton<ResourceDirectory>().AddSingleton<DecisionPoint>().AddSingleton<Erasure>();
        services.AddSingleton(s => new Credentials(s.GetRequiredService<Database>(), options, keys.Pepper));
        services.AddSingleton(s => new RevocationList(s.GetRequiredService<Database>(), options, keys.Pepper));
        services.AddSingleton(new ChangeFeed(options.TimeProvider)).AddSingleton(new PolicyEngine());
        services.AddSingleton(s => new WrongSecrets(name => s.GetRequiredService<AuditLog>().Write(name, "authenticate", "credential", "refused", "too many wrong secrets")));
        services.AddSingleton(s =>
        {
            var changes = s.GetRequiredService<ChangeFeed>();
            var policies = new PolicyStore(s.GetRequiredService<Database>(), options, s.GetRequiredService<PolicyEngine>(), Path.Combine(options.DataFolder, "policies"));
            policies.Changed = id => changes.Tell(ChangeKinds.Policy, id);
            return policies;
        });
        services.AddSingleton<NoRowsForMachines>().AddSingleton<RevokedTokens>();
        services.AddSingleton<IAccess>(s => new LocalAccess(
            keys, s.GetRequiredService<RevocationList>(), s.GetRequiredService<DecisionPoint>(), s.GetRequiredService<AuditLog>(), options, () => IssuerOf(s, options)));
        services.AddSingleton<CredentialEndpoints>().AddSingleton<DecisionEndpoints>().AddSingleton<PeopleEndpoints>();
        services.AddScoped<OAuthEndpoints>();
        OAuthServer.Add(services, options, options.DataFolder, keys);
    }

    private static string IssuerOf(IServiceProvider services, IdentityOptions options) =>
        options.Issuer?.AbsoluteUri ?? services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/";

    private static void AddWeb(IServiceCollection services, IdentityOptions options)
    {
        string keys = Path.Combine(options.DataFolder, "keys");
        services.AddDataProtection().SetApplicationName("iot-identity").PersistKeysToFileSystem(new DirectoryInfo(keys));
        services.AddAntiforgery(o =>
        {
            o.Cookie.Name = "identity.form";
            o.Cookie.SameSite = SameSiteMode.Strict;
            o.Cookie.SecurePolicy = options.Certificate is null ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
        });
        services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(o =>
        {
            o.Cookie.Name = "identity.session";
            o.Cookie.HttpOnly = true;

            // Lax: the way back from an application to the authorization page carries it.
            o.Cookie.SameSite = SameSiteMode.Lax;
            o.Cookie.SecurePolicy = options.Certificate is null ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
            o.ExpireTimeSpan = TimeSpan.FromHours(8);
            o.LoginPath = "/login";
            o.TimeProvider = options.TimeProvider;
        });
        services.ConfigureHttpJsonOptions(o =>
        {
            o.SerializerOptions.TypeInfoResolverChain.Insert(0, WireJson.Default);
            o.SerializerOptions.TypeInfoResolverChain.Insert(1, IdentityJson.Default);
        });
        services.AddRateLimiter(o =>
        {
            o.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            o.OnRejected = (rejected, _) =>
            {
                rejected.HttpContext.Response.Headers.RetryAfter = "60";
                return new ValueTask(Problems.WriteAsync(rejected.HttpContext, StatusCodes.Status429TooManyRequests, "Too many", "Wait a minute."));
            };
            o.AddPolicy(IdentityLayer.LoginLimit, c => RateLimitPartition.GetSlidingWindowLimiter(
                OAuthEndpoints.Origin(c) ?? "", _ => new SlidingWindowRateLimiterOptions { PermitLimit = options.LoginsPerMinute, Window = TimeSpan.FromMinutes(1), SegmentsPerWindow = 6 }));
            o.AddPolicy(IdentityLayer.TokenLimit, c => TokenBucket(OAuthEndpoints.Origin(c), options.TokensPerSecond));
        });
    }

    private static RateLimitPartition<string> TokenBucket(string? origin, int perSecond) => RateLimitPartition.GetTokenBucketLimiter(
        origin ?? "", _ => new TokenBucketRateLimiterOptions { TokenLimit = perSecond * 5, TokensPerPeriod = perSecond, ReplenishmentPeriod = TimeSpan.FromSeconds(1) });

    private static void Use(WebApplication app, IdentityOptions options)
    {
        // Of a form's answer the browser follows the way back to the application too: its address must be allowed there.
        string back = string.Join(' ', options.PortalRedirects.Concat(options.ApiGatewayRedirects).Select(static r => r.GetLeftPart(UriPartial.Authority)).Distinct());
        string policy = $"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {back} http://127.0.0.1:* http://localhost:*; frame-ancestors 'none'; base-uri 'none'";
        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = policy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers.XFrameOptions = "DENY";
            return next(context);
        });
        app.Use((context, next) => ShortenAsync(context, next));
        app.UseRouting();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAccess();
        app.MapReferenceTelemetry();
        app.Services.GetRequiredService<PolicyStore>();
        app.Services.GetRequiredService<CredentialEndpoints>().Map(app);
        app.Services.GetRequiredService<DecisionEndpoints>().Map(app);
        app.Services.GetRequiredService<PeopleEndpoints>().Map(app);
        PageEndpoints.Map(app);
    }

    // What can't be read (JSON that is none, a body that is too long) is the asker's fault, and no page of this server's inside.
    private static async Task ShortenAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.WriteAsync(context, e.StatusCode, "Not valid", "The request can't be read.");
        }
    }
}
