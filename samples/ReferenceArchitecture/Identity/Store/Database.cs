using Microsoft.Data.Sqlite;

namespace IoT.Reference.Identity.Store;

/// <summary>One SQLite file: one connection, one at a time, prepared statements. What is deleted is overwritten, since what is erased must not be in the file any more.</summary>
internal sealed class Database : IDisposable
{
    private const string Schema = """
        create table if not exists people(id text primary key, name text not null, roles text not null, password text not null, failures integer not null, locked_until integer not null, created integer not null) without rowid;
        create table if not exists credentials(subject text primary key, kind integer not null, scopes text not null, speaks_for text, owner text, hash blob not null, old_hash blob, old_until integer, created integer not null) without rowid;
        create table if not exists revocations(subject text primary key, before integer not null) without rowid;
        create table if not exists erased(subject blob primary key, at integer not null) without rowid;
        create table if not exists resources(id text primary key, owner text, gateway text, grp text, locked integer not null) without rowid;
        create table if not exists shares(id text primary key, device text not null, owner text not null, other text not null, actions text not null, until integer not null) without rowid;
        create table if not exists policies(id text not null, version integer not null, xml text, changed integer not null, by_whom text not null, primary key(id, version)) without rowid;
        create table if not exists audit(number integer primary key autoincrement, time integer not null, subject text not null, action text not null, resource text not null, outcome text not null, detail text, origin text);
        """;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    internal Database(string path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        Run("pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on; pragma busy_timeout=5000;");
        Run(Schema);
    }

    /// <summary>Changes something; gives how many rows.</summary>
    internal int Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        lock (_gate)
        {
            return Prepare(sql, values).ExecuteNonQuery();
        }
    }

    internal List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> values)
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

    /// <summary>All or nothing.</summary>
    internal void Together(Action work)
    {
        lock (_gate)
        {
            Run("begin immediate");
            try
            {
                work();
                Run("commit");
            }
            catch
            {
                Run("rollback");
                throw;
            }
        }
    }

    /// <summary>Writes the file anew and empties the log of writes: nothing of what was deleted is in either.</summary>
    internal void Compact()
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
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
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

/// <summary>How values are read.</summary>
internal static class Rows
{
    internal static string? Text(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    internal static DateTimeOffset Time(this SqliteDataReader row, int column) => DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));

    internal static string[] Words(string? text) => text is null ? [] : text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
