using System.ComponentModel;
using System.Globalization;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>Devices, their states and commands: the device manager.</summary>
internal static class DeviceEndpoints
{
    private const string Root = "v1/devices";

    internal static void Map(RouteGroupBuilder api)
    {
        MapRegistry(api);
        MapState(api);
        MapCommands(api);
    }

    private static void MapRegistry(RouteGroupBuilder api)
    {
        api.MapGet("/devices", (
                Layers layers, [Description("Part of the id, type, group or owner.")] string? q, string? type, string? group, DeviceState? state, bool? online,
                [Description("The last id of the page before.")] string? after, [Description("The most devices to give: 1 to 500.")] int? limit) =>
            layers.Manager.Get(Root.With(
                ("q", q), ("type", type), ("group", group), ("state", state?.ToString()), ("online", online is { } o ? o ? "true" : "false" : null), ("after", after),
                ("limit", limit?.ToString(CultureInfo.InvariantCulture)))))
            .Says("listDevices", "List the devices you may read", "Yours, those shared with you, all for operators. Page by page: pass the last id as `after`.")
            .Gives<List<DeviceRecord>>().Requires(Scopes.ReadDevices, Actions.Read);
        api.MapPost("/devices", (Layers layers, RegisterRequest request) => layers.Manager.Send(HttpMethod.Post, Root, request, WireJson.Default.RegisterRequest))
            .Says("registerDevice", "Make a device known", "The secret and the claim code are told this once.")
            .Gives<Registered>(StatusCodes.Status201Created).Requires(Scopes.ManageDevices, Actions.Administer, static _ => Resources.Jobs);
        api.MapGet("/devices/{id}", (Layers layers, string id) => layers.Manager.Get(Paths.Of(Root, id)))
            .Says("getDevice", "One device").Gives<DeviceRecord>().ProducesProblem(StatusCodes.Status404NotFound)
            .Requires(Scopes.ReadDevices, Actions.Read, ApiEndpoints.Device);
        api.MapDelete("/devices/{id}", (Layers layers, string id) => layers.Manager.Send(HttpMethod.Delete, Paths.Of(Root, id)))
            .Says("removeDevice", "Forget a device", "Its credentials become void and its stored state goes.").Produces(StatusCodes.Status204NoContent)
            .Requires(Scopes.ManageDevices, Actions.Administer, static _ => Resources.Jobs);
        api.MapPost("/claims", (Layers layers, ClaimRequest request) => layers.Manager.Send(HttpMethod.Post, "v1/claims", request, WireJson.Default.ClaimRequest))
            .Says("claimDevice", "Become the owner of a device", "By the code that stands on its box.").Gives<DeviceRecord>()
            .Requires(Scopes.ManageDevices, Actions.Manage);
    }

    private static void MapState(RouteGroupBuilder api)
    {
        api.MapGet("/devices/{id}/state", (Layers layers, string id) => layers.Manager.Get(Paths.Of(Root, id, "state")))
            .Says("getState", "Desired and reported state", "And the names in which they differ.").Gives<DeviceTwin>()
            .Requires(Scopes.ReadDevices, Actions.Read, ApiEndpoints.Device);
        api.MapPut("/devices/{id}/desired", (Layers layers, string id, [Description("Names and values.")] System.Text.Json.JsonElement values) =>
                layers.Manager.Send(HttpMethod.Put, Paths.Of(Root, id, "desired"), values, WireJson.Default.JsonElement))
            .Says("setDesired", "Say what a device shall be like", "It reports when it is; until then the state says what differs.").Gives<DesiredState>()
            .Requires(Scopes.ManageDevices, Actions.Manage, ApiEndpoints.Device);
    }

    private static void MapCommands(RouteGroupBuilder api)
    {
        api.MapGet("/devices/{id}/commands", (Layers layers, string id, string? after, int? limit) =>
                layers.Manager.Get(Paths.Of(Root, id, "commands").With(("after", after), ("limit", limit?.ToString(CultureInfo.InvariantCulture)))))
            .Says("listCommands", "Commands of a device and where they are", "The newest first.").Gives<List<CommandRecord>>()
            .Requires(Scopes.ReadDevices, Actions.Read, ApiEndpoints.Device);
        api.MapPost("/devices/{id}/commands", (Layers layers, string id, CommandRequest command) =>
                layers.Manager.Send(HttpMethod.Post, Paths.Of(Root, id, "commands"), command, WireJson.Default.CommandRequest))
            .Says("sendCommand", "Send a command", "It is queued for a device that sleeps: queued, sent, delivered, acked, or failed, expired, refused.").Gives<CommandRecord>(StatusCodes.Status202Accepted)
            .Requires(Scopes.SendCommands, Actions.Command, ApiEndpoints.Device);
        foreach (var (verb, scope, action, summary) in ((string, string, string, string)[])
        [
            ("lock", Scopes.ManageDevices, Actions.Manage, "Lock a device: it takes no command but to be unlocked, wiped, located"),
            ("unlock", Scopes.ManageDevices, Actions.Manage, "Unlock a device"),
            ("wipe", Scopes.ManageDevices, Actions.Manage, "Delete what is secret on a device; it must be provisioned anew"),
            ("locate", Scopes.ManageDevices, Actions.Manage, "Ask a device where it is"),
            ("rotate", Scopes.ManageDevices, Actions.Manage, "Give a device a new secret"),
            ("revoke", Scopes.ManageDevices, Actions.Manage, "Make a device's credentials void; it is disconnected"),
        ])
        {
            api.MapPost("/devices/{id}/" + verb, (Layers layers, string id) => layers.Manager.Send(HttpMethod.Post, Paths.Of(Root, id, verb)))
                .Says(verb + "Device", summary).Gives<CommandRecord>(StatusCodes.Status202Accepted).Requires(scope, action, ApiEndpoints.Device);
        }
    }
}
