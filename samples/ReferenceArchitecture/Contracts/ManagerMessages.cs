using System.Text.Json;

namespace IoT.Reference.Contracts;

/// <summary>Where a device is in its life.</summary>
public enum DeviceState
{
    /// <summary>Made known, and not yet claimed by an owner.</summary>
    Registered,
    Active,

    /// <summary>Takes no command but to be unlocked, wiped, located.</summary>
    Locked,

    /// <summary>Its secret data are gone; it must be provisioned anew.</summary>
    Wiped,

    /// <summary>Its credentials are void.</summary>
    Revoked,
}

/// <summary>A device as the registry knows it.</summary>
/// <param name="SleepsFor">The longest it may be silent without being missed.</param>
public sealed record DeviceRecord(
    string Id, string Type, DeviceState State, string? Owner, string? Group, string? Gateway, string? Software, DateTimeOffset Created,
    DateTimeOffset? LastSeen, bool Online, TimeSpan? SleepsFor = null, double? Latitude = null, double? Longitude = null,
    IReadOnlyDictionary<string, string>? Attributes = null);

/// <summary>Make a device known.</summary>
public sealed record RegisterRequest(
    string Id, string Type, string? Owner = null, string? Group = null, string? Gateway = null, TimeSpan? SleepsFor = null,
    IReadOnlyDictionary<string, string>? Attributes = null);

/// <summary>A device was made known.</summary>
/// <param name="ClaimCode">What stands on the box: who gives it becomes the owner. Null where it has one.</param>
public sealed record Registered(DeviceRecord Device, string Secret, string? ClaimCode);

/// <summary>Become the owner by the code on the box.</summary>
public sealed record ClaimRequest(string Device, string Code);

/// <summary>Where a command is.</summary>
public enum CommandState
{
    Queued,
    Sent,

    /// <summary>The device said that it has it.</summary>
    Delivered,

    /// <summary>The device said that it is done.</summary>
    Acked,
    Failed,
    Expired,

    /// <summary>The device, its state or the interlock refused it.</summary>
    Refused,
}

/// <summary>Give a command to a device.</summary>
/// <param name="TimeToLive">How long it may wait for the device; 1 hour where nothing is said.</param>
public sealed record CommandRequest(string Name, JsonElement? Arguments = null, TimeSpan? TimeToLive = null, string? Reason = null, string? Trace = null);

/// <summary>A command and where it is.</summary>
public sealed record CommandRecord(
    string Id, string Device, string Name, JsonElement? Arguments, CommandState State, string By, string? Reason, DateTimeOffset Created,
    DateTimeOffset Expires, DateTimeOffset? Changed = null, string? Detail = null, JsonElement? Result = null);

/// <summary>What a device shall be and is like.</summary>
/// <param name="Differs">The names that are not yet as desired.</param>
public sealed record DeviceTwin(DesiredState? Desired, ReportedState? Reported, IReadOnlyList<string> Differs);

/// <summary>Give a command to many devices.</summary>
/// <param name="Group">Those of this group; or all of <paramref name="Type"/>; or those named.</param>
/// <param name="Stages">How much of all, in percent, each stage goes up to: 1, 10, 100.</param>
/// <param name="PerSecond">The most commands a second.</param>
/// <param name="ErrorThreshold">The job stops when more than this part of a stage's devices fail: 0 to 1.</param>
public sealed record JobRequest(
    string Name, CommandRequest Command, string? Group = null, string? Type = null, IReadOnlyList<string>? Devices = null,
    IReadOnlyList<int>? Stages = null, double PerSecond = 1_000, double ErrorThreshold = 0.1, TimeSpan? StageTimeout = null);

/// <summary>Where a job is.</summary>
public enum JobState
{
    Running,
    Paused,
    Done,

    /// <summary>Too many devices failed.</summary>
    Stopped,
    Cancelled,
}

/// <summary>A job and where it is.</summary>
public sealed record JobRecord(
    string Id, string Name, JobState State, int Stage, int Stages, int Total, int Waiting, int Sent, int Done, int Failed, string By,
    DateTimeOffset Created, DateTimeOffset? Ended = null, string? Detail = null);

/// <summary>Software for devices of a type.</summary>
/// <param name="Sha256">Of the content, in lower-case hexadecimal.</param>
/// <param name="Signature">ECDSA P-256 over the content's SHA-256, in Base64; the public key is given to devices when they are made.</param>
public sealed record PackageRecord(string Id, string Type, string Version, long Size, string Sha256, string Signature, DateTimeOffset Created);

/// <summary>Bring a package to devices, group by group.</summary>
public sealed record RolloutRequest(string Package, IReadOnlyList<string> Groups, double ErrorThreshold = 0.1, bool RollBackOnFailure = true, double PerSecond = 1_000);

/// <summary>Change what is known of a device; what is null stays as it is, an empty text takes it away.</summary>
public sealed record DevicePatch(
    string? Type = null, string? Group = null, string? Gateway = null, TimeSpan? SleepsFor = null, IReadOnlyDictionary<string, string>? Attributes = null);

/// <summary>Whose a device shall be; null: nobody's.</summary>
public sealed record OwnerRequest(string? Owner);

/// <summary>Whose a device was, and who made it so.</summary>
public sealed record Ownership(string Device, string Owner, DateTimeOffset Since, DateTimeOffset? Until, string By);

/// <summary>Try other network settings; the device goes back by itself where it does not reach the bus within the time.</summary>
public sealed record NetworkRequest(string Profile, JsonElement? Settings = null, int ConfirmWithinSeconds = 60);

/// <summary>Where a rollout is.</summary>
public enum RolloutState
{
    Running,
    Done,

    /// <summary>Too many devices of a group failed, and its others go back to the version before.</summary>
    RollingBack,
    RolledBack,

    /// <summary>Too many devices of a group failed.</summary>
    Stopped,
    Cancelled,
}

/// <summary>A rollout and where it is.</summary>
/// <param name="Group">The number of the group that it is at, from 0.</param>
/// <param name="Job">The job that brings the package to that group, or takes it back.</param>
public sealed record RolloutRecord(
    string Id, string Package, RolloutState State, IReadOnlyList<string> Groups, int Group, string? Job, string By, DateTimeOffset Created,
    DateTimeOffset? Ended = null, string? Detail = null);

/// <summary>All that the device manager has of a person.</summary>
public sealed record PersonalDevices(
    string User, IReadOnlyList<DeviceRecord> Devices, IReadOnlyList<Ownership> Owned, IReadOnlyList<CommandRecord> Commands, IReadOnlyList<JobRecord> Jobs, IReadOnlyList<AuditEntry> Audit);
