using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using IoT.Reference.Access;
using IoT.Reference.Portal.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;

namespace IoT.Reference.Portal.Sessions;

/// <summary>Log-in, log-out, and what the pages may know of the session: never a token.</summary>
internal static class SessionEndpoints
{
    /// <summary>The header that every request with a session that changes something carries.</summary>
    internal const string CsrfHeader = "X-CSRF-Token";

    internal static void Map(WebApplication app)
    {
        app.MapGet("/login", LogInAsync).AllowAnonymous().RequireRateLimiting(PortalLimits.Logins).ExcludeFromDescription();
        app.MapPost("/logout", LogOutAsync).AllowAnonymous().ExcludeFromDescription();
        app.MapGet("/session", (Delegate)SessionAsync).AllowAnonymous().ExcludeFromDescription();
    }

    /// <summary>
    /// For the API: a session's access token takes the place of the bearer token that a program would send, so that behind this there is one way only. A request that brings its own token needs no
    /// CSRF token: no browser sends one by itself.
    /// </summary>
    internal static async Task SessionToBearerAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Headers.Authorization.Count == 0)
        {
            var session = await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme);
            if (session.Succeeded && session.Properties.GetTokenValue("access_token") is { } token)
            {
                if (!IsSafe(context.Request.Method) && !HasCsrfToken(context, session.Properties))
                {
                    await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Not from this page", $"A request with a session that changes something carries the header {CsrfHeader}.");
                    return;
                }

                context.Request.Headers.Authorization = "Bearer " + token;
            }
        }

        await next(context);
    }

    private static bool IsSafe(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);

    private static bool HasCsrfToken(HttpContext context, AuthenticationProperties properties)
    {
        // A browser says where a request comes from; another site's never counts, whatever it knows.
        string? site = context.Request.Headers["Sec-Fetch-Site"];
        string expected = properties.GetString(SessionStore.Csrf) ?? "";
        string given = context.Request.Headers[CsrfHeader].ToString();
        return (site is null or "same-origin") && expected.Length > 0 && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(given));
    }

    private static async Task LogInAsync(HttpContext context, string? returnUrl)
    {
        try
        {
            await context.ChallengeAsync(OpenIdConnectDefaults.AuthenticationScheme, new AuthenticationProperties { RedirectUri = Local(returnUrl) });
        }
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or IOException)
        {
            // The handler asks Identity where to log in, and it did not answer.
            await context.RequestServices.GetRequiredService<Pages>().WriteAsync(context, "/away.html", StatusCodes.Status503ServiceUnavailable);
        }
    }

    // Only a place of this site: otherwise a link to the log-in could lead anywhere.
    private static string Local(string? url) => url is ['/', ..] && (url.Length == 1 || url[1] is not ('/' or '\\')) && !url.AsSpan().ContainsAnyInRange('\0', '\x1f') ? url : "/";

    private static async Task<IResult> LogOutAsync(HttpContext context, IOptionsMonitor<OpenIdConnectOptions> oidc, PortalOptions options)
    {
        var session = await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        if (!session.Succeeded)
        {
            return Results.Json(new NextPage("/welcome"), PortalJson.Default.NextPage);
        }

        if (!HasCsrfToken(context, session.Properties))
        {
            return Problems.Of(StatusCodes.Status403Forbidden, "Not from this page", $"The header {CsrfHeader} is missing.");
        }

        await context.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        var settings = oidc.Get(OpenIdConnectDefaults.AuthenticationScheme);
        try
        {
            var places = await settings.ConfigurationManager!.GetConfigurationAsync(context.RequestAborted);
            if (session.Properties.GetTokenValue("refresh_token") is { } refresh)
            {
                using var form = new FormUrlEncodedContent(
                    [new("token", refresh), new("token_type_hint", "refresh_token"), new("client_id", settings.ClientId!), new("client_secret", settings.ClientSecret!)]);
                string revoke = places.AdditionalData.TryGetValue("revocation_endpoint", out object? found) ? found.ToString()! : new Uri(options.Layers.Identity, "connect/revoke").AbsoluteUri;
                using var response = await settings.Backchannel.PostAsync(new Uri(revoke), form, context.RequestAborted);
            }

            string back = $"{context.Request.Scheme}://{context.Request.Host}/";
            return Results.Json(
                new NextPage(places.EndSessionEndpoint + QueryString.Create("client_id", settings.ClientId!).Add("post_logout_redirect_uri", back)), PortalJson.Default.NextPage);
        }
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or IOException)
        {
            // Identity is away; here the session has ended all the same.
            return Results.Json(new NextPage("/welcome"), PortalJson.Default.NextPage);
        }
    }

    private static async Task<IResult> SessionAsync(HttpContext context)
    {
        var session = await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        if (!session.Succeeded)
        {
            return Problems.Of(StatusCodes.Status401Unauthorized, "Not logged in");
        }

        string subject = session.Principal.FindFirst("sub")?.Value ?? "";
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(
            new SessionInfo(subject, session.Principal.Identity?.Name ?? subject, session.Properties.Items[SessionStore.Csrf]!, string.Create(CultureInfo.InvariantCulture, $"{session.Properties.ExpiresUtc:o}")),
            PortalJson.Default.SessionInfo);
    }
}
