using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

using IoT.Reference.Contracts;

namespace IoT.Reference.Host.Tour;

/// <summary>What the tour stops at. Each is a few lines that show how a feature is used, and fails where it does not do what it should.</summary>
internal static partial class Stations
{
    public static IReadOnlyList<(string Title, Func<Visit, Task<string>> Walk)> All { get; } =
    [
        ("Everybody sees his own", OwnDevicesAsync),
        ("A reading becomes an alert, and a command that cools", AlertAndCommandAsync),
        ("An alert is acknowledged", AcknowledgeAsync),
        ("A command, and its answer", CommandAsync),
        ("Desired and reported", DesiredAsync),
        ("Locked, located, unlocked", LockAsync),
        ("Network settings that cut a device off come back", NetworkAsync),
        ("A fridge that sends mail", BehaviourAsync),
        ("A device is shared for a while", ShareAsync),
        ("A threshold is changed while the query runs", ThresholdAsync),
        ("A query is deployed", DeployAsync),
        ("Simulation: rules may not act", InterlockAsync),
        ("Stored, rolled up, and computed again by a batch job", HistoryAsync),
        ("Software for the canaries", RolloutAsync),
        ("One command for many", JobAsync),
        ("A policy changes for all entrances", PolicyAsync),
        ("The API by its gateway, and its limits", ApiGatewayAsync),
        ("Metrics and health", MetricsAsync),
        ("A credential is rotated", RotateAsync),
        ("A device is revoked", RevokeAsync),
        ("A person is forgotten", EraseAsync),
    ];

    private static JsonContent Json(object value) => JsonContent.Create(value);

    private static async Task<string> OwnDevicesAsync(Visit visit)
    {
        var own = await visit.Alice.GetAsync(visit.At.Portal, "/api/v1/devices?limit=1000", WireJson.Default.ListDeviceRecord, visit.Stop);
        Visit.Check(own.Count > 0 && own.TrueForAll(static d => d.Owner == "alice"), "alice sees devices of others, or none");
        HttpStatusCode foreign = await visit.StatusAsync(visit.Bob, HttpMethod.Get, $"/api/v1/devices/{Visit.Device}");
        Visit.Check(foreign is HttpStatusCode.Forbidden or HttpStatusCode.NotFound, $"bob gets {(int)foreign} for alice's device");
        return $"alice has {own.Count} devices, bob gets {(int)foreign} for one of them";
    }

    private static async Task<string> AlertAndCommandAsync(Visit visit)
    {
        await visit.SendAsync(40);
        await visit.SendAsync(95);
        AlertRecord alert = await visit.AlertAsync("overheating", static a => a.State == AlertState.Raised);
        await visit.UntilAsync(
            () => visit.Alice.GetAsync(visit.At.Portal, $"/api/v1/devices/{Visit.Device}/state", WireJson.Default.DeviceTwin, visit.Stop),
            static twin => twin.Reported is { } reported && reported.Values.TryGetProperty("outputs", out JsonElement outputs) && outputs.TryGetProperty("fan", out JsonElement fan) && fan.GetDouble() == 1,
            "the fan");
        return $"'{alert.Text}', and the device reports that its fan is on";
    }

    private static async Task<string> AcknowledgeAsync(Visit visit)
    {
        AlertRecord alert = await visit.AlertAsync("overheating", static a => a.State is AlertState.Raised or AlertState.Escalated);
        HttpStatusCode stranger = await visit.StatusAsync(visit.Bob, HttpMethod.Post, $"/api/v1/alerts/{alert.Id}/acknowledge");
        Visit.Check(stranger is HttpStatusCode.Forbidden or HttpStatusCode.NotFound, $"bob gets {(int)stranger}");
        HttpStatusCode own = await visit.StatusAsync(visit.Alice, HttpMethod.Post, $"/api/v1/alerts/{alert.Id}/acknowledge");
        Visit.Check((int)own is >= 200 and < 300, $"alice gets {(int)own}");
        await visit.AlertAsync("overheating", static a => a is { State: AlertState.Acknowledged, AcknowledgedBy: "alice" });
        await visit.SendAsync(40);
        await visit.AlertAsync("overheating", static a => a.State == AlertState.Cleared);
        return $"by alice (bob gets {(int)stranger}); cleared when it is cool again";
    }

