using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Store;

/// <summary>What was done and refused. Bounded: the latest hundred thousand.</summary>
internal sealed class AuditLog(Database database, IdentityOptions options)
{
    private const int Kept = 100_000, PruneEvery = 1_000;

    internal const string Layer = "identity";

    private readonly ILogger _logger = options.LoggerFactory.CreateLogger("IoT.Reference.Identity.Audit");
    private int _written;

    internal void Write(string subject, string action, string resource, string outcome, string? detail = null, string? origin = null)
    {
        var now = options.TimeProvider.GetUtcNow();
        database.Execute(
            "insert into audit(time, subject, action, resource, outcome, detail, origin) values($time, $subject, $action, $resource, $outcome, $detail, $origin)",
            ("$time", now.ToUnixTimeMilliseconds()), ("$subject", Short(subject)), ("$action", action), ("$resource", Short(resource)), ("$outcome", outcome), ("$detail", detail), ("$origin", origin));
        if (Interlocked.Increment(ref _written) % PruneEvery == 0)
        {
            database.Execute("delete from audit where number <= (select max(number) from audit) - $kept", ("$kept", Kept));
        }

        IdentityLog.Audited(_logger, outcome, Short(subject), action, Short(resource), detail);
        options.Audit?.Invoke(new AuditEntry(now, Layer, subject, action, resource, outcome, detail, origin));
    }

    internal List<AuditEntry> List(long after, int limit) => Read("select time, subject, action, resource, outcome, detail, origin from audit where number > $after order by number limit $limit", ("$after", after), ("$limit", limit));

    internal List<AuditEntry> Of(string person) =>
        Read("select time, subject, action, resource, outcome, detail, origin from audit where subject = $person or resource = $resource order by number limit 10000", ("$person", person), ("$resource", Resources.Person(person)));

    private List<AuditEntry> Read(string sql, params ReadOnlySpan<(string, object?)> values) =>
        database.Query(sql, static r => new AuditEntry(r.Time(0), Layer, r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.Text(5), r.Text(6)), values);

    // Names come from the network where nobody proved them.
    private static string Short(string text) => new([.. text.Take(128).Select(static c => char.IsControl(c) ? '?' : c)]);
}

internal static partial class IdentityLog
{
    [LoggerMessage(1, LogLevel.Information, "{Outcome}: {Subject} {Action} {Resource} {Detail}")]
    internal static partial void Audited(ILogger logger, string outcome, string subject, string action, string resource, string? detail);
}
