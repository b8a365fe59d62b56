using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>Alerts of the devices that the caller may read.</summary>
internal static class AlertEndpoints
{
    // Of those that look at few devices many alerts are passed over; so many are looked at for one answer.
    private const int MaxRows = 500, MaxPages = 40;

    public static void Map(WebApplication app, AnalyticsLayer layer)
    {
        app.MapGet("/v1/alerts", Answer.By(c => ListAsync(c, layer))).Requires(Scopes.ReadReadings, Actions.Read);
        app.MapPost("/v1/alerts/{id}/acknowledge", Answer.By(c => AcknowledgeAsync(c, layer))).Requires(Scopes.ManageAlerts, Actions.Acknowledge);
    }

    private static async Task<IResult> ListAsync(HttpContext context, AnalyticsLayer layer)
    {
        int limit = context.Limit(MaxRows, 100);
        AlertState? state = context.Word("state") is not { } word ? null
            : Enum.TryParse<AlertState>(word, ignoreCase: true, out var known) && Enum.IsDefined(known) ? known
            : throw new BadRequestException("state is raised, escalated, acknowledged or cleared.");
        string? after = context.Word("after"), device = context.Word("device");
        var found = new List<AlertRecord>();
        for (int page = 0; page < MaxPages && found.Count < limit; page++)
        {
            var alerts = layer.Alerts.List(after, MaxRows, state, device);
            bool[] permitted = await layer.Access.FilterAsync(context.GetSubject(), Actions.Read, [.. alerts.Select(a => Resources.Device(a.Device))]);
            for (int i = 0; i < alerts.Count && found.Count < limit; i++)
            {
                if (permitted[i])
                {
                    found.Add(alerts[i]);
                }
            }

            if (alerts.Count < MaxRows)
            {
                break;
            }

            after = alerts[^1].Id;
        }

        return Results.Json(found, WireJson.Default.ListAlertRecord);
    }

    private static async Task<IResult> AcknowledgeAsync(HttpContext context, AnalyticsLayer layer)
    {
        string id = (string)context.Request.RouteValues["id"]!;
        var alert = layer.Alerts.Find(id);
        if (alert is null || !(await layer.Access.DecideAsync(context.GetSubject(), Actions.Read, Resources.Device(alert.Device))).Permitted)
        {
            // Who may not see it is not told that it is there.
            return Problems.Of(StatusCodes.Status404NotFound, "Not found", "There is no such alert.");
        }

        string resource = Resources.Device(alert.Device);
        if (!(await layer.Access.DecideAsync(context.GetSubject(), Actions.Acknowledge, resource)).Permitted)
        {
            return Refusals.Forbid(context, layer, Actions.Acknowledge, resource);
        }

        return layer.Alerts.Acknowledge(id, context.Subject()) switch
        {
            { Changed: true } done => Results.Json(done.Alert, WireJson.Default.AlertRecord),
            { Alert.State: AlertState.Acknowledged } same => Results.Json(same.Alert, WireJson.Default.AlertRecord),
            _ => Problems.Of(StatusCodes.Status409Conflict, "Too late", "The alert is cleared."),
        };
    }
}
