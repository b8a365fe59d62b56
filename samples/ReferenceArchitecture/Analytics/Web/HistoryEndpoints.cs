using IoT.Reference.Access;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>Stored readings, sessions, and what is kept about a person's devices.</summary>
internal static class HistoryEndpoints
{
    private const int MaxRows = 10_000, MaxExported = 1_000_000, MaxDevices = 10_000;

    public static void Map(WebApplication app, AnalyticsLayer layer)
    {
        static string Device(HttpContext c) => Resources.Device((string)c.Request.RouteValues["device"]!);
        app.MapGet("/v1/readings/{device}", (HttpContext c) => Readings(c, layer)).Requires(Scopes.ReadReadings, Actions.Read, Device);
        app.MapGet("/v1/sessions/{device}", (HttpContext c) => Results.Json(Sessions(layer.Store, c.Device(), c.Limit(1_000, 100)), WireJson.Default.ListDeviceSession))
            .Requires(Scopes.ReadReadings, Actions.Read, Device);
        app.MapGet("/v1/people/{user}/export", Answer.By(c => ExportAsync(c, layer))).Requires(Scopes.ManagePeople, Actions.Manage);
        app.MapDelete("/v1/people/{user}", Answer.By(c => EraseAsync(c, layer))).Requires(Scopes.ManagePeople, Actions.Manage);
    }

    private static IResult Readings(HttpContext context, AnalyticsLayer layer)
    {
        string step = context.Word("step") ?? "raw";
        if (step is not ("raw" or "minute" or "hour"))
        {
            throw new BadRequestException("step is raw, minute or hour.");
        }

        var to = context.Time("to") ?? DateTimeOffset.MaxValue;
        var rows = layer.History.Read(
            context.Device(), step, context.Time("from") ?? DateTimeOffset.UnixEpoch, to, context.Word("name"), context.Limit(MaxRows, 1_000));
        return Results.Json([.. rows], WireJson.Default.ListStoredReading);
    }

    private static List<DeviceSession> Sessions(Store store, string device, int limit) => store.Read(c => c.Rows(
        row => new DeviceSession(device, row.Time(0), row.Time(1), row.GetInt64(2), row.GetDouble(3), row.GetDouble(4)),
        "SELECT start, end, readings, min, max FROM sessions WHERE device = @device ORDER BY start DESC LIMIT @limit", ("@device", device), ("@limit", limit)));

    private static async Task<IResult> ExportAsync(HttpContext context, AnalyticsLayer layer)
    {
        string[] devices = context.Devices(MaxDevices);
        if (await RefusalAsync(context, layer, devices) is { } refusal)
        {
            return refusal;
        }

        var (readings, hours, alerts, sessions) = (new List<StoredReading>(), new List<StoredReading>(), new List<AlertRecord>(), new List<DeviceSession>());
        foreach (string device in devices)
        {
            readings.AddRange(layer.History.Read(device, "raw", DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, null, MaxExported - readings.Count));
            hours.AddRange(layer.History.Read(device, "hour", DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, null, MaxExported - hours.Count));
            alerts.AddRange(layer.Alerts.List(null, 10_000, null, device));
            sessions.AddRange(Sessions(layer.Store, device, 10_000));
        }

        return Results.Json(new AnalyticsExport(readings, hours, alerts, sessions), WireJson.Default.AnalyticsExport);
    }

    private static async Task<IResult> EraseAsync(HttpContext context, AnalyticsLayer layer)
    {
        string[] devices = context.Devices(MaxDevices);
        if (await RefusalAsync(context, layer, devices) is { } refusal)
        {
            return refusal;
        }

        await Task.Run(() => layer.Erase(devices), CancellationToken.None);
        return Results.NoContent();
    }

    // Who may do so for all people, or the person himself: then each device must be one that he may manage, since it is he who names them.
    private static async Task<IResult?> RefusalAsync(HttpContext context, AnalyticsLayer layer, string[] devices)
    {
        var subject = context.GetSubject();
        if ((await layer.Access.DecideAsync(subject, Actions.Administer, Resources.People)).Permitted)
        {
            return null;
        }

        bool isAllHis = subject.Id == (string)context.Request.RouteValues["user"]!
            && (await layer.Access.FilterAsync(subject, Actions.Manage, [.. devices.Select(Resources.Device)])).All(permitted => permitted);
        return isAllHis ? null : Refusals.Forbid(context, layer, Actions.Administer, Resources.People);
    }
}

/// <summary>Refusals that an endpoint itself has to make.</summary>
internal static class Refusals
{
    public static IResult Forbid(HttpContext context, AnalyticsLayer layer, string action, string resource)
    {
        layer.Access.Refused(context.GetSubject(), action, resource, "no policy permits it", context.Connection.RemoteIpAddress?.ToString());
        return Problems.Of(StatusCodes.Status403Forbidden, "Not allowed", "No policy permits it.");
    }
}
