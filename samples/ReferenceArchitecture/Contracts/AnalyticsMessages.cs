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
