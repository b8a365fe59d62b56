using Microsoft.Data.Sqlite;

namespace IoT.Reference.Analytics.Storage;

/// <summary>The layer's database: one file, one writer at a time, readers beside it. Times are ticks (100 ns) since year 1, UTC.</summary>
internal sealed class Store : IDisposable
{
    private readonly string _reader;
    private readonly SqliteConnection _writer;
    private readonly Lock _writing = new();

    // Readers and writers hold it shared; who must have the file to himself, to leave no trace of what was erased, holds it alone.
    private readonly ReaderWriterLockSlim _file = new();

    public Store(string file)
    {
        File = file;
        _reader = new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, Mode = SqliteOpenMode.ReadOnly, DefaultTimeout = 10 }.ToString();
        _writer = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = 10 }.ToString());
        _writer.Open();

        // secure_delete: what is deleted is overwritten. NORMAL: a killed process loses nothing, a power failure the last moments, which devices send again.
        _writer.Run("PRAGMA journal_mode=WAL");
        _writer.Run("PRAGMA synchronous=NORMAL");
        _writer.Run("PRAGMA secure_delete=ON");
        _writer.Run(Schema.Text);
    }

    public string File { get; }

    /// <summary>Works in one transaction: all of it is in the file when it returns, or nothing.</summary>
    public T Write<T>(Func<SqliteConnection, T> work)
    {
        _file.EnterReadLock();
        try
        {
            lock (_writing)
            {
                using var transaction = _writer.BeginTransaction();
                T result = work(_writer);
                transaction.Commit();
                return result;
            }
        }
        finally
        {
            _file.ExitReadLock();
        }
    }

    public void Write(Action<SqliteConnection> work) => Write(connection =>
    {
        work(connection);
        return true;
    });

    /// <summary>Reads what was committed when it began; holds no writer up.</summary>
    public T Read<T>(Func<SqliteConnection, T> work)
    {
        _file.EnterReadLock();
        try
        {
            using var connection = new SqliteConnection(_reader);
            connection.Open();
            return work(connection);
        }
        finally
        {
            _file.ExitReadLock();
        }
    }

    /// <summary>Deletes for good: rewrites the file and empties its log, so that no free page and no log holds what is gone.</summary>
    public void Erase(Action<SqliteConnection> work)
    {
        _file.EnterWriteLock();
        try
        {
            using (var transaction = _writer.BeginTransaction())
            {
                work(_writer);
                transaction.Commit();
            }

            _writer.Run("VACUUM");
            _writer.Run("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        finally
        {
            _file.ExitWriteLock();
        }
    }

    /// <summary>The bytes in use; free pages, which are used again, do not count.</summary>
    public long UsedBytes() => Read(c => (c.Number("PRAGMA page_count") - c.Number("PRAGMA freelist_count")) * c.Number("PRAGMA page_size"));

    public void Dispose()
    {
        _writer.Dispose();
        _file.Dispose();
    }
}

/// <summary>Short words for SQLite.</summary>
internal static class Sql
{
    public static SqliteCommand Command(this SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = text;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }

    public static int Run(this SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.Command(text, parameters);
        return command.ExecuteNonQuery();
    }

    /// <summary>The first column of the first row as a whole number; 0 where there is none.</summary>
    public static long Number(this SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.Command(text, parameters);
        return command.ExecuteScalar() is long number ? number : 0;
    }

    public static List<T> Rows<T>(this SqliteConnection connection, Func<SqliteDataReader, T> row, string text, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.Command(text, parameters);
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    public static DateTimeOffset Time(this SqliteDataReader row, int column) => new(row.GetInt64(column), TimeSpan.Zero);

    public static string? Text(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}

internal static class Schema
{
    public const string Text = """
        CREATE TABLE IF NOT EXISTS readings (device TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (device, name, time)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS readings_by_time ON readings (time);
        CREATE TABLE IF NOT EXISTS minutes (device TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
            PRIMARY KEY (device, name, time)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS hours (device TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
            PRIMARY KEY (device, name, time)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, device TEXT NOT NULL, rule TEXT NOT NULL, severity INTEGER NOT NULL, state INTEGER NOT NULL, text TEXT NOT NULL, value REAL,
            raised INTEGER NOT NULL, changed INTEGER, acknowledged_by TEXT, trace TEXT, ends INTEGER);
        CREATE INDEX IF NOT EXISTS alerts_by_device ON alerts (device);
        CREATE TABLE IF NOT EXISTS sessions (device TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, readings INTEGER NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
            PRIMARY KEY (device, start)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS usage (api TEXT NOT NULL, client TEXT NOT NULL, start INTEGER NOT NULL, calls INTEGER NOT NULL, errors INTEGER NOT NULL, milliseconds REAL NOT NULL,
            PRIMARY KEY (api, client, start)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS thresholds (rule TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (rule, name));
        CREATE TABLE IF NOT EXISTS documents (kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name));
        CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, request TEXT NOT NULL, state TEXT NOT NULL, parts INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER, detail TEXT);
        CREATE TABLE IF NOT EXISTS job_parts (job TEXT NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (job, part)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS job_results (job TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL,
            max REAL NOT NULL, PRIMARY KEY (job, device, name, time)) WITHOUT ROWID;
        """;
}
