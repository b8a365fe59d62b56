using System.Text.Json;
using System.Text.Json.Nodes;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Commands;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Registry;

/// <summary>What is done with a device that is lost, stolen, sold or set up anew: a state of the registry and a command to the device, which may be away for long.</summary>
internal sealed class DeviceActions
{
    // A stolen device may come back after months, and must still hear of it.
    private static readonly TimeSpan _long = TimeSpan.FromDays(366), _longestOverlap = TimeSpan.FromDays(30);

    private readonly Database _database;
    private readonly DeviceRegistry _registry;
    private readonly CommandDesk _desk;
    private readonly IdentityLink _identity;
    private readonly AuditLog _audit;

    public DeviceActions(Database database, DeviceRegistry registry, CommandDesk desk, IdentityLink identity, AuditLog audit)
    {
        (_database, _registry, _desk, _identity, _audit) = (database, registry, desk, identity, audit);
        desk.Answered += OnAnswered;
    }

    public CommandRecord Lock(string device, string by, string? reason) => Both(device, DeviceCause.Lock, new CommandRequest(CommandNames.Lock, null, _long, reason), by);

    public CommandRecord Unlock(string device, string by, string? reason) => Both(device, DeviceCause.Unlock, new CommandRequest(CommandNames.Unlock, null, _long, reason), by);

    /// <summary>The device wipes itself when it hears of it; it is wiped when it says so.</summary>
    public CommandRecord Wipe(string device, string by, string? reason) => Give(device, new CommandRequest(CommandNames.Wipe, null, _long, reason), by);

    public CommandRecord Locate(string device, string by, string? reason) => Give(device, new CommandRequest(CommandNames.Locate, null, TimeSpan.FromDays(7), reason), by);

    /// <summary>Other network settings; the device goes back by itself where they do not work.</summary>
    public CommandRecord Reconfigure(string device, NetworkRequest request, string by)
    {
        if (request.Profile is not { Length: > 0 and <= 64 } || request.ConfirmWithinSeconds is < 1 or > 600)
        {
            throw Refusal.Invalid("A profile has a name, and is confirmed within 1 to 600 seconds.");
        }

        var arguments = new JsonObject { ["profile"] = request.Profile, ["confirmWithinSeconds"] = request.ConfirmWithinSeconds };
        if (request.Settings is { ValueKind: JsonValueKind.Object } settings)
        {
            arguments["settings"] = JsonObject.Create(settings);
        }

        return Give(device, new CommandRequest(CommandNames.Network, ElementOf(arguments), TimeSpan.FromDays(1)), by);
    }

    /// <summary>Another secret, sent to the device over the connection that it still has; the one before holds for the overlap.</summary>
    public async Task<CommandRecord> RotateAsync(string device, TimeSpan overlap, string by)
    {
        if (overlap <= TimeSpan.Zero || overlap > _longestOverlap)
        {
            throw Refusal.Invalid("The overlap is at most 30 days, and long enough for the device to hear of it.");
        }

        if (!DeviceStates.Takes(_registry.Get(device).State, CommandNames.RotateCredential))
        {
            throw Refusal.Conflict("The device is wiped or revoked.");
        }

        string secret = await _identity.RotateAsync(device, overlap);
        return Give(device, new CommandRequest(CommandNames.RotateCredential, ElementOf(new JsonObject { ["secret"] = secret }), overlap), by);
    }

    private static JsonElement ElementOf(JsonObject arguments) => Rows.Parse(arguments.ToJsonString());

    private static CommandRecord Accepted(CommandRecord command) => command.State == CommandState.Refused ? throw Refusal.Conflict(command.Detail ?? "") : command;

    private CommandRecord Give(string device, CommandRequest request, string by) => Accepted(_desk.Give(device, request, by));

    private CommandRecord Both(string device, DeviceCause cause, CommandRequest request, string by)
    {
        var command = _database.Together(() =>
        {
            _registry.Move(device, cause);
            var written = Accepted(_desk.Write(device, request, by));
            _audit.Write(by, request.Name, Resources.Device(device), "done", request.Reason);
            return written;
        });
        _desk.SendIfThere(device, command);
        return command;
    }

    private void OnAnswered(CommandRecord command, DeviceCommand sent)
    {
        bool isDone = command.State == CommandState.Acked;
        if (isDone && command.Name == CommandNames.Wipe)
        {
            if (DeviceStates.Table.Next(_registry.Get(command.Device).State, DeviceCause.WipeConfirmed) is not null)
            {
                _registry.Move(command.Device, DeviceCause.WipeConfirmed);
                _desk.RefuseAll(command.Device, "the device is wiped");
            }
        }
        else if (isDone && command is { Name: CommandNames.Locate, Result: { ValueKind: JsonValueKind.Object } place }
            && place.TryGetProperty("latitude", out var latitude) && latitude.TryGetDouble(out double north) && place.TryGetProperty("longitude", out var longitude)
            && longitude.TryGetDouble(out double east) && Math.Abs(north) <= 90 && Math.Abs(east) <= 180)
        {
            _database.Execute("update devices set latitude = $north, longitude = $east where id = $id", ("$id", command.Device), ("$north", north), ("$east", east));
        }

        if (!CommandStates.IsOpen(command.State))
        {
            _audit.Write("device:" + command.Device, "answer:" + command.Name, Resources.Device(command.Device), isDone ? "done" : command.State == CommandState.Refused ? "refused" : "failed", command.Detail);
        }
    }
}
