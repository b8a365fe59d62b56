using IoT.Reference.ApiGateway.Usage;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.ApiGateway.Subscriptions;

/// <summary>A person's use of an API: an app at <c>Identity</c> with a plan.</summary>
internal sealed record Subscription(string App, string Api, string Owner, string Name, string Plan, IReadOnlyList<string> Scopes, DateTimeOffset Created);

/// <summary>A key of a subscription.</summary>
/// <param name="Name">Its first characters.</param>
/// <param name="Ends">When it ends: it was replaced, and holds for a while.</param>
internal sealed record StoredKey(string Hash, string App, string Name, byte[] Box, DateTimeOffset Created, DateTimeOffset? Ends);

/// <summary>Subscriptions, keys and counts of calls, in one SQLite file. What is deleted is overwritten.</summary>
internal sealed class SubscriptionStore : IDisposable
{
    private const string Schema = """
        pragma journal_mode=wal; pragma synchronous=normal; pragma busy_timeout=5000; pragma secure_delete=on; pragma foreign_keys=on;
        create table if not exists subscriptions(app text primary key, api text not null, owner text not null, name text not null, plan text not null, scopes text not null, created integer not null) without rowid;
        create table if not exists keys(hash text primary key, app text not null references subscriptions(app) on delete cascade, name text not null, box blob not null, created integer not null, ends integer) without rowid;
        create table if not exists usage(app text not null references subscriptions(app) on delete cascade, hour integer not null, calls integer not null, errors integer not null, refused integer not null, milliseconds real not null, primary key(app, hour)) without rowid;
        """;

    private readonly SqliteConnection _connection;
    private readonly Lock _gate = new();

    public SubscriptionStore(ApiGatewayOptions options)
    {
        string path = Path.Combine(options.DataFolder, "subscriptions.db");
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        Execute(Schema);
    }

    public void Dispose() => _connection.Dispose();

    internal List<Subscription> Subscriptions() => Query("select app, api, owner, name, plan, scopes, created from subscriptions", r => new Subscription(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5).Split(' ', StringSplitOptions.RemoveEmptyEntries), Time(r.GetInt64(6))));

    internal List<StoredKey> Keys() => Query("select hash, app, name, box, created, ends from keys", r => new StoredKey(
        r.GetString(0), r.GetString(1), r.GetString(2), (byte[])r.GetValue(3), Time(r.GetInt64(4)), r.IsDBNull(5) ? null : Time(r.GetInt64(5))));

    internal void Add(Subscription s, StoredKey key) => Together(() =>
    {
        Execute(
            "insert into subscriptions values($app, $api, $owner, $name, $plan, $scopes, $created)",
            ("$app", s.App), ("$api", s.Api), ("$owner", s.Owner), ("$name", s.Name), ("$plan", s.Plan), ("$scopes", string.Join(' ', s.Scopes)), ("$created", s.Created.ToUnixTimeMilliseconds()));
        Put(key);
    });

    /// <summary>Puts a new key beside those that are there, which end.</summary>
    internal void Replace(IEnumerable<StoredKey> ending, StoredKey key) => Together(() =>
    {
        foreach (var old in ending)
        {
            Put(old);
        }

        Put(key);
    });

    internal void DeleteKey(string hash) => Execute("delete from keys where hash = $hash", ("$hash", hash));

    internal void Delete(string app) => Execute("delete from subscriptions where app = $app", ("$app", app));

    /// <summary>Adds calls to the hours they were in; forgets what is too old.</summary>
    internal void Count(IEnumerable<HourOfCalls> hours, DateTimeOffset oldest) => Together(() =>
    {
        foreach (var h in hours)
        {
            // A subscription may have been deleted since the call.
            Execute(
                """
                insert into usage select $app, $hour, $calls, $errors, $refused, $ms where exists (select 1 from subscriptions where app = $app)
                on conflict (app, hour) do update set calls = calls + $calls, errors = errors + $errors, refused = refused + $refused, milliseconds = milliseconds + $ms
                """,
                ("$app", h.App), ("$hour", h.Hour.ToUnixTimeSeconds()), ("$calls", h.Calls), ("$errors", h.Errors), ("$refused", h.Refused), ("$ms", h.Milliseconds));
        }

        Execute("delete from usage where hour < $oldest", ("$oldest", oldest.ToUnixTimeSeconds()));
    });

    internal List<HourOfCalls> Calls(string app, DateTimeOffset from) => Query(
        "select hour, calls, errors, refused, milliseconds from usage where app = $app and hour >= $from order by hour limit 1000",
        r => new HourOfCalls(app, DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(0)), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetDouble(4)),
        ("$app", app), ("$from", from.ToUnixTimeSeconds()));

    internal long CallsSince(string app, DateTimeOffset from) => Query(
        "select coalesce(sum(calls - refused), 0) from usage where app = $app and hour >= $from", r => r.GetInt64(0), ("$app", app), ("$from", from.ToUnixTimeSeconds()))[0];

    /// <summary>Writes the file anew: nothing of what was deleted is in it any more.</summary>
    internal void Compact() => Execute("vacuum; pragma wal_checkpoint(truncate);");

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private void Put(StoredKey key) => Execute(
        "insert into keys values($hash, $app, $name, $box, $created, $ends) on conflict (hash) do update set ends = $ends",
        ("$hash", key.Hash), ("$app", key.App), ("$name", key.Name), ("$box", key.Box), ("$created", key.Created.ToUnixTimeMilliseconds()),
        ("$ends", (object?)key.Ends?.ToUnixTimeMilliseconds() ?? DBNull.Value));

    private void Together(Action work)
    {
        lock (_gate)
        {
            Execute("begin immediate");
            try
            {
                work();
                Execute("commit");
            }
            catch
            {
                Execute("rollback");
                throw;
            }
        }
    }

    private void Execute(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        lock (_gate)
        {
            using var command = Command(sql, values);
            command.ExecuteNonQuery();
        }
    }

    private List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object Value)> values)
    {
        lock (_gate)
        {
            using var command = Command(sql, values);
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read())
            {
                rows.Add(read(reader));
            }

            return rows;
        }
    }

    private SqliteCommand Command(string sql, ReadOnlySpan<(string Name, object Value)> values)
    {
        var command = _connection.CreateCommand();
#pragma warning disable CA2100 // The texts are constants of this file.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}
