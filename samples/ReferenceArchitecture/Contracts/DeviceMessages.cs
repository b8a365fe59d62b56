using System.Text.Json;

namespace IoT.Reference.Contracts;

/// <summary>A command on its way to a device.</summary>
/// <param name="Id">Its id; a device that gets it again answers again and does not do it again.</param>
/// <param name="Device">Whom it is for: a gateway gets those of the devices behind it.</param>
/// <param name="Name">What to do: <see cref="CommandNames"/>, or a word of the device's own.</param>
/// <param name="Arguments">What it needs.</param>
/// <param name="Created">When it was given.</param>
/// <param name="Expires">After this it must not be done any more.</param>
/// <param name="Trace">The W3C trace context of what led to it.</param>
public sealed record DeviceCommand(
    string Id, string Device, string Name, JsonElement? Arguments, DateTimeOffset Created, DateTimeOffset Expires, string? Trace = null);

/// <summary>The commands that every device agent knows.</summary>
public static class CommandNames
{
    /// <summary><c>{"output":"fan","value":1}</c>.</summary>
    public const string Set = "set";
    public const string Reboot = "reboot";

    /// <summary><c>{"package":"...","version":"...","url":"...","sha256":"...","signature":"...","size":n}</c>.</summary>
    public const string Update = "update";

    /// <summary>Back to the version before.</summary>
    public const string Rollback = "rollback";
    public const string Lock = "lock";
    public const string Unlock = "unlock";
    public const string Wipe = "wipe";
    public const string Locate = "locate";

    /// <summary><c>{"profile":"...","settings":{...},"confirmWithinSeconds":n}</c>: goes back by itself if the device cannot report.</summary>
    public const string Network = "network";

    /// <summary><c>{"secret":"...","oldValidUntil":"..."}</c>.</summary>
    public const string RotateCredential = "rotate-credential";
}

/// <summary>What became of a command at the device.</summary>
public enum CommandOutcome
{
    /// <summary>The device has it and is at it.</summary>
    Accepted,

    /// <summary>It is done.</summary>
    Done,

    /// <summary>It could not be done.</summary>
    Failed,

    /// <summary>The device does not know it, or may not.</summary>
    Refused,

    /// <summary>It came too late.</summary>
    Expired,
}

/// <summary>A device's answer to a command.</summary>
public sealed record CommandAck(string Id, CommandOutcome Outcome, string? Detail = null, JsonElement? Result = null, DateTimeOffset? Time = null);

/// <summary>What a device shall be like; it answers with a <see cref="ReportedState"/> of the same version.</summary>
public sealed record DesiredState(long Version, JsonElement Values);

/// <summary>What a device is like.</summary>
/// <param name="Version">The version of the desired state that it has applied; 0 for none.</param>
public sealed record ReportedState(long Version, JsonElement Values, DateTimeOffset? Time = null);

/// <summary>Whether a device is there.</summary>
/// <param name="Via">The gateway it is behind, or the transport.</param>
public sealed record Presence(string Device, bool Online, string Via, DateTimeOffset Time, string? Reason = null);

/// <summary>Something that a device or its gateway noticed, beside readings.</summary>
/// <param name="Kind">One of <see cref="DeviceEventKinds"/>, or a word of the device's own.</param>
public sealed record DeviceEvent(
    string Kind, DateTimeOffset? Time = null, string? Detail = null, string? Destination = null, int? Port = null,
    double? Latitude = null, double? Longitude = null, double? Value = null);

/// <summary>What device events are about.</summary>
public static class DeviceEventKinds
{
    /// <summary>The device opened a connection to <see cref="DeviceEvent.Destination"/>, <see cref="DeviceEvent.Port"/>.</summary>
    public const string Contacted = "contacted";
    public const string Located = "located";
    public const string LoginFailed = "login-failed";
    public const string Started = "started";
    public const string Stopping = "stopping";

    /// <summary>An alarm that a gateway raised by itself.</summary>
    public const string LocalAlert = "local-alert";
}

/// <summary>Something a layer did or refused.</summary>
/// <param name="Outcome"><c>done</c>, <c>refused</c>, <c>failed</c>.</param>
public sealed record AuditEntry(
    DateTimeOffset Time, string Layer, string Subject, string Action, string Resource, string Outcome, string? Detail = null, string? Origin = null);
