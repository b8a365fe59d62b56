using IoT.Reference.Access;
using IoT.Reference.Analytics.Commands;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>The interlock's settings, and how APIs are used.</summary>
internal static class ControlEndpoints
{
    public static void Map(WebApplication app, AnalyticsLayer layer)
    {
        app.MapGet("/v1/interlock", () => Results.Json(layer.Interlock.Settings, WireJson.Default.InterlockSettings)).Requires(Scopes.DeployQueries, Actions.Read, _ => Resources.Interlock);
        app.MapPost("/v1/interlock", Answer.By(c => SetAsync(c, layer))).Requires(Scopes.DeployQueries, Actions.Administer, _ => Resources.Interlock);

        // Before the engine's own endpoint of this path, which would take a GET for a device that sends.
        app.MapGet("/v1/usage", (HttpContext c) => Results.Json(
                layer.Usage.List(c.Time("from") ?? DateTimeOffset.UnixEpoch, c.Word("api"), c.Limit(10_000, 1_000)), WireJson.Default.ListUsageSummary))
            .Requires(Scopes.ReadReadings, Actions.Read, _ => Resources.Apis).WithOrder(-1);
        app.MapGet("/v1/usage/top", () => Results.Json([.. layer.Usage.Tops], WireJson.Default.ListUsageTop)).Requires(Scopes.ReadReadings, Actions.Read, _ => Resources.Apis);
    }

    private static async Task<IResult> SetAsync(HttpContext context, AnalyticsLayer layer)
    {
        var settings = await context.BodyAsync(WireJson.Default.InterlockSettings);
        if (Interlock.Check(settings) is { } wrong)
        {
            throw new BadRequestException(wrong);
        }

        layer.KeepInterlock(settings);
        layer.Audit(new AuditEntry(
            DateTimeOffset.UtcNow, Interlock.Layer, context.Subject(), Actions.Administer, Resources.Interlock, "done", settings.IsSimulation ? "simulation on" : "simulation off"));
        return Results.Json(settings, WireJson.Default.InterlockSettings);
    }
}
