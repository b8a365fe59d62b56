using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;
using IoT.Reference.Portal.Api;
using IoT.Reference.Portal.Sessions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace IoT.Reference.Portal.Web;

/// <summary>How the parts of the portal are put together.</summary>
internal static class PortalServer
{
    private const int MaxBodyBytes = 256 * 1024;

    /// <summary>The addresses of the pages; they are views of one document.</summary>
    private static readonly string[] _views = ["/", "/devices", "/devices/{id}", "/alerts", "/queries", "/profile"];

    internal static WebApplication Build(PortalOptions options, AccessPoint access)
    {
        Directory.CreateDirectory(options.DataFolder);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(options.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = typeof(PortalServer).Assembly.GetName().Name });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(options.LoggerFactory);
        builder.AddReferenceTelemetry("portal");
        builder.WebHost.ConfigureKestrel(k => Listen(k, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Services.AddSingleton(options).AddSingleton(options.TimeProvider).AddSingleton<Pages>().AddSingleton<Layers>().AddSingleton(access).AddSingleton<LiveStreams>();
        builder.Services.AddAccess(access);
        builder.Services.ConfigureHttpJsonOptions(o =>
        {
            o.SerializerOptions.TypeInfoResolverChain.Insert(0, WireJson.Default);
            o.SerializerOptions.TypeInfoResolverChain.Insert(1, PortalJson.Default);
        });
        SessionScheme.Add(builder.Services, options);
        PortalLimits.Add(builder.Services, options);
        ApiDescription.Add(builder.Services);
        var app = builder.Build();
        Use(app, options);
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, PortalOptions options)
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

    private static void Use(WebApplication app, PortalOptions options)
    {
        var pages = app.Services.GetRequiredService<Pages>();
        string policy = PolicyFor(options);
        app.Use((context, next) =>
        {
            SetHeaders(context, policy, options.Certificate is not null);
            return next(context);
        });
        app.Use(Failures.HandleAsync);
        app.Use(pages.ServeAsync);
        app.UseRouting();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseWhen(static c => c.Request.Path.StartsWithSegments("/api"), static api =>
        {
            api.Use(SessionEndpoints.SessionToBearerAsync);
            api.UseAccess();
        });
        app.MapReferenceTelemetry();
        SessionEndpoints.Map(app);
        ApiEndpoints.Map(app);
        app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();
        app.MapGet("/welcome", c => pages.WriteAsync(c, "/welcome.html")).AllowAnonymous();
        foreach (string view in _views)
        {
            app.MapGet(view, c => ShowAsync(c, pages)).AllowAnonymous();
        }

        app.MapFallback(static c => Problems.WriteAsync(c, StatusCodes.Status404NotFound, "There is nothing here")).AllowAnonymous();
    }

    private static async Task ShowAsync(HttpContext context, Pages pages)
    {
        if ((await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme)).Succeeded)
        {
            await pages.WriteAsync(context, "/app.html");
            return;
        }

        context.Response.Redirect("/welcome" + QueryString.Create("returnUrl", context.Request.Path + context.Request.QueryString));
    }

    // No inline script or style, nothing from elsewhere; a form goes to this site, and to Identity by way of the log-in.
    private static string PolicyFor(PortalOptions options) =>
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
        + $"form-action 'self' {options.Layers.Identity.GetLeftPart(UriPartial.Authority)}; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";

    private static void SetHeaders(HttpContext context, string policy, bool isTls)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()";
        if (isTls)
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }
    }
}
