using System.Globalization;
using System.Security.Claims;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Store;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using OurClaims = IoT.Reference.Contracts.Claims;

namespace IoT.Reference.Identity.OAuth;

/// <summary>What OpenIddict leaves to its host: who is logged in, what he agrees to, what goes into a token.</summary>
internal sealed class OAuthEndpoints(
    People people, Credentials credentials, RevocationList revocations, AuditLog audit, IdentityOptions options, IAntiforgery antiforgery, IOpenIddictApplicationManager applications)
{
    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    internal async Task AuthorizeAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("OpenIddict did not see this request.");
        if (await LoggedInAsync(context) is not { } person)
        {
            string back = context.Request.Path + QueryString.Create(context.Request.HasFormContentType ? [.. context.Request.Form] : [.. context.Request.Query]).ToString();
            context.Response.Redirect("/login" + QueryString.Create("returnUrl", back));
            return;
        }

        var scopes = request.GetScopes();
        if (await NeedsConsentAsync(request, context) is { } application)
        {
            if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.Form.ContainsKey("consent"))
            {
                await Pages.ConsentAsync(context, antiforgery, person, application, scopes);
                return;
            }

            if (!await antiforgery.IsRequestValidAsync(context))
            {
                await Pages.ErrorAsync(context, StatusCodes.Status400BadRequest, "This page was too old. Go back and try again.");
                return;
            }

            if (context.Request.Form["consent"] != "yes")
            {
                audit.Write(person.Id, "consent", "app:" + request.ClientId, "refused");
                await context.ForbidAsync(Scheme, Error(Errors.AccessDenied, "The person did not agree."));
                return;
            }
        }

        audit.Write(person.Id, "consent", "app:" + request.ClientId, "done", string.Join(' ', scopes), Origin(context));
        await context.SignInAsync(Scheme, OfPerson(person, scopes));
    }

    internal async Task TokenAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("OpenIddict did not see this request.");
        if (request.IsClientCredentialsGrantType())
        {
            await (credentials.Find(request.ClientId ?? "") is { } credential
                ? context.SignInAsync(Scheme, OfMachine(credential, request.GetScopes()))
                : context.ForbidAsync(Scheme, Error(Errors.InvalidClient, "It is not known any more.")));
            return;
        }

        // A code or refresh token: what it was given for, but as the person is now.
        var before = (await context.AuthenticateAsync(Scheme)).Principal;
        bool isKnown = long.TryParse(before?.GetClaim(OurClaims.IssuedAt), NumberStyles.None, CultureInfo.InvariantCulture, out long issued);
        var person = people.Find(before?.GetClaim(OpenIddictConstants.Claims.Subject) ?? "");
        if (!isKnown || person is null || revocations.IsVoid(person.Id, DateTimeOffset.FromUnixTimeMilliseconds(issued)))
        {
            await context.ForbidAsync(Scheme, Error(Errors.InvalidGrant, "It was revoked."));
            return;
        }

        await context.SignInAsync(Scheme, OfPerson(person, before!.GetScopes()));
    }

    internal static async Task LogOutAsync(HttpContext context)
    {
        await context.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        await context.SignOutAsync(Scheme, new AuthenticationProperties { RedirectUri = "/" });
    }

    internal async Task<Person?> LoggedInAsync(HttpContext context)
    {
        var session = await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        string id = session.Principal?.FindFirstValue(OpenIddictConstants.Claims.Subject) ?? "";
        return people.Find(id) is { } person && session.Properties?.IssuedUtc is { } since && !revocations.IsVoid(id, since.AddSeconds(1)) ? person : null;
    }

    internal static string? Origin(HttpContext context) => context.Connection.RemoteIpAddress?.ToString();

    private async Task<string?> NeedsConsentAsync(OpenIddictRequest request, HttpContext context)
    {
        object application = await applications.FindByClientIdAsync(request.ClientId ?? "", context.RequestAborted) ?? throw new InvalidOperationException("OpenIddict let an unknown application in.");
        bool isExplicit = await applications.GetConsentTypeAsync(application, context.RequestAborted) != ConsentTypes.Implicit;
        return isExplicit ? await applications.GetDisplayNameAsync(application, context.RequestAborted) ?? request.ClientId : null;
    }

    private ClaimsPrincipal OfPerson(Person person, IEnumerable<string> scopes)
    {
        var identity = New(person.Id, SubjectKind.Person);
        identity.SetClaim(OpenIddictConstants.Claims.Name, person.Name);
        foreach (string role in person.Roles)
        {
            identity.AddClaim(new Claim(OurClaims.Role, role));
        }

        return Finish(identity, scopes, options.AccessTokenLifetime);
    }

    private ClaimsPrincipal OfMachine(Credential credential, IEnumerable<string> scopes)
    {
        var identity = New(credential.Subject, credential.Kind);
        string? devices = credential.Kind == SubjectKind.Service ? "*" : credential.SpeaksFor is { } some ? string.Join(' ', some) : null;
        if (devices is not null)
        {
            identity.SetClaim(OurClaims.SpeaksFor, devices);
        }

        // Who asks for none gets all it may have; OpenIddict has refused others.
        string[] wanted = [.. scopes];
        return Finish(identity, wanted.Length > 0 ? wanted : credential.Scopes, credential.Kind == SubjectKind.Service ? options.AccessTokenLifetime : options.DeviceTokenLifetime);
    }

    private ClaimsIdentity New(string subject, SubjectKind kind)
    {
        var identity = new ClaimsIdentity(Scheme, OpenIddictConstants.Claims.Name, OurClaims.Role);
        identity.SetClaim(OpenIddictConstants.Claims.Subject, subject);
#pragma warning disable CA1308 // The contract writes kinds in lower case.
        identity.SetClaim(OurClaims.Kind, kind.ToString().ToLowerInvariant());
#pragma warning restore CA1308
        identity.SetClaim(OurClaims.IssuedAt, options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture));
        return identity;
    }

    private static ClaimsPrincipal Finish(ClaimsIdentity identity, IEnumerable<string> scopes, TimeSpan lifetime)
    {
        identity.SetScopes(scopes);
        identity.SetAudiences(OurClaims.Audience);
        identity.SetDestinations(static c => c.Type == OpenIddictConstants.Claims.Name ? [Destinations.IdentityToken] : [Destinations.AccessToken]);
        var principal = new ClaimsPrincipal(identity);
        principal.SetAccessTokenLifetime(lifetime);
        return principal;
    }

    private static AuthenticationProperties Error(string error, string text) => new(new Dictionary<string, string?>
    {
        [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
        [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = text,
    });

}