    private static async Task<string> CommandAsync(Visit visit)
    {
        CommandRecord command = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/commands", Json(new { name = "set", arguments = new { output = "lamp", value = 1 }, reason = "tour" }));
        Visit.Check(command.State == CommandState.Acked, $"it is {command.State}");
        CommandRecord refused = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/commands", Json(new { name = "self-destruct" }));
        Visit.Check(refused.State is CommandState.Refused or CommandState.Failed, $"an unknown one is {refused.State}");
        return $"{command.State}; one that the device does not know: {refused.State}";
    }

    private static async Task<string> DesiredAsync(Visit visit)
    {
        using HttpResponseMessage answer = await visit.Alice.SendAsync(
            HttpMethod.Put, visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/desired", Json(new Dictionary<string, bool> { ["capabilities.camera"] = false }), visit.Stop);
        await Person.EnsureAsync(answer, visit.Stop);
        DeviceTwin twin = await visit.UntilAsync(
            () => visit.Alice.GetAsync(visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/state", WireJson.Default.DeviceTwin, visit.Stop),
            static t => t.Desired is { } desired && t.Reported?.Version == desired.Version,
            "the desired state");
        CommandRecord refused = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/commands", Json(new { name = "set", arguments = new { output = "camera", value = 1 } }));
        return $"version {twin.Reported!.Version} applied; the camera is off, and a command for it is {refused.State}";
    }

    private static async Task<string> LockAsync(Visit visit)
    {
        CommandRecord locked = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/lock", null);
        HttpStatusCode gated = await visit.Alice.StatusAsync(
            HttpMethod.Post, visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/commands", Json(new { name = "set", arguments = new { output = "lamp", value = 0 } }), visit.Stop);
        CommandRecord located = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/locate", null);
        CommandRecord unlocked = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/unlock", null);
        Visit.Check((locked.State, located.State, unlocked.State) == (CommandState.Acked, CommandState.Acked, CommandState.Acked), $"{locked.State}, {located.State}, {unlocked.State}");
        return $"while it is locked a command gets {(int)gated}; it is at {located.Result}";
    }

    private static async Task<string> NetworkAsync(Visit visit)
    {
        CommandRecord failed = await visit.CommandAsync(visit.Alice, $"/v1/devices/{Visit.Device}/network", Json(new { profile = "unreachable-wifi", confirmWithinSeconds = 1 }));
        Visit.Check(failed.State == CommandState.Failed, $"it is {failed.State}");
        return failed.Detail ?? "";
    }

    private static async Task<string> BehaviourAsync(Visit visit)
    {
        await visit.NoticeAsync(new DeviceEvent(DeviceEventKinds.Contacted, TimeProvider.System.GetUtcNow(), Destination: "mail.example", Port: 25));
        AlertRecord? alert = await visit.UntilAsync(
            async () => (await visit.Alice.GetAsync(visit.At.Portal, $"/api/v1/alerts?device={Visit.Device}", WireJson.Default.ListAlertRecord, visit.Stop)).Find(static a => a.Rule != "overheating" && a.Text.Contains("25", StringComparison.Ordinal)),
            static a => a is not null,
            "an alert about port 25");
        return $"{alert!.Rule}: {alert.Text}";
    }

    private static async Task<string> ShareAsync(Visit visit)
    {
        DateTimeOffset until = TimeProvider.System.GetUtcNow().AddMinutes(5);
        string path = $"/api/v1/readings/{Visit.Device}";
        HttpStatusCode before = await visit.StatusAsync(visit.Bob, HttpMethod.Get, path);
        Share share = await visit.Alice.PostAsync(
            visit.At.Identity, "/v1/shares", new ShareRequest(Visit.Device, "bob", [Actions.Read], until), WireJson.Default.ShareRequest, WireJson.Default.Share, visit.Stop);
        HttpStatusCode during = await visit.UntilAsync(() => visit.StatusAsync(visit.Bob, HttpMethod.Get, path), static s => s == HttpStatusCode.OK, "bob's reading");
        await visit.Alice.StatusAsync(HttpMethod.Delete, visit.At.Identity, $"/v1/shares/{share.Id}", null, visit.Stop);
        HttpStatusCode after = await visit.UntilAsync(() => visit.StatusAsync(visit.Bob, HttpMethod.Get, path), static s => s != HttpStatusCode.OK, "the end of bob's reading");
        return $"bob gets {(int)before} before, {(int)during} while it is shared, {(int)after} afterwards";
    }
}
