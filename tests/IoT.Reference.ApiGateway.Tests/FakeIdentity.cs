using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Reference.ApiGateway;

/// <summary>What the gateway asks of Identity, on a port of its own: log-in (as alice, at once), tokens, apps, changes.</summary>
internal sealed class FakeIdentity : IAsyncDisposable
{
    internal static readonly ServiceCredential Service = new("api-gateway", "a-secret");

    private readonly WebApplication _app;
    private readonly ECDsaSecurityKey _key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k" };
    private readonly ConcurrentBag<Channel<string>> _streams = [];
    private readonly ConcurrentDictionary<string, string> _challenges = new();
    private long _number;

    private FakeIdentity(WebApplication app) => _app = app;

    internal Uri Address { get; private set; } = null!;

    internal ConcurrentDictionary<string, (CredentialRequest Request, List<string> Secrets)> Apps { get; } = new();

    internal bool IsAway { get; set; }

    internal int TokensGiven;

    internal static async Task<FakeIdentity> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var identity = new FakeIdentity(app);
        identity.Map();
        await app.StartAsync();
        identity.Address = new Uri(app.Urls.First() + "/");
        return identity;
    }

    internal string Token(string subject, SubjectKind kind, string scope, string role = "") => new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Address.AbsoluteUri,
        Audience = Claims.Audience,
        IssuedAt = TimeProvider.System.GetUtcNow().UtcDateTime,
        Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(10),
        Claims = new Dictionary<string, object>
        {
            ["sub"] = subject,
            ["scope"] = scope,
            [Claims.Role] = role,
            [Claims.Kind] = kind.ToString().ToLowerInvariant(),
            [Claims.IssuedAt] = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
        },
        SigningCredentials = new SigningCredentials(_key, "ES256"),
    });

    internal string Person(string name, string role = "") => Token(name, SubjectKind.Person, string.Join(' ', Scopes.OfPeople), role);

    internal void Revoke(string subject)
    {
        var change = new Change(Interlocked.Increment(ref _number), ChangeKinds.Revoked, subject, TimeProvider.System.GetUtcNow().AddMilliseconds(1));
        foreach (var stream in _streams)
        {
            stream.Writer.TryWrite($"event: change\nid: {change.Number}\ndata: {JsonSerializer.Serialize(change, WireJson.Default.Change)}\n\n");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in _streams)
        {
            stream.Writer.TryComplete();
        }

        await _app.DisposeAsync();
        _key.ECDsa.Dispose();
    }

    private void Map()
    {
        _app.Use((context, next) =>
        {
            if (!IsAway)
            {
                return next(context);
            }

            context.Abort();
            return Task.CompletedTask;
        });
        var q = _key.ECDsa.ExportParameters(false).Q;
        string keys = $$"""{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k","x":"{{Base64UrlEncoder.Encode(q.X)}}","y":"{{Base64UrlEncoder.Encode(q.Y)}}"}]}""";
        _app.MapGet("/.well-known/jwks", c => Json(c, keys));
        _app.MapGet("/v1/revocations", c => Json(c, "[]"));
        _app.MapGet("/v1/changes", StreamAsync);
        _app.MapGet("/connect/authorize", c =>
        {
            string code = Guid.NewGuid().ToString("n");
            _challenges[code] = c.Request.Query["code_challenge"]!;
            c.Response.Redirect($"{c.Request.Query["redirect_uri"]}?code={code}&state={Uri.EscapeDataString(c.Request.Query["state"]!)}");
            return Task.CompletedTask;
        });
        _app.MapPost("/connect/token", TokenAsync);
        _app.MapPost("/v1/credentials", async c =>
        {
            var request = (await c.Request.ReadFromJsonAsync(WireJson.Default.CredentialRequest))!;
            Apps[request.Subject] = (request, [Guid.NewGuid().ToString("n")]);
            c.Response.StatusCode = 201;
            await Json(c, JsonSerializer.Serialize(new IssuedCredential(request.Subject, Apps[request.Subject].Secrets[0]), WireJson.Default.IssuedCredential));
        });
        _app.MapPost("/v1/credentials/{subject}/rotate", async c =>
        {
            var request = (await c.Request.ReadFromJsonAsync(WireJson.Default.RotateRequest))!;
            var app = Apps[(string)c.Request.RouteValues["subject"]!];
            app.Secrets.RemoveRange(0, request.Overlap > TimeSpan.Zero ? app.Secrets.Count - 1 : app.Secrets.Count);
            app.Secrets.Add(Guid.NewGuid().ToString("n"));
            await Json(c, JsonSerializer.Serialize(new IssuedCredential(app.Request.Subject, app.Secrets[^1]), WireJson.Default.IssuedCredential));
        });
        _app.MapDelete("/v1/credentials/{subject}", c =>
        {
            string subject = (string)c.Request.RouteValues["subject"]!;
            c.Response.StatusCode = Apps.TryRemove(subject, out _) ? 204 : 404;
            Revoke(subject);
            return Task.CompletedTask;
        });
    }

    private async Task TokenAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        string client = form["client_id"]!, secret = form["client_secret"]!;
        bool isService = client == Service.Id && secret == Service.Secret;
        string? token = null;
        if (form["grant_type"] == "authorization_code")
        {
            string challenge = Base64UrlEncoder.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"]!)));
            token = isService && _challenges.TryRemove(form["code"]!, out string? expected) && expected == challenge ? Person("alice") : null;
        }
        else if (isService)
        {
            token = Token(client, SubjectKind.Service, $"{Scopes.Decide} {Scopes.ManageIdentity}");
        }
        else if (Apps.TryGetValue(client, out var app) && app.Secrets.Contains(secret))
        {
            Interlocked.Increment(ref TokensGiven);
            token = Token(client, SubjectKind.App, form["scope"]!);
        }

        context.Response.StatusCode = token is null ? 401 : 200;
        await Json(context, $$"""{"access_token":"{{token}}","expires_in":600}""");
    }

    private async Task StreamAsync(HttpContext context)
    {
        var stream = Channel.CreateUnbounded<string>();
        _streams.Add(stream);
        context.Response.ContentType = "text/event-stream";
        stream.Writer.TryWrite($"event: reset\ndata: {_number}\n\n");
        await foreach (string text in stream.Reader.ReadAllAsync(context.RequestAborted))
        {
            await context.Response.WriteAsync(text);
            await context.Response.Body.FlushAsync();
        }
    }

    private static Task Json(HttpContext context, string json)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    }
}
