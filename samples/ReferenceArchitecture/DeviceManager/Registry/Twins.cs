using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Registry;

/// <summary>What devices shall be and are like. What is desired is retained on the bus: a device that was away has it when it comes back.</summary>
internal sealed class Twins(Database database, BusLink bus, AuditLog audit, DeviceManagerOptions options)
{
    private const int MaxChars = 16 * 1024, MaxNames = 128;

    /// <summary>Says what a device shall be like; in place of what was said before.</summary>
    public DesiredState Desire(string device, JsonElement values, string by)
    {
        if (values.ValueKind != JsonValueKind.Object || values.GetRawText().Length > MaxChars || values.GetPropertyCount() > MaxNames)
        {
            throw Refusal.Invalid($"What is desired is an object of {MaxNames} names and 16 KiB at most.");
        }

        var desired = database.Together(() =>
        {
            if (database.Execute(
                "update devices set desired = $values, desired_version = max(desired_version, reported_version) + 1 where id = $id and state in ($registered, $active)",
                ("$id", device), ("$values", values.GetRawText()), ("$registered", DeviceState.Registered), ("$active", DeviceState.Active)) == 0)
            {
                throw Refusal.Conflict("The device is locked, wiped or revoked.");
            }

            audit.Write(by, "desire", Resources.Device(device), "done");
            return new DesiredState(database.Number("select desired_version from devices where id = $id", ("$id", device)), values);
        });

        // Full: the sweep says it again.
        bus.TrySend(Topics.Of(Topics.Desired, device), desired, WireJson.Default.DesiredState, isRetained: true);
        return desired;
    }

    public void OnReported(string device, ReportedState reported)
    {
        string values = reported.Values.ValueKind == JsonValueKind.Object ? reported.Values.GetRawText() : "{}";
        if (values.Length <= MaxChars)
        {
            string? software = reported.Values.ValueKind == JsonValueKind.Object && reported.Values.TryGetProperty("software", out var version) && version.ValueKind == JsonValueKind.String
                ? version.GetString() : null;
            var now = options.TimeProvider.GetUtcNow();
            database.Execute(
                "update devices set reported = $values, reported_version = $version, reported_time = $time, software = coalesce($software, software), seen = $now where id = $id",
                ("$id", device), ("$values", values), ("$version", reported.Version), ("$time", reported.Time ?? now), ("$software", software), ("$now", now));
        }
    }

    /// <summary>Both, and what is not yet as it shall be.</summary>
    public DeviceTwin Get(string device)
    {
        if (database.Query(
            "select desired_version, desired, reported_version, reported, reported_time from devices where id = $id",
            static r => (
                Desired: r.Json(1) is { } wished ? new DesiredState(r.GetInt64(0), wished) : null,
                Reported: r.Json(3) is { } said ? new ReportedState(r.GetInt64(2), said, r.TimeOrNull(4)) : null),
            ("$id", device)) is not [var (desired, reported)])
        {
            throw Refusal.NotFound();
        }

        string[] differs = desired is null ? [] : [.. desired.Values.EnumerateObject().Where(wish => !IsAsDesired(wish, reported?.Values)).Select(static wish => wish.Name)];
        return new DeviceTwin(desired, reported, differs);
    }

    /// <summary>Says again what is desired of all devices: after a start, since another broker may have forgotten it.</summary>
    public void SayAll()
    {
        foreach (var (device, desired) in database.Query(
            "select id, desired_version, desired from devices where desired is not null and desired_version > reported_version",
            static r => (r.GetString(0), new DesiredState(r.GetInt64(1), r.Json(2)!.Value))))
        {
            bus.TrySend(Topics.Of(Topics.Desired, device), desired, WireJson.Default.DesiredState, isRetained: true);
        }
    }

    /// <summary>Nothing is desired any more, and what the device said is forgotten.</summary>
    public void Forget(string device)
    {
        database.Execute("update devices set desired = null, reported = null, reported_time = null where id = $id", ("$id", device));
        bus.TryForget(Topics.Of(Topics.Desired, device));
    }

    // "capabilities.camera" is the member camera of the reported member capabilities, or a member of that whole name.
    private static bool IsAsDesired(JsonProperty wish, JsonElement? reported)
    {
        if (reported is not { ValueKind: JsonValueKind.Object } said)
        {
            return false;
        }

        if (said.TryGetProperty(wish.Name, out var value))
        {
            return JsonElement.DeepEquals(value, wish.Value);
        }

        foreach (string place in wish.Name.Split('.'))
        {
            if (said.ValueKind != JsonValueKind.Object || !said.TryGetProperty(place, out said))
            {
                return false;
            }
        }

        return JsonElement.DeepEquals(said, wish.Value);
    }
}
