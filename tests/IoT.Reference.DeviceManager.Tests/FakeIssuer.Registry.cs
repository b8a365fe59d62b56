using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace IoT.Reference.Access;

/// <summary>What the device manager says to <c>Identity</c>: credentials and facts; who owns a device may do everything with it from then on, and who does not any more may nothing.</summary>
internal sealed partial class FakeIssuer
{
    private static readonly string[] _ownersActions = [Actions.Read, Actions.Command, Actions.Manage];

    internal ConcurrentDictionary<string, string> Credentials { get; } = new();

    internal ConcurrentDictionary<string, ResourceFacts> Facts { get; } = new();

    /// <summary>What was said, in order.</summary>
    internal ConcurrentQueue<string> Said { get; } = new();

    /// <summary>Credentials and facts are not taken now.</summary>
    internal bool IsRegistryAway { get; set; }

    partial void MapMore(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (!IsRegistryAway || !(context.Request.Path.StartsWithSegments("/v1/credentials") || context.Request.Path.StartsWithSegments("/v1/resources")))
            {
                return next(context);
            }

            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        app.MapPost("/v1/credentials", async context =>
        {
            var request = (await context.Request.ReadFromJsonAsync(WireJson.Default.CredentialRequest))!;
            if (!Credentials.TryAdd(request.Subject, Secret()))
            {
                context.Response.StatusCode = 409;
                return;
            }

            await IssueAsync(context, request.Subject, 201);
        });
        app.MapPost("/v1/credentials/{subject}/rotate", async (HttpContext context, string subject) =>
        {
            context.Response.StatusCode = 404;
            if (Credentials.ContainsKey(subject))
            {
                Credentials[subject] = Secret();
                await IssueAsync(context, subject, 200);
            }
        });
        app.MapDelete("/v1/credentials/{subject}", (HttpContext context, string subject) =>
        {
            Said.Enqueue("revoke " + subject);
            context.Response.StatusCode = Credentials.TryRemove(subject, out _) ? 204 : 404;
            Tell(ChangeKinds.Revoked, subject);
        });
        app.MapPut("/v1/resources/{id}", async (HttpContext context, string id) =>
        {
            Put(id, (await context.Request.ReadFromJsonAsync(WireJson.Default.ResourceFacts))!);
            context.Response.StatusCode = 204;
        });
        app.MapDelete("/v1/resources/{id}", (HttpContext context, string id) => context.Response.StatusCode = Facts.TryRemove(id, out _) ? 204 : 404);
    }

    private static string Secret() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private void Put(string id, ResourceFacts facts)
    {
        Said.Enqueue($"{id}: {facts.Owner ?? "nobody"}");
        foreach (string action in _ownersActions)
        {
            if (Facts.TryGetValue(id, out var before) && before.Owner is { } old)
            {
                Permit(old, action, Resources.Device(id), isPermitted: false);
            }

            if (facts.Owner is { } owner)
            {
                Permit(owner, action, Resources.Device(id));
            }
        }

        Facts[id] = facts;
        Tell(ChangeKinds.Resource, id);
    }

    private Task IssueAsync(HttpContext context, string subject, int status)
    {
        context.Response.StatusCode = status;
        return Write(context, JsonSerializer.Serialize(new IssuedCredential(subject, Credentials[subject]), WireJson.Default.IssuedCredential));
    }
}
