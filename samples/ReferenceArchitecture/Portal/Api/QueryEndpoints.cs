using System.ComponentModel;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>The queries that run: analytics.</summary>
internal static class QueryEndpoints
{
    internal static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/queries", (Layers layers) => layers.Analytics.Get("v1/queries"))
            .Says("listQueries", "The queries that run", "With plan, a drawing of it as Mermaid text, counters and settings. For operators.").Gives<List<QueryRecord>>()
            .Requires(Scopes.DeployQueries, Actions.Deploy);
        api.MapPost("/queries", (Layers layers, [Description("What to run: see the documentation of analytics.")] JsonElement query) =>
                layers.Analytics.Send(HttpMethod.Post, "v1/queries", query, WireJson.Default.JsonElement))
            .Says("deployQuery", "Run a query", "For operators.").Gives<QueryRecord>(StatusCodes.Status201Created)
            .Requires(Scopes.DeployQueries, Actions.Deploy);
        api.MapDelete("/queries/{name}", (Layers layers, string name) => layers.Analytics.Send(HttpMethod.Delete, Paths.Of("v1/queries", name)))
            .Says("removeQuery", "End a query", "For operators.").Produces(StatusCodes.Status204NoContent)
            .Requires(Scopes.DeployQueries, Actions.Deploy, Query);
        api.MapPost("/queries/{name}/settings", (Layers layers, string name, [Description("Names and values; those left out stay.")] JsonElement settings) =>
                layers.Analytics.Send(HttpMethod.Post, Paths.Of("v1/queries", name, "settings"), settings, WireJson.Default.JsonElement))
            .Says("setQuery", "Change a query's thresholds while it runs", "It counts from the next event on. Answers with all its settings.").Gives<JsonElement>()
            .Requires(Scopes.DeployQueries, Actions.Deploy, Query);
    }

    private static string Query(HttpContext context) => Resources.Query((string)context.Request.RouteValues["name"]!);
}
