using IoT.Cep;

namespace IoT.Reference.Analytics.Ingest;

/// <summary>A number that a device measured.</summary>
/// <param name="Trace">The W3C trace context of its message.</param>
/// <param name="Arrived">When the message came here.</param>
/// <param name="Sequence">Counts the readings of this process: those up to a number are stored, or are not.</param>
[Event]
internal readonly partial record struct Reading(
    [EventTime] DateTimeOffset Time, [EventKey] string Device, string Name, double Value, string? Trace, DateTimeOffset Arrived, long Sequence);

/// <summary>A <see cref="Contracts.DeviceEvent"/>, with the device out of the topic.</summary>
[Event]
internal readonly partial record struct Noticed(
    [EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Device, string Kind, [ReceivedTime] DateTimeOffset Arrived, string? Detail = null, string? Destination = null,
    int? Port = null, double? Latitude = null, double? Longitude = null, double? Value = null, [Header("traceparent")] string? Trace = null);

/// <summary>A <see cref="Contracts.Presence"/>.</summary>
[Event]
internal readonly partial record struct PresenceChange(
    [EventTime, ReceivedTime] DateTimeOffset Time, [EventKey] string Device, bool Online, [ReceivedTime] DateTimeOffset Arrived, string? Reason = null);

/// <summary>A <see cref="Contracts.AuditEntry"/>.</summary>
[Event]
internal readonly partial record struct Audited(
    [EventTime, ReceivedTime] DateTimeOffset Time, string Layer, [EventKey] string Subject, string Action, string Resource, string Outcome, [ReceivedTime] DateTimeOffset Arrived,
    string? Detail = null, string? Origin = null);
