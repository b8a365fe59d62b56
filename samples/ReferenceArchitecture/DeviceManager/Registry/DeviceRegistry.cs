using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Registry;

/// <summary>Which devices there are, whose they are, and where each is in its life. What <c>Identity</c> has to know of it is written into the outbox with the change itself.</summary>
internal sealed class DeviceRegistry(Database database, IdentityLink identity, Outbox outbox, AuditLog audit, DeviceManagerOptions options)
{
    /// <summary>Devices of this type speak for those that name them as their gateway.</summary>
    public const string GatewayType = "gateway";

    private const int MaxWordChars = 64, MaxAttributes = 32, MaxAttributeChars = 256;

    // What a device without a connection may be silent for, where nothing is said of its sleep.
    private static readonly TimeSpan _silence = TimeSpan.FromMinutes(2);

    // 16 of 32 letters, none of which looks like another: 80 bits can't be guessed, and can be typed.
    private const string CodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    private const int CodeLength = 16;

    /// <summary>Makes a device known: its secret and the code for its box are told this once.</summary>
    public async Task<Registered> RegisterAsync(RegisterRequest request, string by)
    {
        Check(request);
        MakeSureItMay(request.Id);

        // What was said of an earlier device of this name must have been heard before the new secret is made.
        if (!await outbox.FlushAsync(request.Id))
        {
            throw Refusal.Away("Identity does not answer; try again later.");
        }

        string secret = await identity.CreateAsync(request.Id, request.Type == GatewayType);
        string? code = request.Owner is null ? RandomNumberGenerator.GetString(CodeLetters, CodeLength) : null;
        return database.Together(() =>
        {
            MakeSureItMay(request.Id);
            Insert(request, code, by);
            audit.Write(by, "register", Resources.Device(request.Id), "done", request.Type);
            return new Registered(Get(request.Id), secret, code);
        });
    }

    public DeviceRecord? Find(string id) => database.Query($"select {Rows.Device} from devices where id = $id", Read, ("$id", id)) is [var device] ? device : null;

    public DeviceRecord Get(string id) => Find(id) ?? throw Refusal.NotFound();

    /// <summary>Devices by id, those after one.</summary>
    public List<DeviceRecord> List(string after, int limit, DeviceFilter filter) => database.Query(
        $"""
        select {Rows.Device} from devices where id > $after and ($owner is null or owner = $owner) and ($group is null or grp = $group) and ($type is null or type = $type)
            and ($state is null or state = $state) and ($south is null or latitude between $south and $north) order by id limit $limit
        """,
        Read, ("$after", after), ("$limit", limit), ("$owner", filter.Owner), ("$group", filter.Group), ("$type", filter.Type), ("$state", filter.State),
        ("$south", filter.Near?.South), ("$north", filter.Near?.North));

    public List<Ownership> Owners(string id) => database.Query(
        "select device, owner, since, until, by_whom from owners where device = $id order by n limit 1000", Rows.ReadOwnership, ("$id", id));

    /// <summary>Who gives the code on the box becomes the owner; the code is used up.</summary>
    public DeviceRecord Claim(ClaimRequest request, string by) => database.Together(() =>
    {
        byte[]? expected = database.Query(
            "select claim from devices where id = $id and state = $state", static r => r.IsDBNull(0) ? null : r.GetFieldValue<byte[]>(0),
            ("$id", request.Device), ("$state", DeviceState.Registered)) is [var hash] ? hash : null;

        // The same answer whether there is such a device or not: nobody learns names here.
        if (request.Code is not { Length: <= 64 } code || expected is null || !CryptographicOperations.FixedTimeEquals(expected, HashOf(request.Device, code)))
        {
            throw new Refusal(StatusCodes.Status403Forbidden, "Not right", "The code does not fit, or was used.");
        }

        Own(request.Device, by, by);
        audit.Write(by, "claim", Resources.Device(request.Device), "done");
        return Get(request.Device);
    });

    /// <summary>Gives a device to somebody, or to nobody.</summary>
    public DeviceRecord Transfer(string id, string? owner, string by) => database.Together(() =>
    {
        CheckWord(owner, "An owner");
        Own(id, owner, by);
        audit.Write(by, "transfer", Resources.Device(id), "done");
        return Get(id);
    });

