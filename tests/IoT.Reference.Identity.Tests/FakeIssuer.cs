using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading.Channels;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Reference.Access;

/// <summary>An issuer and decision point of a few lines, on a port of its own: says what a test tells it to.</summary>
internal sealed partial class FakeIssuer : IAsyncDisposable
{
    internal static readonly ServiceCredential Service = new("bus", "a-secret");

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, bool> _permits = new();
    private readonly ConcurrentBag<Channel<string>> _streams = [];
    private List<ECDsaSecurityKey> _keys = [NewKey()];
    private long _number;

    private FakeIssuer(WebApplication app) => _app = app;

    internal Uri Address { get; private set; } = null!;

    internal int Asked;

    internal int Questions;

    internal int KeyReads;

    internal int Verified;

    internal bool IsAway { get; set; }

    /// <summary>Holds answers back until a test lets them go.</summary>
    internal Task Gate { get; set; } = Task.CompletedTask;

    internal List<string>? Obligations { get; set; }

    internal List<Revocation> Revocations { get; } = [];

    internal Dictionary<string, VerifiedSubject> Secrets { get; } = [];

    internal TimeProvider Time { get; init; } = TimeProvider.System;

    internal static async Task<FakeIssuer> StartAsync(TimeProvider? time = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var issuer = new FakeIssuer(app) { Time = time ?? TimeProvider.System };
        issuer.Map();
        await app.StartAsync();
        issuer.Address = new Uri(app.Urls.First() + "/");
        return issuer;
    }

    internal void Permit(string subject, string action, string resource, bool isPermitted = true) => _permits[$"{subject} {action} {resource}"] = isPermitted;

    internal string Token(
        string subject, string audience = Claims.Audience, string scope = "", int seconds = 600, DateTimeOffset? issued = null, string? issuer = null,
        SubjectKind kind = SubjectKind.Person, ECDsaSecurityKey? key = null)
    {
        var from = issued ?? Time.GetUtcNow();
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? Address.AbsoluteUri,
            Audience = audience,
            IssuedAt = from.UtcDateTime,
            Expires = from.UtcDateTime.AddSeconds(seconds),
            Claims = new Dictionary<string, object>
            {
                ["sub"] = subject,
                ["scope"] = scope,
                [Claims.Kind] = kind.ToString().ToLowerInvariant(),
                [Claims.IssuedAt] = from.ToUnixTimeMilliseconds(),
            },
            SigningCredentials = new SigningCredentials(key ?? _keys[^1], "ES256"),
        });
    }

    internal static ECDsaSecurityKey NewKey() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = Guid.NewGuid().ToString("n") };

    internal void RollKeys() => _keys = [.. _keys, NewKey()];

    internal void Tell(string kind, string id, DateTimeOffset? time = null)
    {
        var change = new Change(Interlocked.Increment(ref _number), kind, id, time ?? Time.GetUtcNow());
        TellAll($"event: change\nid: {change.Number}\ndata: {JsonSerializer.Serialize(change, WireJson.Default.Change)}\n\n");
    }

    internal void TellAll(string text)
    {
        foreach (var stream in _streams)
        {
            stream.Writer.TryWrite(text);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in _streams)
        {
            stream.Writer.TryComplete();
        }

        await _app.DisposeAsync();
    }

    /// <summary>What the tests of another layer add.</summary>
    partial void MapMore(WebApplication app);

    private void Map()
    {
        _app.Use((context, next) =>
        {
            if (IsAway)
            {
                context.Abort();
                return Task.CompletedTask;
            }

            return next(context);
        });
        _app.MapPost("/connect/token", async context =>
        {
            var form = await context.Request.ReadFormAsync();
            bool isDevice = Secrets.TryGetValue($"{form["client_id"]}:{form["client_secret"]}", out var device) && device.Kind == SubjectKind.Device;
            string token = isDevice ? Token(device!.Subject, kind: SubjectKind.Device) : Token(Service.Id, scope: "decide", kind: SubjectKind.Service);
            context.Response.StatusCode = isDevice || form["client_secret"] == Service.Secret ? 200 : 401;
            await context.Response.WriteAsync($$"""{"access_token":"{{token}}","expires_in":600}""");
        });
        _app.MapGet("/.well-known/jwks", async context =>
        {
            Interlocked.Increment(ref KeyReads);
            await context.Response.WriteAsync("{\"keys\":[" + string.Join(',', _keys.Select(Public)) + "]}");
        });
        _app.MapGet("/v1/revocations", context => Write(context, JsonSerializer.Serialize(Revocations, WireJson.Default.ListRevocation)));
        _app.MapGet("/v1/changes", StreamAsync);
        _app.MapPost("/v1/decisions", DecideAsync);
        MapMore(_app);
        _app.MapPost("/v1/credentials/verify", async context =>
        {
            Interlocked.Increment(ref Verified);
            var request = await context.Request.ReadFromJsonAsync(WireJson.Default.VerifyRequest);
            if (Secrets.TryGetValue(request!.Subject + ":" + request.Secret, out var verified))
            {
                await Write(context, JsonSerializer.Serialize(verified, WireJson.Default.VerifiedSubject));
            }
            else
            {
                context.Response.StatusCode = 401;
            }
        });
    }

    private static string Public(ECDsaSecurityKey key)
    {
        var q = key.ECDsa.ExportParameters(false).Q;
        return $$"""{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"{{key.KeyId}}","x":"{{Base64UrlEncoder.Encode(q.X)}}","y":"{{Base64UrlEncoder.Encode(q.Y)}}"}""";
    }

    private static Task Write(HttpContext context, string json)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    }

    private async Task DecideAsync(HttpContext context)
    {
        Interlocked.Increment(ref Asked);
        var requests = (await context.Request.ReadFromJsonAsync(WireJson.Default.DecisionRequestArray))!;
        Interlocked.Add(ref Questions, requests.Length);
        Decision[] decisions = [.. requests.Select(r => new Decision(_permits.GetValueOrDefault($"{r.Subject.Id} {r.Action} {r.Resource}"), "test", null, Obligations))];
        await Gate;
        await Write(context, JsonSerializer.Serialize(decisions, WireJson.Default.DecisionArray));
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
}
