using System.Security.Claims;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;

namespace IoT.Reference.Identity.Endpoints;

/// <summary>The pages for people, and what OpenIddict passes through.</summary>
internal static class PageEndpoints
{
    private const string Cookies = CookieAuthenticationDefaults.AuthenticationScheme;

    internal static void Map(WebApplication app)
    {
        app.MapGet("/", async (HttpContext c, OAuthEndpoints oauth, IAntiforgery forms) => await Pages.HomeAsync(c, forms, await oauth.LoggedInAsync(c))).AllowAnonymous();
        app.MapGet("/style.css", (HttpContext c) =>
        {
            c.Response.Headers.CacheControl = "public, max-age=3600";
            return Results.Text(Pages.Style, "text/css");
        }).AllowAnonymous();
        app.MapGet("/login", (HttpContext c, IAntiforgery forms, string? returnUrl) => Pages.LogInAsync(c, forms, Local(returnUrl), null)).AllowAnonymous();
        app.MapPost("/login", LogInAsync).AllowAnonymous().RequireRateLimiting(IdentityLayer.LoginLimit).DisableAntiforgery();
        app.MapPost("/logout", LogOutAsync).AllowAnonymous().DisableAntiforgery();
        app.MapMethods("/connect/authorize", ["GET", "POST"], (HttpContext c, OAuthEndpoints oauth) => oauth.AuthorizeAsync(c)).AllowAnonymous().DisableAntiforgery();
        app.MapPost("/connect/token", (HttpContext c, OAuthEndpoints oauth) => oauth.TokenAsync(c)).AllowAnonymous().RequireRateLimiting(IdentityLayer.TokenLimit).DisableAntiforgery();
        app.MapMethods("/connect/logout", ["GET", "POST"], OAuthEndpoints.LogOutAsync).AllowAnonymous().DisableAntiforgery();
    }

    private static async Task LogInAsync(HttpContext context, IAntiforgery forms, People people, AuditLog audit)
    {
        // Asked here and not by a filter: the answer is a page.
        if (!await forms.IsRequestValidAsync(context))
        {
            await Pages.ErrorAsync(context, StatusCodes.Status400BadRequest, "This page was too old, or the form did not come from here. Go back and try again.");
            return;
        }

        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        string user = form["user"].ToString().Trim(), returnUrl = Local(form["returnUrl"]);
        var outcome = await people.LogInAsync(user, form["password"].ToString());
        audit.Write(user, "login", "identity", outcome == LoginOutcome.Right ? "done" : "refused", outcome == LoginOutcome.Locked ? "locked for a while" : null, OAuthEndpoints.Origin(context));
        if (outcome != LoginOutcome.Right)
        {
            // The same words for a wrong name, a wrong password and a locked account: who tries learns nothing.
            await Pages.LogInAsync(context, forms, returnUrl, "Name or password is not right, or there were too many tries. Wait some minutes after several.", StatusCodes.Status401Unauthorized);
            return;
        }

        var identity = new ClaimsIdentity(Cookies);
        identity.AddClaim(new Claim(OpenIddict.Abstractions.OpenIddictConstants.Claims.Subject, user));
        await context.SignInAsync(Cookies, new ClaimsPrincipal(identity));
        context.Response.Redirect(returnUrl);
    }

    private static async Task LogOutAsync(HttpContext context, IAntiforgery forms)
    {
        if (await forms.IsRequestValidAsync(context))
        {
            await context.SignOutAsync(Cookies);
        }

        context.Response.Redirect("/");
    }

    // Back to a page of this server only: "//elsewhere" and "/\elsewhere" are other servers.
    private static string Local(string? url) => url is ['/', ..] && url is not ['/', '/' or '\\', ..] && !url.Any(char.IsControl) ? url : "/";
}