    public DeviceRecord Change(string id, DevicePatch patch, string by) => database.Together(() =>
    {
        var device = Get(id);
        CheckWord(patch.Type, "A type");
        CheckWord(patch.Group, "A group");
        CheckGateway(patch.Gateway, id);
        CheckAttributes(patch.Attributes);
        database.Execute(
            "update devices set type = $type, grp = $group, gateway = $gateway, sleeps = $sleeps, attributes = $attributes where id = $id",
            ("$id", id), ("$type", patch.Type is { Length: > 0 } ? patch.Type : device.Type), ("$group", Or(patch.Group, device.Group)), ("$gateway", Or(patch.Gateway, device.Gateway)),
            ("$sleeps", patch.SleepsFor ?? device.SleepsFor), ("$attributes", Write(patch.Attributes ?? device.Attributes)));
        TellFacts(id);
        audit.Write(by, "change", Resources.Device(id), "done");
        return Get(id);
    });

    /// <summary>Lets something happen to a device, where it can happen in the state it is in.</summary>
    public DeviceState Move(string id, DeviceCause cause) => database.Together(() =>
    {
        var next = Step(id, cause);
        TellFacts(id);
        return next;
    });

    /// <summary>Makes a device's credentials void; its connections end within a second of <c>Identity</c> hearing of it.</summary>
    /// <returns>Whether <c>Identity</c> has heard of it now; otherwise it hears of it when it is back.</returns>
    public async Task<bool> RevokeAsync(string id, string by)
    {
        database.Together(() =>
        {
            Move(id, DeviceCause.Revoke);
            outbox.Add(OutboxKind.Revoke, id);
            audit.Write(by, "revoke", Resources.Device(id), "done");
        });
        return await outbox.FlushAsync(id);
    }

    /// <summary>Forgets a device, with all that was kept of it but the audit.</summary>
    public async Task RemoveAsync(string id, string by)
    {
        database.Together(() =>
        {
            Get(id);
            foreach (string table in (string[])["commands", "owners", "job_items"])
            {
                database.Execute($"delete from {table} where device = $id", ("$id", id));
            }

            database.Execute("delete from devices where id = $id", ("$id", id));
            outbox.Add(OutboxKind.Revoke, id);
            outbox.Add(OutboxKind.Forget, id);
            audit.Write(by, "remove", Resources.Device(id), "done");
        });
        await outbox.FlushAsync(id);
    }

    /// <summary>Takes a device from its owner, without a word of who that was.</summary>
    public void Release(string id) => Own(id, null, AuditLog.Layer);

    /// <summary>Tells <c>Identity</c> what is known of a device, inside of the transaction of what changed.</summary>
    /// <remarks>
    /// A locked device is not cut off from the bus: it has to hear that it shall wipe itself, or that it is unlocked; it refuses everything else itself, and this layer gives it nothing else.
    /// One that is wiped is cut off, until it is provisioned anew.
    /// </remarks>
    public void TellFacts(string id)
    {
        var device = Get(id);
        outbox.Add(OutboxKind.Facts, id, new ResourceFacts(device.Owner, device.Gateway, device.Group, device.State == DeviceState.Wiped));
    }

    private static byte[] HashOf(string device, string code) => SHA256.HashData(Encoding.UTF8.GetBytes(device + '\0' + code.Replace("-", "", StringComparison.Ordinal).ToUpperInvariant()));

    private static string? Or(string? wished, string? known) => wished switch
    {
        null => known,
        "" => null,
        _ => wished,
    };

    private static string? Write(IReadOnlyDictionary<string, string>? attributes) =>
        attributes is null ? null : JsonSerializer.Serialize(new Dictionary<string, string>(attributes), WireJson.Default.DictionaryStringString);

    private static void CheckWord(string? word, string what)
    {
        if (word?.Length > MaxWordChars || word?.Any(char.IsControl) == true)
        {
            throw Refusal.Invalid($"{what} has {MaxWordChars} characters at most.");
        }
    }

    private static void CheckGateway(string? gateway, string device)
    {
        if (gateway is { Length: > 0 } && (!DeviceIds.IsValid(gateway) || gateway == device))
        {
            throw Refusal.Invalid("A gateway is named by its id.");
        }
    }

