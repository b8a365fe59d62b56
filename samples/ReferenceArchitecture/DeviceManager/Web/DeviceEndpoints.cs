using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Commands;
using IoT.Reference.DeviceManager.Registry;

namespace IoT.Reference.DeviceManager.Web;

/// <summary>Requests about one device, or about those that somebody may see.</summary>
internal sealed class DeviceEndpoints(DeviceRegistry registry, Twins twins, DeviceActions actions, CommandDesk desk, AccessPoint access, People people)
{
    private const int MaxBatch = 10_000, MaxSecretsAtOnce = 8, RowsAtOnce = 500, MaxRowsLookedAt = 20_000;

    // These have a state in the registry, and come by an address of their own.
    private static readonly string[] _ownAddress = [CommandNames.Lock, CommandNames.Unlock, CommandNames.Wipe, CommandNames.RotateCredential];

    public void Map(WebApplication app)
    {
        static string Device(HttpContext c) => Resources.Device((string)c.Request.RouteValues["id"]!);
        app.MapPost("/v1/devices", RegisterAsync).Requires(Scopes.ManageDevices, Actions.Administer, static _ => Resources.Jobs);
        app.MapPost("/v1/devices/batch", RegisterManyAsync).Requires(Scopes.ManageDevices, Actions.Administer, static _ => Resources.Jobs);
        app.MapGet("/v1/devices", ListAsync).Requires(Scopes.ReadDevices, Actions.Read);
        app.MapPost("/v1/claims", Claim).Requires(Scopes.ManageDevices, Actions.Manage);

        app.MapGet("/v1/devices/{id}", (string id) => Json(registry.Get(id))).Requires(Scopes.ReadDevices, Actions.Read, Device);
        app.MapGet("/v1/devices/{id}/owners", (string id) => Results.Json(registry.Owners(registry.Get(id).Id), WireJson.Default.ListOwnership)).Requires(Scopes.ReadDevices, Actions.Manage, Device);
        app.MapGet("/v1/devices/{id}/state", (string id) => Results.Json(twins.Get(id), WireJson.Default.DeviceTwin)).Requires(Scopes.ReadDevices, Actions.Read, Device);
        app.MapGet("/v1/devices/{id}/commands", Commands).Requires(Scopes.ReadDevices, Actions.Read, Device);

        app.MapPatch("/v1/devices/{id}", (HttpContext c, string id, DevicePatch patch) => Json(registry.Change(id, patch, By(c)))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapDelete("/v1/devices/{id}", RemoveAsync).Requires(Scopes.ManageDevices, Actions.Administer, static _ => Resources.Jobs);
        app.MapPut("/v1/devices/{id}/owner", (HttpContext c, string id, OwnerRequest request) => Json(registry.Transfer(id, request.Owner, By(c)))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPut("/v1/devices/{id}/desired", Desire).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/commands", Command).Requires(Scopes.SendCommands, Actions.Command, Device);

        app.MapPost("/v1/devices/{id}/lock", (HttpContext c, string id, string? reason) => Sent(actions.Lock(id, By(c), reason))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/unlock", (HttpContext c, string id, string? reason) => Sent(actions.Unlock(id, By(c), reason))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/wipe", (HttpContext c, string id, string? reason) => Sent(actions.Wipe(id, By(c), reason))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/locate", (HttpContext c, string id, string? reason) => Sent(actions.Locate(id, By(c), reason))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/network", (HttpContext c, string id, NetworkRequest request) => Sent(actions.Reconfigure(id, request, By(c)))).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/rotate", RotateAsync).Requires(Scopes.ManageDevices, Actions.Manage, Device);
        app.MapPost("/v1/devices/{id}/revoke", RevokeAsync).Requires(Scopes.ManageDevices, Actions.Manage, Device);

        static string Person(HttpContext c) => Resources.Person((string)c.Request.RouteValues["user"]!);
        app.MapGet("/v1/people/{user}/export", (string user) => Results.Json(people.Export(user), WireJson.Default.PersonalDevices)).Requires(Scopes.ManagePeople, Actions.Manage, Person);
        app.MapDelete("/v1/people/{user}", (string user) => Results.Json(people.Erase(user), WireJson.Default.ListString)).Requires(Scopes.ManagePeople, Actions.Manage, Person);
    }

    internal static string By(HttpContext context) => context.GetSubject().Id;

    internal static int Limit(int? limit, int most = 1_000) => Math.Clamp(limit ?? 100, 1, most);

    private static IResult Json(DeviceRecord device) => Results.Json(device, WireJson.Default.DeviceRecord);

    private static IResult Sent(CommandRecord command) => Results.Json(command, WireJson.Default.CommandRecord, statusCode: StatusCodes.Status202Accepted);

    private async Task<IResult> RegisterAsync(HttpContext context, RegisterRequest request) =>
        Results.Json(await registry.RegisterAsync(request, By(context)), WireJson.Default.Registered, statusCode: StatusCodes.Status201Created);

    // Those that there are already are passed over, so that a batch that broke off can be sent again; their secrets are told to nobody twice.
    private async Task<IResult> RegisterManyAsync(HttpContext context, List<RegisterRequest> requests)
    {
        if (requests.Count is 0 or > MaxBatch)
        {
            throw Refusal.Invalid($"A batch has 1 to {MaxBatch} devices.");
        }

        string by = By(context);
        var registered = new Registered?[requests.Count];
        await Parallel.ForAsync(0, requests.Count, new ParallelOptions { MaxDegreeOfParallelism = MaxSecretsAtOnce, CancellationToken = context.RequestAborted }, async (i, _) =>
        {
            try
            {
                registered[i] = await registry.RegisterAsync(requests[i], by);
            }
            catch (Refusal e) when (e.Status == StatusCodes.Status409Conflict)
            {
                // It is there.
            }
        });
        return Results.Json([.. registered.OfType<Registered>()], WireJson.Default.ListRegistered, statusCode: StatusCodes.Status201Created);
    }

    // Everybody sees what he may read, whoever owns it: what is shared too. The header says after which to go on.
    private async Task<IResult> ListAsync(HttpContext context, string? after, int? limit, string? owner, string? group, string? type, DeviceState? state, string? near)
    {
        var filter = new DeviceFilter(owner, group, type, state, Place.Parse(near));
        var subject = context.GetSubject();
        int most = Limit(limit);
        var seen = new List<DeviceRecord>();
        string last = after ?? "";
        for (int looked = 0; looked < MaxRowsLookedAt;)
        {
            var rows = registry.List(last, RowsAtOnce, filter);
            bool[] may = await access.FilterAsync(subject, Actions.Read, [.. rows.Select(static d => Resources.Device(d.Id))]);
            for (int i = 0; i < rows.Count; i++)
            {
                last = rows[i].Id;
                if (may[i] && filter.Near?.Has(rows[i]) != false)
                {
                    seen.Add(rows[i]);
                    if (seen.Count == most)
                    {
                        context.Response.Headers["Next-After"] = last;
                        return Results.Json(seen, WireJson.Default.ListDeviceRecord);
                    }
                }
            }

            looked += rows.Count;
            if (rows.Count < RowsAtOnce)
            {
                return Results.Json(seen, WireJson.Default.ListDeviceRecord);
            }
        }

        context.Response.Headers["Next-After"] = last;
        return Results.Json(seen, WireJson.Default.ListDeviceRecord);
    }

    private IResult Claim(HttpContext context, ClaimRequest request)
    {
        var subject = context.GetSubject();
        if (subject.Kind != SubjectKind.Person)
        {
            throw new Refusal(StatusCodes.Status403Forbidden, "Not allowed", "A device belongs to a person.");
        }

        try
        {
            return Json(registry.Claim(request, subject.Id));
        }
        catch (Refusal e) when (e.Status == StatusCodes.Status403Forbidden)
        {
            string device = DeviceIds.IsValid(request.Device) ? request.Device : "?";
            access.Refused(subject, "claim", Resources.Device(device), "wrong code", context.Connection.RemoteIpAddress?.ToString());
            throw;
        }
    }

    private async Task<IResult> RemoveAsync(HttpContext context, string id)
    {
        twins.Forget(id);
        await registry.RemoveAsync(id, By(context));
        return Results.NoContent();
    }

    private IResult Desire(HttpContext context, string id, JsonElement values) =>
        Results.Json(twins.Desire(registry.Get(id).Id, values, By(context)), WireJson.Default.DesiredState);

    private IResult Command(HttpContext context, string id, CommandRequest request)
    {
        if (_ownAddress.Contains(request.Name))
        {
            throw Refusal.Invalid($"POST /v1/devices/{{id}}/{(request.Name == CommandNames.RotateCredential ? "rotate" : request.Name)} does this.");
        }

        var command = desk.Give(id, request, By(context));
        return command.State == CommandState.Refused ? throw Refusal.Conflict(command.Detail ?? "") : Sent(command);
    }

    private IResult Commands(string id, string? after, int? limit) => Results.Json(desk.List(id, after ?? "", Limit(limit)), WireJson.Default.ListCommandRecord);

    private async Task<IResult> RotateAsync(HttpContext context, string id, RotateRequest? request) =>
        Sent(await actions.RotateAsync(id, request?.Overlap ?? TimeSpan.FromDays(7), By(context)));

    private async Task<IResult> RevokeAsync(HttpContext context, string id)
    {
        bool isTold = await registry.RevokeAsync(id, By(context));
        desk.RefuseAll(id, "the device is revoked");

        // 202: it is done here, and Identity hears of it as soon as it is back.
        return Results.Json(registry.Get(id), WireJson.Default.DeviceRecord, statusCode: isTold ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
    }
}
