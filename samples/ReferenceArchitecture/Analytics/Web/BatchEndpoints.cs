using System.Globalization;

using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>Batch jobs over the stored history: for operators, since a job sees all devices.</summary>
internal static class BatchEndpoints
{
    private static readonly Func<HttpContext, string> _batch = _ => Resources.Query("batch");

    public static void Map(WebApplication app, AnalyticsLayer layer)
    {
        app.MapPost("/v1/batch", Answer.By(c => BeginAsync(c, layer))).Requires(Scopes.DeployQueries, Actions.Deploy, _batch);
        app.MapGet("/v1/batch/{id}", (HttpContext c) => Find(c, layer)).Requires(Scopes.DeployQueries, Actions.Deploy, _batch);
        app.MapDelete("/v1/batch/{id}", Answer.By(c => CancelAsync(c, layer))).Requires(Scopes.DeployQueries, Actions.Deploy, _batch);
    }

    private static async Task<IResult> BeginAsync(HttpContext context, AnalyticsLayer layer)
    {
        (BatchRecord? job, string? wrong) = layer.Batch.Begin(await context.BodyAsync(WireJson.Default.BatchRequest));
        return job is not null
            ? Results.Json(job, WireJson.Default.BatchRecord, statusCode: StatusCodes.Status202Accepted)
            : Problems.Of(StatusCodes.Status400BadRequest, "Not begun", wrong);
    }

    private static IResult Find(HttpContext context, AnalyticsLayer layer) =>
        layer.Batch.Find((string)context.Request.RouteValues["id"]!, context.Limit(10_000, 1_000), After(context.Word("after"))) is { } job
            ? Results.Json(job, WireJson.Default.BatchRecord)
            : Problems.Of(StatusCodes.Status404NotFound, "Not found", "There is no such job.");

    private static async Task<IResult> CancelAsync(HttpContext context, AnalyticsLayer layer) =>
        await layer.Batch.CancelAsync((string)context.Request.RouteValues["id"]!)
            ? Results.NoContent()
            : Problems.Of(StatusCodes.Status409Conflict, "Not running", "There is no such job, or it has ended.");

    // The last result of the page before: its device, time and name, separated by commas.
    private static (string Device, string Name, long Time)? After(string? text) =>
        text is null ? null
        : text.Split(',', 3) is [var device, var time, var name] && DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? (device, name, at.UtcTicks)
            : throw new BadRequestException("after is device,time,name of the last result before.");
}