    private static void CheckAttributes(IReadOnlyDictionary<string, string>? attributes)
    {
        if (attributes?.Count > MaxAttributes || attributes?.Any(static a => a.Key.Length > MaxWordChars || a.Value is null || a.Value.Length > MaxAttributeChars) == true)
        {
            throw Refusal.Invalid($"There are at most {MaxAttributes} attributes of {MaxAttributeChars} characters.");
        }
    }

    private static void Check(RegisterRequest request)
    {
        if (!DeviceIds.IsValid(request.Id) || string.IsNullOrEmpty(request.Type))
        {
            throw Refusal.Invalid("A device has an id (1 to 64 of a-z, 0-9 and -) and a type.");
        }

        CheckWord(request.Type, "A type");
        CheckWord(request.Owner, "An owner");
        CheckWord(request.Group, "A group");
        CheckGateway(request.Gateway, request.Id);
        CheckAttributes(request.Attributes);
    }

    private void MakeSureItMay(string id)
    {
        if (Find(id) is { } known)
        {
            if (DeviceStates.Table.Next(known.State, DeviceCause.Provision) is null)
            {
                throw Refusal.Conflict("There is a device of this name.");
            }
        }
        else if (database.Number("select count(*) from devices") >= options.MaxDevices)
        {
            throw new Refusal(StatusCodes.Status507InsufficientStorage, "Full", "There are as many devices as may be.");
        }
    }

    private void Insert(RegisterRequest request, string? code, string by)
    {
        var now = options.TimeProvider.GetUtcNow();
        database.Execute("update owners set until = $now where device = $id and until is null", ("$id", request.Id), ("$now", now));
        database.Execute("update commands set state = $refused, changed = $now, detail = 'provisioned anew' where device = $id and state < 3",
            ("$id", request.Id), ("$refused", CommandState.Refused), ("$now", now));
        database.Execute(
            """
            insert or replace into devices(id, type, state, grp, gateway, created, sleeps, attributes, claim) values($id, $type, $state, $group, $gateway, $created, $sleeps, $attributes, $claim)
            """,
            ("$id", request.Id), ("$type", request.Type), ("$state", DeviceState.Registered), ("$group", request.Group), ("$gateway", request.Gateway), ("$created", now),
            ("$sleeps", request.SleepsFor), ("$attributes", Write(request.Attributes)), ("$claim", code is null ? null : HashOf(request.Id, code)));
        if (request.Owner is not null)
        {
            Own(request.Id, request.Owner, by);
        }
        else
        {
            TellFacts(request.Id);
        }
    }

    private DeviceState Step(string id, DeviceCause cause)
    {
        var state = Get(id).State;
        var next = DeviceStates.Table.Next(state, cause) ?? throw Refusal.Conflict($"The device is {state.ToString().ToLowerInvariant()}.");
        database.Execute("update devices set state = $state where id = $id", ("$id", id), ("$state", next));
        return next;
    }

    private void Own(string id, string? owner, string by)
    {
        var now = options.TimeProvider.GetUtcNow();
        Step(id, owner is null ? DeviceCause.Released : DeviceCause.Owned);
        database.Execute("update owners set until = $now where device = $id and until is null", ("$id", id), ("$now", now));
        database.Execute("update devices set owner = $owner, claim = null where id = $id", ("$id", id), ("$owner", owner));
        if (owner is not null)
        {
            database.Execute(
                "insert into owners(device, owner, since, by_whom) values($id, $owner, $now, $by)", ("$id", id), ("$owner", owner), ("$now", now), ("$by", by));
        }

        TellFacts(id);
    }

    // Of a device that keeps no connection nobody tells whether it is there: it counts as there for as long as it may be silent.
    private DeviceRecord Read(Microsoft.Data.Sqlite.SqliteDataReader row)
    {
        const int Online = 9;
        var device = Rows.ReadDevice(row);
        return row.IsDBNull(Online) && device.LastSeen is { } seen ? device with { Online = options.TimeProvider.GetUtcNow() - seen <= (device.SleepsFor ?? _silence) } : device;
    }
}
