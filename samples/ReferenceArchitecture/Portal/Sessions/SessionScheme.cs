using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace IoT.Reference.Portal.Sessions;

/// <summary>How people log in: OpenID Connect, code with PKCE; a cookie with a random id; everything else stays here.</summary>
internal static class SessionScheme
{
    internal const string Cookie = "iot.session", Callback = "/signin";

    internal static void Add(IServiceCollection services, PortalOptions options)
    {
        var secure = options.Certificate is null ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
        services.AddDataProtection().SetApplicationName("iot-portal").PersistKeysToFileSystem(new DirectoryInfo(Path.Combine(options.DataFolder, "keys")));
        services.AddSingleton(_ => new SessionDatabase(Path.Combine(options.DataFolder, "sessions.db"), options.MaxSessions));
        services.AddSingleton<SessionStore>().AddSingleton<TokenRenewal>();
        services.AddAuthentication(o =>
            {
                o.DefaultScheme = CookieAuthenticationDefaults.AuthenticationScheme;
                o.DefaultChallengeScheme = OpenIdConnectDefaults.AuthenticationScheme;
            })
            .AddCookie(o => SetCookie(o, options, secure))
            .AddOpenIdConnect(o => SetOpenId(o, options, secure));
        services.AddOptions<CookieAuthenticationOptions>(CookieAuthenticationDefaults.AuthenticationScheme)
            .Configure<SessionStore, TokenRenewal>((o, store, renewal) =>
            {
                o.SessionStore = store;
                o.Events.OnValidatePrincipal = renewal.ValidateAsync;
            });
    }

    private static void SetCookie(CookieAuthenticationOptions o, PortalOptions options, CookieSecurePolicy secure)
    {
        o.Cookie.Name = Cookie;
        o.Cookie.HttpOnly = true;

        // Lax, not Strict: the way back from the log-in and a link in a mail arrive logged in. What changes something needs the CSRF token as well.
        o.Cookie.SameSite = SameSiteMode.Lax;
        o.Cookie.SecurePolicy = secure;
        o.ExpireTimeSpan = options.SessionLifetime;
        o.SlidingExpiration = true;
        o.TimeProvider = options.TimeProvider;
    }

    private static void SetOpenId(OpenIdConnectOptions o, PortalOptions options, CookieSecurePolicy secure)
    {
        o.Authority = options.Layers.Identity.AbsoluteUri;
        o.ClientId = options.Service.Id;
        o.ClientSecret = options.Service.Secret;
        o.ResponseType = OpenIdConnectResponseType.Code;
        o.ResponseMode = OpenIdConnectResponseMode.Query;
        o.UsePkce = true;
        o.CallbackPath = Callback;
        o.RemoteSignOutPath = PathString.Empty;
        o.SaveTokens = true;
        o.MapInboundClaims = false;
        o.GetClaimsFromUserInfoEndpoint = false;

        // Loopback without TLS is the default of a machine of one's own; beyond it Identity refuses to listen without.
        o.RequireHttpsMetadata = !options.Layers.Identity.IsLoopback;
        o.TimeProvider = options.TimeProvider;
        o.TokenValidationParameters.NameClaimType = "name";
        o.TokenValidationParameters.RoleClaimType = Claims.Role;
        if (options.Issuer is { } issuer)
        {
            o.TokenValidationParameters.ValidIssuer = issuer.AbsoluteUri;
        }

        o.Scope.Clear();
        foreach (string scope in (string[])["openid", "profile", "offline_access", .. Scopes.OfPeople])
        {
            o.Scope.Add(scope);
        }

        foreach (var cookie in (CookieBuilder[])[o.CorrelationCookie, o.NonceCookie])
        {
            // The answer comes by a redirection of the top page, which Lax lets through.
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = secure;
        }

        o.BackchannelHttpHandler = options.MakeHandler();
        o.BackchannelTimeout = options.AnswerTimeout;
        o.Events.OnTicketReceived = context =>
        {
            SessionStore.Prepare(context.Properties!);
            context.Properties!.IsPersistent = false;
            return Task.CompletedTask;
        };
        o.Events.OnRemoteFailure = context =>
        {
            var logger = context.HttpContext.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("IoT.Reference.Portal.Sessions");
            SessionLog.LogInFailed(logger, context.Failure?.Message ?? "refused");
            context.HandleResponse();
            context.Response.Redirect("/welcome?failed=1");
            return Task.CompletedTask;
        };
    }
}
