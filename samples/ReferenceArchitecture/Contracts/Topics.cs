namespace IoT.Reference.Contracts;

/// <summary>The topics of the bus: over MQTT as they are, over HTTP behind a slash, over CoAP as resources.</summary>
public static class Topics
{
    /// <summary>Readings of a device.</summary>
    public const string Telemetry = "t/{device}";

    /// <summary>What else a device notices: <see cref="DeviceEvent"/>.</summary>
    public const string Events = "e/{device}";

    /// <summary>What a device says of itself: <see cref="ReportedState"/>.</summary>
    public const string Reported = "reported/{device}";

    /// <summary>A device's answers to commands: <see cref="CommandAck"/>.</summary>
    public const string Acks = "acks/{device}";

    /// <summary>Commands to a device: <see cref="DeviceCommand"/>.</summary>
    public const string Commands = "commands/{device}";

    /// <summary>What a device shall be like: <see cref="DesiredState"/>, retained.</summary>
    public const string Desired = "desired/{device}";

    /// <summary>Whether a device is there: <see cref="Contracts.Presence"/>, retained.</summary>
    public const string Presence = "presence/{device}";

    /// <summary>What a layer did or refused: <see cref="AuditEntry"/>.</summary>
    public const string Audit = "audit/{layer}";

    /// <summary>The topics a device sends on.</summary>
    public static IReadOnlyList<string> FromDevices { get; } = [Telemetry, Events, Reported, Acks];

    /// <summary>The topics a device is told on.</summary>
    public static IReadOnlyList<string> ToDevices { get; } = [Commands, Desired];

    /// <summary>All topics.</summary>
    public static IReadOnlyList<string> All { get; } = [.. FromDevices, .. ToDevices, Presence, Audit];

    /// <summary>A topic for one device: <c>Of(Topics.Commands, "dev7")</c> is <c>commands/dev7</c>.</summary>
    /// <param name="template">One of the topics above.</param>
    /// <param name="device">The device, or for <see cref="Audit"/> the layer.</param>
    public static string Of(string template, string device)
    {
        ArgumentException.ThrowIfNullOrEmpty(device);
        return string.Concat(template.AsSpan(0, template.IndexOf('{', StringComparison.Ordinal)), device);
    }

    /// <summary>An MQTT filter for every device: <c>Filter(Topics.Telemetry)</c> is <c>t/+</c>.</summary>
    /// <param name="template">One of the topics above.</param>
    public static string Filter(string template) => Of(template, "+");
}
