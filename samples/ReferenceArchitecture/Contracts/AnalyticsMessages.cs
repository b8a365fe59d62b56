using System.Text.Json;

namespace IoT.Reference.Contracts;

/// <summary>Where an alert is.</summary>
public enum AlertState
{
    Raised,

    /// <summary>Nobody acknowledged it in time.</summary>
    Escalated,
    Acknowledged,

    /// <summary>What it was about is over.</summary>
    Cleared,
}

/// <summary>How bad it is.</summary>
public enum Severity
{
    Info,
    Warning,
    Critical,
}

/// <summary>An alert and where it is.</summary>
/// <param name="Rule">The rule that raised it.</param>
/// <param name="Trace">The W3C trace context of the message that raised it.</param>
public sealed record AlertRecord(
    string Id, string Device, string Rule, Severity Severity, AlertState State, string Text, double? Value, DateTimeOffset Raised,
    DateTimeOffset? Changed = null, string? AcknowledgedBy = null, string? Trace = null);

/// <summary>A stored reading, or a roll-up of several.</summary>
public sealed record StoredReading(string Device, string Name, DateTimeOffset Time, double Value, long Count = 1, double? Min = null, double? Max = null);

/// <summary>A query that runs.</summary>
public sealed record QueryRecord(
    string Name, string State, string Plan, string Mermaid, IReadOnlyDictionary<string, long> Counters, JsonElement? Settings = null, string? Error = null);

/// <summary>A call of an API.</summary>
public sealed record UsageEvent(DateTimeOffset Time, string Api, string Version, string Client, string Method, string Path, int Status, double Milliseconds);

/// <summary>Calls of an API by a client in a window.</summary>
public sealed record UsageSummary(string Api, string Client, DateTimeOffset Start, long Calls, long Errors, double AverageMilliseconds);

/// <summary>What commands that rules send must keep to.</summary>
/// <param name="IsSimulation">Nothing is sent; what would have been is audited.</param>
public sealed record InterlockSettings(
    IReadOnlyDictionary<string, OutputLimits> Outputs, double CommandsPerMinute = 6, TimeSpan? TimeToLive = null, bool IsSimulation = false);

/// <summary>The bounds of an output.</summary>
/// <param name="NeedsTwo">Whether two rules must want it within a minute.</param>
public sealed record OutputLimits(double Min, double Max, bool NeedsTwo = false);

/// <summary>A query of one's own: readings that pass a filter, in windows for each device; a window whose aggregate passes is an alert, the next one that does not clears it.</summary>
/// <param name="Name">1 to 64 of <c>a-z</c>, <c>0-9</c> and <c>-</c>.</param>
/// <param name="Filter">All must hold; fields: <c>device</c>, <c>name</c>, <c>value</c>.</param>
/// <param name="WindowSeconds">1 to 86,400.</param>
/// <param name="Aggregate"><c>count</c>, <c>sum</c>, <c>average</c>, <c>min</c> or <c>max</c>.</param>
/// <param name="Having"><c>field</c> is <c>aggregate</c>.</param>
public sealed record QueryDeployment(
    string Name, IReadOnlyList<QueryCondition> Filter, double WindowSeconds, string Aggregate, QueryCondition Having, Severity Severity = Severity.Warning);

/// <summary>A comparison.</summary>
/// <param name="Op"><c>=</c>, <c>!=</c>, <c>&lt;</c>, <c>&lt;=</c>, <c>&gt;</c>, <c>&gt;=</c>; text knows the first two.</param>
/// <param name="Value">A number for <c>value</c> and aggregates, else text.</param>
public sealed record QueryCondition(string Field, string Op, JsonElement Value);

/// <summary>A batch job over the stored readings: count, average, least and greatest of each device's measures in windows of <paramref name="StepSeconds"/>.</summary>
/// <param name="StepSeconds">1 to 86,400; windows are aligned to 1970, as those of live queries are.</param>
/// <param name="Devices">Those; null: all.</param>
/// <param name="Workers">1 to 16.</param>
public sealed record BatchRequest(DateTimeOffset From, DateTimeOffset To, double StepSeconds, IReadOnlyList<string>? Devices = null, string? Name = null, int Workers = 2);

/// <summary>A batch job and where it is.</summary>
public sealed record BatchRecord(
    string Id, JobState State, int Parts, int Done, DateTimeOffset Created, DateTimeOffset? Ended = null, string? Detail = null, IReadOnlyList<StoredReading>? Results = null);

/// <summary>A session of a device: readings with no long gap between them.</summary>
public sealed record DeviceSession(string Device, DateTimeOffset Start, DateTimeOffset End, long Readings, double Min, double Max);

/// <summary>The clients that called an API most in a minute.</summary>
/// <param name="ErrorRate">Of all calls of the API: 0 to 1.</param>
public sealed record UsageTop(string Api, DateTimeOffset Start, long Calls, double ErrorRate, IReadOnlyList<ClientCalls> Clients);

/// <summary>Calls of a client.</summary>
public sealed record ClientCalls(string Client, long Calls);

/// <summary>What the analytics hold of devices: personal data of their owner.</summary>
public sealed record AnalyticsExport(
    IReadOnlyList<StoredReading> Readings, IReadOnlyList<StoredReading> Hours, IReadOnlyList<AlertRecord> Alerts, IReadOnlyList<DeviceSession> Sessions);

/// <summary>Counters of the analytics, once a second to those who look on.</summary>
public sealed record LiveCounters(long Readings, int OpenAlerts, long CommandsSent, double P99Milliseconds);
