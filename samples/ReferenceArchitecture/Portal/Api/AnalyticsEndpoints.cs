using System.ComponentModel;
using System.Globalization;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>How closely stored readings lie.</summary>
internal enum ReadingStep
{
    Raw,
    Minute,
    Hour,
}

/// <summary>Readings, alerts and what happens now: analytics.</summary>
internal static class AnalyticsEndpoints
{
    internal static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/readings/{id}", (
                Layers layers, string id, [Description("The first moment, ISO 8601.")] DateTimeOffset? from, [Description("The moment after the last.")] DateTimeOffset? to,
                [Description("`raw`, or rolled up: `minute`, `hour`.")] string? step, [Description("The name of the reading, such as `temperature`.")] string? name, int? limit) =>
            !string.IsNullOrEmpty(step) && !Enum.TryParse<ReadingStep>(step, ignoreCase: true, out _)
                ? Problems.Of(StatusCodes.Status400BadRequest, "Not valid", "step is raw, minute or hour.")
                : layers.Analytics.Get(Paths.Of("v1/readings", id).With(("from", Text(from)), ("to", Text(to)), ("step", step), ("name", name), ("limit", limit?.ToString(CultureInfo.InvariantCulture)))))
            .Says("getReadings", "Stored readings of a device", "Roll-ups have the mean as value, and least, greatest and count.").Gives<List<StoredReading>>()
            .Requires(Scopes.ReadReadings, Actions.Read, ApiEndpoints.Device);
        api.MapGet("/alerts", (Layers layers, AlertState? state, Severity? severity, string? device, string? after, int? limit) =>
                layers.Analytics.Get("v1/alerts".With(
                    ("state", state?.ToString()), ("severity", severity?.ToString()), ("device", device), ("after", after), ("limit", limit?.ToString(CultureInfo.InvariantCulture)))))
            .Says("listAlerts", "Alerts of the devices you may read", "The newest first; raised, escalated, acknowledged, cleared.").Gives<List<AlertRecord>>()
            .Requires(Scopes.ReadReadings, Actions.Read);
        api.MapPost("/alerts/{alert}/acknowledge", (Layers layers, string alert) => layers.Analytics.Send(HttpMethod.Post, Paths.Of("v1/alerts", alert, "acknowledge")))
            .Says("acknowledgeAlert", "Say that you have seen an alert", "Doing it again changes nothing.").Gives<AlertRecord>().ProducesProblem(StatusCodes.Status404NotFound)
            .Requires(Scopes.ManageAlerts, Actions.Acknowledge);
        api.MapGet("/live", (HttpContext context, LiveStreams streams, [Description("Ids of devices whose readings to send, separated by commas, at most 50.")] string? devices) =>
                streams.Open(context, devices))
            .Says("live", "What happens now, as server-sent events",
                "`event: reading` with a StoredReading, at most one a second of each device and name; `event: alert` with an AlertRecord whenever one changes; `event: counters` with names and numbers. "
                + "A reader that does not keep up is not waited for.")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
            .Requires(Scopes.ReadReadings, Actions.Read);
    }

    private static string? Text(DateTimeOffset? time) => time?.UtcDateTime.ToString("o", CultureInfo.InvariantCulture);
}
