using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Storage;

/// <summary>Who did what, when, and what became of it: in the store, at most <see cref="MaxEntries"/> of the latest, and on the bus.</summary>
internal sealed class AuditLog(Database database, TimeProvider time, Action<AuditEntry> tell)
{
    public const string Layer = "device-manager";

    /// <summary>Some hundred MB at most.</summary>
    public const int MaxEntries = 1_000_000;

    /// <summary>Who floods an entrance with what is refused must not flood the audit.</summary>
    private const int RefusalsPerSecond = 50;

    private readonly Lock _gate = new();
    private long _second;
    private int _said;

    public void Write(string subject, string action, string resource, string outcome, string? detail = null, string? origin = null) =>
        Write(new AuditEntry(time.GetUtcNow(), Layer, subject, action, resource, outcome, detail, origin));

    /// <summary>What the enforcement point refused.</summary>
    public void Refused(AuditEntry entry)
    {
        lock (_gate)
        {
            long second = entry.Time.ToUnixTimeSeconds();
            (_second, _said) = second == _second ? (_second, _said + 1) : (second, 1);
            if (_said > RefusalsPerSecond)
            {
                return;
            }
        }

        Write(entry);
    }

    public List<(long Number, AuditEntry Entry)> List(long after, int limit, string? resource) => database.Query(
        "select time, subject, action, resource, outcome, detail, origin, n from audit where n > $after and ($resource is null or resource = $resource) order by n limit $limit",
        static r => (r.GetInt64(7), Rows.ReadAudit(r)), ("$after", after), ("$resource", resource), ("$limit", limit));

    public void Prune() => database.Execute("delete from audit where n <= (select max(n) from audit) - $most", ("$most", MaxEntries));

    private void Write(AuditEntry entry)
    {
        database.Execute(
            "insert into audit(time, subject, action, resource, outcome, detail, origin) values($time, $subject, $action, $resource, $outcome, $detail, $origin)",
            ("$time", entry.Time), ("$subject", entry.Subject), ("$action", entry.Action), ("$resource", entry.Resource), ("$outcome", entry.Outcome),
            ("$detail", entry.Detail), ("$origin", entry.Origin));
        tell(entry);
    }
}
