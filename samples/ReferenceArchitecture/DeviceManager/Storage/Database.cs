using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Storage;

/// <summary>One SQLite file: one connection, one at a time, prepared statements. What is deleted is overwritten, since what is erased must not be in the file any more.</summary>
internal sealed class Database : IDisposable
{
    private const string Schema = """
        create table if not exists devices(
            id text primary key, type text not null, state integer not null, owner text, grp text, gateway text, software text, created integer not null, seen integer, online integer,
            sleeps integer, latitude real, longitude real, attributes text, claim blob, desired_version integer not null default 0, desired text,
            reported_version integer not null default 0, reported text, reported_time integer) without rowid;
        create index if not exists devices_owner on devices(owner);
        create index if not exists devices_group on devices(grp, type);
        create index if not exists devices_place on devices(latitude) where latitude is not null;
        create table if not exists owners(n integer primary key, device text not null, owner text not null, since integer not null, until integer, by_whom text not null);
        create index if not exists owners_device on owners(device);
        create index if not exists owners_owner on owners(owner);
        create table if not exists commands(
            id text primary key, device text not null, name text not null, arguments text, state integer not null, by_whom text not null, reason text, created integer not null,
            expires integer not null, changed integer, detail text, result text, trace text, sent integer) without rowid;
        create index if not exists commands_device on commands(device, id);
        create index if not exists commands_open on commands(device) where state < 3;
        create index if not exists commands_expires on commands(expires) where state < 3;
        create table if not exists jobs(
            id text primary key, name text not null, state integer not null, stage integer not null, stage_since integer not null, total integer not null, request text not null,
            by_whom text not null, created integer not null, ended integer, detail text) without rowid;
        create table if not exists job_items(
            job text not null, n integer not null, device text not null, stage integer not null, state integer not null, command text, primary key(job, n)) without rowid;
        create index if not exists job_items_state on job_items(job, stage, state, n);
        create unique index if not exists job_items_command on job_items(command) where command is not null;
        create table if not exists packages(
            id text primary key, type text not null, version text not null, size integer not null, sha256 text not null, signature text not null, created integer not null) without rowid;
        create table if not exists rollouts(
            id text primary key, package text not null, state integer not null, request text not null, grp integer not null, job text, ticket text not null, by_whom text not null,
            created integer not null, ended integer, detail text) without rowid;
        create table if not exists outbox(n integer primary key autoincrement, kind integer not null, device text not null, body text);
        create index if not exists outbox_device on outbox(device);
        create table if not exists audit(
            n integer primary key autoincrement, time integer not null, subject text not null, action text not null, resource text not null, outcome text not null, detail text, origin text);
        create index if not exists audit_subject on audit(subject);
        create index if not exists audit_resource on audit(resource);
        """;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);
    private bool _isTogether;

    public Database(string path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        Run("pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on; pragma busy_timeout=5000;");
        Run(Schema);
    }

    /// <summary>Changes something; gives how many rows.</summary>
    public int Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        lock (_gate)
        {
            return Prepare(sql, values).ExecuteNonQuery();
        }
    }

    public List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        lock (_gate)
        {
            using var reader = Prepare(sql, values).ExecuteReader();
            var rows = new List<T>();
            while (reader.Read())
            {
                rows.Add(read(reader));
            }

            return rows;
        }
    }

    public long Number(string sql, params ReadOnlySpan<(string Name, object? Value)> values) => Query(sql, static r => r.GetInt64(0), values)[0];

    /// <summary>All or nothing; inside of another one it is part of that.</summary>
    public T Together<T>(Func<T> work)
    {
        lock (_gate)
        {
            if (_isTogether)
            {
                return work();
            }

            Run("begin immediate");
            _isTogether = true;
            bool isDone = false;
            try
            {
                T result = work();
                isDone = true;
                return result;
            }
            finally
            {
                _isTogether = false;
                Run(isDone ? "commit" : "rollback");
            }
        }
    }

    /// <inheritdoc cref="Together{T}"/>
    public void Together(Action work) => Together(() =>
    {
        work();
        return true;
    });

    /// <summary>Writes the file anew and empties the log of writes: nothing of what was deleted is in either.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            Run("vacuum; pragma wal_checkpoint(truncate);");
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var command in _commands.Values)
            {
                command.Dispose();
            }

            _connection.Dispose();
        }
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<(string Name, object? Value)> values)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
#pragma warning disable CA2100 // Texts of this program only; what comes from the network is a parameter.
            command.CommandText = sql;
#pragma warning restore CA2100
            _commands.Add(sql, command);
        }

        command.Parameters.Clear();
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value switch
            {
                null => DBNull.Value,
                DateTimeOffset time => time.ToUnixTimeMilliseconds(),
                TimeSpan span => (long)span.TotalMilliseconds,
                Enum word => Convert.ToInt32(word, System.Globalization.CultureInfo.InvariantCulture),
                _ => value,
            });
        }

        return command;
    }

    private void Run(string sql)
    {
        using var command = _connection.CreateCommand();
#pragma warning disable CA2100 // Texts of this program only.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
