using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Reference.Portal;

internal sealed partial class FakeUpstream
{
    private readonly ECDsaSecurityKey _key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k1" };
    private readonly ConcurrentDictionary<string, (string Challenge, string Nonce, string Person, string Redirect)> _codes = new();
    private readonly ConcurrentDictionary<string, string> _refresh = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _revoked = new();
    private readonly ConcurrentDictionary<string, Share> _shares = new(
        [new("s1", new Share("s1", "pi-1", "alice", "bob", ["read", "command"], TimeProvider.System.GetUtcNow().AddDays(5)))]);

    /// <summary>Who logs in next: there is no password here.</summary>
    internal string Person { get; set; } = "alice";

    internal int AccessSeconds { get; set; } = 600;

    internal bool RefusesRefresh { get; set; }

    internal ConcurrentDictionary<string, bool> Denied { get; } = new();

    internal ConcurrentBag<string> UsedRefreshTokens { get; } = [];

    internal string Token(string subject, SubjectKind kind = SubjectKind.Person, string? scope = null, int seconds = 600)
    {
        var now = TimeProvider.System.GetUtcNow();
        return Sign(Claims.Audience, now, seconds, new Dictionary<string, object>
        {
            ["sub"] = subject,
            ["scope"] = scope ?? string.Join(' ', Scopes.OfPeople),
            [Claims.Kind] = kind.ToString().ToLowerInvariant(),
            [Claims.Role] = "operator",
            [Claims.IssuedAt] = now.ToUnixTimeMilliseconds(),
        });
    }

    private string Sign(string audience, DateTimeOffset now, int seconds, Dictionary<string, object> claims) =>
        new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Addresses.Identity.AbsoluteUri,
            Audience = audience,
            IssuedAt = now.UtcDateTime,
            Expires = now.UtcDateTime.AddSeconds(seconds),
            Claims = claims,
            SigningCredentials = new SigningCredentials(_key, "ES256"),
        });

    private static string? SubjectOf(HttpContext context)
    {
        string authorization = context.Request.Headers.Authorization.ToString();
        return authorization.StartsWith("Bearer ", StringComparison.Ordinal) ? new JsonWebToken(authorization["Bearer ".Length..]).Subject : null;
    }

    private void MapIdentity(RouteGroupBuilder identity)
    {
        MapOpenId(identity);
        identity.MapPost("/connect/token", (Delegate)TokenAsync);
        identity.MapPost("/connect/revoke", () => Results.Ok());
        identity.MapGet("/connect/logout", (string post_logout_redirect_uri) => Results.Redirect(post_logout_redirect_uri));
        identity.MapGet("/v1/revocations", () => Results.Json([.. _revoked.Select(r => new Revocation(r.Key, r.Value))], WireJson.Default.ListRevocation));
        identity.MapGet("/v1/changes", context =>
        {
            var lines = Channel.CreateUnbounded<string>();
            _changes[lines] = true;
            lines.Writer.TryWrite("event: reset\ndata: 0\n\n");
            return StreamAsync(context, lines, _end.Token);
        });
        identity.MapPost("/v1/decisions", (DecisionRequest[] requests) => Results.Json(
            [.. requests.Select(r => new Decision(!Denied.ContainsKey($"{r.Subject.Id} {r.Action} {r.Resource}"), "test"))], WireJson.Default.DecisionArray));
        identity.MapGet("/v1/shares", (string? device) => Results.Json([.. _shares.Values.Where(s => device is null || s.Device == device)], WireJson.Default.ListShare));
        identity.MapPost("/v1/shares", (HttpContext context, ShareRequest request) =>
        {
            var share = new Share(Guid.NewGuid().ToString("n"), request.Device, SubjectOf(context)!, request.With, request.Actions, request.Until);
            _shares[share.Id] = share;
            return Results.Json(share, WireJson.Default.Share, statusCode: 201);
        });
        identity.MapDelete("/v1/shares/{id}", (string id) => _shares.TryRemove(id, out _) ? Results.NoContent() : Results.NotFound());
        identity.MapGet("/v1/people/{user}/export", (string user) => Results.Content($$"""{"person":"{{user}}"}""", "application/json"));
        identity.MapDelete("/v1/people/{user}", () => Results.NoContent());
    }

    private void MapOpenId(RouteGroupBuilder identity)
    {
        identity.MapGet("/.well-known/openid-configuration", () =>
        {
            string at = Addresses.Identity.AbsoluteUri;
            return Results.Content(
                $$"""{"issuer":"{{at}}","authorization_endpoint":"{{at}}connect/authorize","token_endpoint":"{{at}}connect/token","jwks_uri":"{{at}}.well-known/jwks","end_session_endpoint":"{{at}}connect/logout","revocation_endpoint":"{{at}}connect/revoke"}""",
                "application/json");
        });
        identity.MapGet("/.well-known/jwks", () =>
        {
            var q = _key.ECDsa.ExportParameters(false).Q;
            return Results.Content(
                $$"""{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":"{{Base64UrlEncoder.Encode(q.X)}}","y":"{{Base64UrlEncoder.Encode(q.Y)}}"}]}""", "application/json");
        });
        identity.MapGet("/connect/authorize", (string code_challenge, string code_challenge_method, string client_id, string redirect_uri, string state, string? nonce) =>
        {
            string code = Guid.NewGuid().ToString("n");
            _codes[code] = (code_challenge, nonce ?? "", Person, redirect_uri);
            return code_challenge_method == "S256" && client_id == Service.Id
                ? Results.Redirect($"{redirect_uri}?code={code}&state={Uri.EscapeDataString(state)}&iss={Uri.EscapeDataString(Addresses.Identity.AbsoluteUri)}")
                : Results.BadRequest();
        });
    }

    private async Task<IResult> TokenAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        string client = form["client_id"].ToString();
        if (form["client_secret"] != (client == Service.Id ? Service.Secret : "app-secret"))
        {
            return Results.StatusCode(401);
        }

        switch (form["grant_type"])
        {
            case "client_credentials":
                string token = client == Service.Id ? Token(client, SubjectKind.Service, "decide") : Token(client, SubjectKind.App);
                return Results.Content($$"""{"access_token":"{{token}}","token_type":"Bearer","expires_in":600}""", "application/json");
            case "authorization_code":
                string proof = Base64UrlEncoder.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
                return _codes.TryRemove(form["code"].ToString(), out var asked) && asked.Challenge == proof && asked.Redirect == form["redirect_uri"]
                    ? Tokens(asked.Person, asked.Nonce)
                    : Results.Content("""{"error":"invalid_grant"}""", "application/json", null, 400);
            default:
                string refresh = form["refresh_token"].ToString();
                UsedRefreshTokens.Add(refresh);
                return !RefusesRefresh && _refresh.TryRemove(refresh, out string? person) ? Tokens(person, null) : Results.Content("""{"error":"invalid_grant"}""", "application/json", null, 400);
        }
    }

    private IResult Tokens(string person, string? nonce)
    {
        string refresh = Guid.NewGuid().ToString("n");
        _refresh[refresh] = person;
        string access = Token(person, seconds: AccessSeconds);
        string id = Sign(Service.Id, TimeProvider.System.GetUtcNow(), 600, new Dictionary<string, object>
        {
            ["sub"] = person,
            ["name"] = char.ToUpperInvariant(person[0]) + person[1..] + " Owner",
            ["nonce"] = nonce ?? "",
        });
        return Results.Content(
            $$"""{"access_token":"{{access}}","refresh_token":"{{refresh}}","id_token":"{{id}}","token_type":"Bearer","expires_in":{{AccessSeconds}}}""", "application/json");
    }
}
