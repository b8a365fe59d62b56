using System.Globalization;
using System.Text;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Store;
using IoT.Reference.Identity.Xacml;

namespace IoT.Reference.Identity.Endpoints;

/// <summary>Decisions, the policies they come from, and what has changed.</summary>
internal sealed class DecisionEndpoints(DecisionPoint decisions, PolicyStore policies, RevocationList revocations, ChangeFeed changes, AuditLog audit, IdentityOptions options)
{
    private const int MaxQuestions = 1_000;

    private static readonly TimeSpan _alive = TimeSpan.FromSeconds(10);

    internal void Map(WebApplication app)
    {
        app.MapPost("/v1/decisions", Decide).Requires(Scopes.Decide, Actions.Read);
        app.MapGet("/v1/revocations", () => Results.Json(revocations.List(), WireJson.Default.ListRevocation)).Requires(Scopes.Decide, Actions.Read);
        app.MapGet("/v1/changes", StreamAsync).Requires(Scopes.Decide, Actions.Read);
        app.MapGet("/v1/policies", List).Requires(Scopes.ManagePolicies, Actions.Administer, static _ => Resources.Policies);
        app.MapGet("/v1/policies/{id}", Get).Requires(Scopes.ManagePolicies, Actions.Administer, static _ => Resources.Policies);
        app.MapPut("/v1/policies/{id}", PutAsync).Requires(Scopes.ManagePolicies, Actions.Administer, static _ => Resources.Policies);
        app.MapDelete("/v1/policies/{id}", Delete).Requires(Scopes.ManagePolicies, Actions.Administer, static _ => Resources.Policies);
    }

    private IResult Decide(DecisionRequest[] asked)
    {
        bool isValid = asked.Length <= MaxQuestions && Array.TrueForAll(asked, static a =>
            a is { Subject.Id.Length: > 0 and <= 512, Action.Length: > 0 and <= 64, Resource.Length: > 0 and <= 1_024 });
        return isValid ? Results.Json(decisions.Decide(asked), WireJson.Default.DecisionArray)
            : Problems.Of(StatusCodes.Status400BadRequest, "Not valid", $"At most {MaxQuestions} questions, each with subject, action and resource.");
    }

    private async Task StreamAsync(HttpContext context)
    {
        long? last = long.TryParse(context.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
        if (changes.Listen(last, out long? reset) is not { } channel)
        {
            await Problems.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "Too many listen");
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            await WriteAsync(context, reset is { } from ? Text("reset", from, from.ToString(CultureInfo.InvariantCulture)) : "event: alive\ndata:\n\n");
            using var timer = new PeriodicTimer(_alive, options.TimeProvider);
            var tick = timer.WaitForNextTickAsync(context.RequestAborted).AsTask();
            while (true)
            {
                var ready = channel.Reader.WaitToReadAsync(context.RequestAborted).AsTask();
                if (await Task.WhenAny(ready, tick) == tick)
                {
                    await tick;
                    tick = timer.WaitForNextTickAsync(context.RequestAborted).AsTask();
                    await WriteAsync(context, "event: alive\ndata:\n\n");
                }

                if (!await ready)
                {
                    return;
                }

                await WriteAsync(context, Gather(channel.Reader));
            }
        }
        catch (OperationCanceledException)
        {
            // The listener has gone.
        }
        finally
        {
            changes.Leave(channel);
        }
    }

    private static string Gather(System.Threading.Channels.ChannelReader<Change> reader)
    {
        var text = new StringBuilder();
        while (text.Length < 64 * 1024 && reader.TryRead(out var change))
        {
            text.Append(Text("change", change.Number, JsonSerializer.Serialize(change, WireJson.Default.Change)));
        }

        return text.ToString();
    }

    private static string Text(string kind, long number, string body) => string.Create(CultureInfo.InvariantCulture, $"event: {kind}\nid: {number}\ndata: {body}\n\n");

    private static async Task WriteAsync(HttpContext context, string text)
    {
        await context.Response.WriteAsync(text, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    private IResult List() => Results.Json(
        [.. policies.Versions(null).Select(static v => new PolicyInfo(v.Id, v.Version, v.Xml is null, v.Changed, v.By))], IdentityJson.Default.ListPolicyInfo);

    private IResult Get(string id, long? version)
    {
        string? xml = version is null ? policies.Find(id) : policies.Versions(id).Find(v => v.Version == version)?.Xml;
        return xml is null ? Problems.Of(StatusCodes.Status404NotFound, "Not known") : Results.Text(xml, "application/xacml+xml");
    }

    private async Task<IResult> PutAsync(HttpContext context, string id)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        string xml = await reader.ReadToEndAsync(context.RequestAborted);
        string by = context.GetSubject().Id;
        try
        {
            if (id.Length > 64 || !id.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            {
                throw new PolicyException("An id has at most 64 letters, digits and dashes.");
            }

            long version = policies.Put(id, xml, by);
            audit.Write(by, "policy.put", id, "done", "version " + version.ToString(CultureInfo.InvariantCulture));
            return Results.Json(new PolicyInfo(id, version, false, options.TimeProvider.GetUtcNow(), by), IdentityJson.Default.PolicyInfo);
        }
        catch (PolicyException e)
        {
            audit.Write(by, "policy.put", id, "refused", e.Message);
            return Problems.Of(StatusCodes.Status400BadRequest, "Not a policy", e.Message);
        }
    }

    private IResult Delete(HttpContext context, string id)
    {
        string by = context.GetSubject().Id;
        if (!policies.Delete(id, by))
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        audit.Write(by, "policy.delete", id, "done");
        return Results.NoContent();
    }
}
