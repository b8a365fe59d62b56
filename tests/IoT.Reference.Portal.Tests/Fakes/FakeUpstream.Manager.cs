using System.Collections.Concurrent;
using System.Text.Json;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Reference.Portal;

internal sealed partial class FakeUpstream
{
    private static readonly DateTimeOffset _start = TimeProvider.System.GetUtcNow();

    private readonly ConcurrentDictionary<string, List<CommandRecord>> _commands = new();
    private readonly ConcurrentDictionary<string, JsonElement> _desired = new();

    internal ConcurrentDictionary<string, DeviceRecord> Devices { get; } = new(Fleet().Select(d => KeyValuePair.Create(d.Id, d)));

    private static IEnumerable<DeviceRecord> Fleet()
    {
        (string Id, string Type, string Owner, string? Gateway, DeviceState State, bool Online)[] fleet =
        [
            ("pi-1", "raspberry-pi", "alice", null, DeviceState.Active, true), ("pi-2", "raspberry-pi", "alice", null, DeviceState.Active, true),
            ("tiny-1", "tiny-controller", "alice", null, DeviceState.Active, true), ("tiny-2", "tiny-controller", "alice", null, DeviceState.Active, false),
            ("arduino-1", "arduino", "alice", null, DeviceState.Active, true), ("arduino-2", "arduino", "bob", null, DeviceState.Locked, true),
            ("sensor-1", "sensor", "alice", "gw-1", DeviceState.Active, true), ("sensor-2", "sensor", "alice", "gw-1", DeviceState.Active, true),
            ("sensor-3", "sensor", "bob", "gw-1", DeviceState.Registered, false), ("gw-1", "gateway", "alice", null, DeviceState.Active, true),
            ("pump-7", "pump-controller", "bob", null, DeviceState.Wiped, false), ("valve-3", "valve", "alice", null, DeviceState.Revoked, false),
        ];
        return fleet.Select(d => new DeviceRecord(
            d.Id, d.Type, d.State, d.Owner, d.Online ? "hall-a" : "hall-b", d.Gateway, "2.1.0", _start.AddDays(-90), _start.AddSeconds(d.Online ? -4 : -90_000), d.Online,
            Latitude: 52.52, Longitude: 13.405, Attributes: new Dictionary<string, string> { ["serial-number"] = "SN-" + d.Id }));
    }

    private void MapManager(RouteGroupBuilder manager)
    {
        manager.MapGet("/v1/devices", (string? q, string? after, int? limit) => Results.Json(
            [.. Devices.Values.OrderBy(d => d.Id, StringComparer.Ordinal).Where(d => string.CompareOrdinal(d.Id, after) > 0 && d.Id.Contains(q ?? "", StringComparison.Ordinal)).Take(limit ?? 100)],
            WireJson.Default.ListDeviceRecord));
        manager.MapGet("/v1/devices/{id}", (string id) => Devices.TryGetValue(id, out var d) ? Results.Json(d, WireJson.Default.DeviceRecord) : Unknown());
        manager.MapPost("/v1/claims", (HttpContext context, ClaimRequest claim) =>
            claim.Code == "code" && Devices.TryGetValue(claim.Device, out var d) ? Changed(d with { Owner = SubjectOf(context) }) : Unknown());
        manager.MapGet("/v1/devices/{id}/state", (string id) =>
        {
            var values = _desired.GetValueOrDefault(id, JsonDocument.Parse("""{"interval":10,"fan":"auto"}""").RootElement);
            var reported = JsonDocument.Parse("""{"interval":30,"fan":"auto","version":"2.1.0"}""").RootElement;
            return Results.Json(new DeviceTwin(new DesiredState(3, values), new ReportedState(2, reported, _start), ["interval"]), WireJson.Default.DeviceTwin);
        });
        manager.MapPut("/v1/devices/{id}/desired", (string id, JsonElement values) =>
        {
            _desired[id] = values;
            return Results.Json(new DesiredState(4, values), WireJson.Default.DesiredState);
        });
        manager.MapGet("/v1/devices/{id}/commands", (string id) => Results.Json(Advance(id), WireJson.Default.ListCommandRecord));
        manager.MapPost("/v1/devices/{id}/commands", (HttpContext context, string id, CommandRequest request) => Command(context, id, request.Name, request.Arguments, request.Reason));
        foreach (string verb in (string[])["lock", "unlock", "wipe", "locate"])
        {
            manager.MapPost("/v1/devices/{id}/" + verb, (HttpContext context, string id) =>
            {
                Devices[id] = Devices[id] with { State = verb switch { "lock" => DeviceState.Locked, "wipe" => DeviceState.Wiped, _ => DeviceState.Active } };
                return Command(context, id, verb, null, null);
            });
        }

        manager.MapGet("/v1/people/{user}/export", () => Results.Content("""{"devices":["pi-1"]}""", "application/json"));
        manager.MapDelete("/v1/people/{user}", () => Results.NoContent());
    }

    private static IResult Unknown() => Results.Content("""{"title":"Not known","status":404,"detail":"There is no such device."}""", "application/problem+json", null, 404);

    private IResult Changed(DeviceRecord device) => Results.Json(Devices[device.Id] = device, WireJson.Default.DeviceRecord);

    private IResult Command(HttpContext context, string id, string name, JsonElement? arguments, string? reason)
    {
        var now = TimeProvider.System.GetUtcNow();
        var command = new CommandRecord(Guid.NewGuid().ToString("n"), id, name, arguments, CommandState.Queued, SubjectOf(context) ?? "", reason, now, now.AddHours(1));
        lock (_commands)
        {
            _commands.GetOrAdd(id, _ => []).Insert(0, command);
        }

        return Results.Json(command, WireJson.Default.CommandRecord, statusCode: 202);
    }

    // A command is one step further each time somebody looks.
    private List<CommandRecord> Advance(string id)
    {
        lock (_commands)
        {
            var list = _commands.GetOrAdd(id, _ => []);
            for (int i = 0; i < list.Count; i++)
            {
                list[i] = list[i].State < CommandState.Acked ? list[i] with { State = list[i].State + 1 } : list[i];
            }

            return [.. list];
        }
    }
}
