using System.Text.Json;

using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>The queries that run: what they do, what they count, what they compare with; and those that operators add.</summary>
internal static class QueryEndpoints
{
    public static void Map(WebApplication app, AnalyticsLayer layer)
    {
        static string Query(HttpContext c) => Resources.Query((string)c.Request.RouteValues["name"]!);
        app.MapGet("/v1/queries", () => Results.Json([.. layer.Engine.Queries.Select(q => Describe(q, layer))], WireJson.Default.ListQueryRecord))
            .Requires(Scopes.DeployQueries, Actions.Deploy, _ => Resources.Query("all"));
        app.MapPost("/v1/queries/{name}/settings", Answer.By(c => SetAsync(c, layer))).Requires(Scopes.DeployQueries, Actions.Deploy, Query);
        app.MapPost("/v1/queries", Answer.By(c => DeployAsync(c, layer))).Requires(Scopes.DeployQueries, Actions.Deploy);
        app.MapDelete("/v1/queries/{name}", (HttpContext c) => Remove(c, layer)).Requires(Scopes.DeployQueries, Actions.Deploy, Query);
    }

    private static QueryRecord Describe(Query query, AnalyticsLayer layer)
    {
        var counters = new Dictionary<string, long>
        {
            ["late"] = query.LateEvents,
            ["refused"] = query.RefusedEvents,
            ["skipped"] = query.SkippedEvents,
            ["evicted"] = query.EvictedKeys,
            ["discardedMatches"] = query.DiscardedPartialMatches,
            ["overflowed"] = query.OverflowedEvents,
        };
        if (query.Sink is { } sink)
        {
            (counters["written"], counters["rejected"], counters["waiting"], counters["retries"]) = (sink.Written, sink.Rejected, sink.Waiting, sink.Retries);
        }

        return new QueryRecord(query.Name, query.State.ToString(), query.Explain(), query.ExplainMermaid(), counters, Settings(query.Name, layer), query.Error?.Message);
    }

    private static JsonElement? Settings(string name, AnalyticsLayer layer)
    {
        var thresholds = layer.Thresholds.Of(name);
        if (thresholds.Count == 0)
        {
            return null;
        }

        var body = new System.Buffers.ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            foreach (var threshold in thresholds)
            {
                json.WriteNumber(threshold.Name, threshold.Value);
            }

            json.WriteEndObject();
        }

        var reader = new Utf8JsonReader(body.WrittenSpan);
        return JsonElement.ParseValue(ref reader);
    }

    private static async Task<IResult> SetAsync(HttpContext context, AnalyticsLayer layer)
    {
        string name = (string)context.Request.RouteValues["name"]!;
        var values = await context.BodyAsync(WireJson.Default.JsonElement);
        if (layer.Thresholds.Set(name, values) is { } wrong)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not set", wrong);
        }

        Audit(context, layer, name, "set " + values.GetRawText());
        return Results.Json(Settings(name, layer)!.Value, WireJson.Default.JsonElement);
    }

    private static async Task<IResult> DeployAsync(HttpContext context, AnalyticsLayer layer)
    {
        var query = await context.BodyAsync(WireJson.Default.QueryDeployment);
        if (query.Name is null || !DeviceIds.IsValid(query.Name))
        {
            throw new BadRequestException("name: 1 to 64 of a-z, 0-9 and -.");
        }

        string resource = Resources.Query(query.Name);
        if (!(await layer.Access.DecideAsync(context.GetSubject(), Actions.Deploy, resource)).Permitted)
        {
            return Refusals.Forbid(context, layer, Actions.Deploy, resource);
        }

        if (layer.Deployed.Deploy(query, [.. layer.Engine.Queries.Select(q => q.Name)]) is { } wrong)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not deployed", wrong);
        }

        Audit(context, layer, query.Name, "deployed");
        return Results.Json(Describe(layer.Engine.Queries.First(q => q.Name == query.Name), layer), WireJson.Default.QueryRecord, statusCode: StatusCodes.Status201Created);
    }

    private static IResult Remove(HttpContext context, AnalyticsLayer layer)
    {
        string name = (string)context.Request.RouteValues["name"]!;
        if (layer.Deployed.Remove(name))
        {
            Audit(context, layer, name, "taken away");
            return Results.NoContent();
        }

        return layer.Engine.Queries.Any(q => q.Name == name)
            ? Problems.Of(StatusCodes.Status409Conflict, "Built in", "This query belongs to the layer; its settings can be changed.")
            : Problems.Of(StatusCodes.Status404NotFound, "Not found", "There is no such query.");
    }

    private static void Audit(HttpContext context, AnalyticsLayer layer, string query, string detail) => layer.Audit(new AuditEntry(
        DateTimeOffset.UtcNow, Commands.Interlock.Layer, context.Subject(), Actions.Deploy, Resources.Query(query), "done", detail.Length > 500 ? detail[..500] : detail));
}
