using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>
/// The one connection through which this process writes a file, shared by all its tables: SQLite has one writer at a
/// time anyway, and tables that waited for each other's locks would only lose time.
/// </summary>
internal sealed partial class SqliteDatabase : IDisposable
{
    private static readonly Lock _gate = new();
    private static readonly Dictionary<string, SqliteDatabase> _open = new(
        OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    private readonly SemaphoreSlim _lock = new(1, 1);
    private readonly SqliteOptions _options;
    private SqliteConnection? _connection;
    private int _users;

    private SqliteDatabase(SqliteOptions options) => _options = options;

    public string File => _options.File;

    private SQLitePCL.sqlite3 Handle => (_connection ?? throw new ObjectDisposedException(File)).Handle!;

    /// <summary>Takes part in the file's connection; opens it where this is the first to ask.</summary>
    public static async ValueTask<SqliteDatabase> OpenAsync(SqliteOptions options, ILogger logger, CancellationToken stop)
    {
        var database = Join(options);
        try
        {
            using (await database.LockAsync(stop).ConfigureAwait(false))
            {
                database._connection ??= database.Connect(logger);
            }

            return database;
        }
        catch
        {
            await database.LeaveAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Waits for the right to use the connection.</summary>
    public ValueTask<Hold> LockAsync(CancellationToken stop) => Hold.TakeAsync(_lock, stop);

    /// <summary>Leaves the connection; the last one closes it, which also empties the write-ahead log into the file.</summary>
    public async ValueTask LeaveAsync()
    {
        lock (_gate)
        {
            if (--_users > 0)
            {
                return;
            }

            _open.Remove(_options.File);
        }

        using (await LockAsync(CancellationToken.None).ConfigureAwait(false))
        {
            _connection?.Dispose();
            _connection = null;
        }

        // Nobody waits for the lock: who does is a user.
        Dispose();
    }

    public void Dispose() => _lock.Dispose();

    /// <summary>Prepares a statement. The caller holds the lock.</summary>
    public SqliteStatement Prepare(string sql) => new(Handle, sql);

    /// <summary>Runs a statement that returns no rows. The caller holds the lock.</summary>
    public void Execute(string sql)
    {
        using var statement = Prepare(sql);
        statement.Run();
    }

    /// <summary>Takes back what an unfinished transaction wrote; after some errors SQLite has already done so.</summary>
    public void RollBack()
    {
        if (_connection is not null && SQLitePCL.raw.sqlite3_get_autocommit(Handle) == 0)
        {
            Execute("ROLLBACK");
        }
    }

    private static SqliteDatabase Join(SqliteOptions options)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue(options.File, out var database))
            {
                _open[options.File] = database = new SqliteDatabase(options with { });
            }
            else if (database._options != options)
            {
                throw new InvalidOperationException(
                    $"{options.File} is already open in this process with other options; give it the same options everywhere.");
            }

            database._users++;
            return database;
        }
    }

    /// <summary>Throws where a file can't be: in a folder that does not exist, or where a folder is.</summary>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="InvalidOperationException">The path is a folder.</exception>
    public static void CheckPlace(string file)
    {
        string folder = Path.GetDirectoryName(file) ?? "";
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException(
                $"The folder {folder} of the SQLite file {Path.GetFileName(file)} does not exist. "
                + "Create it, or name another file in cep.Sqlite(file).");
        }

        if (Directory.Exists(file))
        {
            throw new InvalidOperationException($"The SQLite file {file} is a folder. Name a file in it: cep.Sqlite(file).");
        }
    }

    private SqliteConnection Connect(ILogger logger)
    {
        CheckPlace(File);

        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = File, Pooling = false }.ToString());
        try
        {
            connection.Open();
            Configure(connection, logger);
            return connection;
        }
        catch (SqliteException error)
        {
            connection.Dispose();
            throw new SqliteException($"Can't open the SQLite file {File}: {error.Message}", error.SqliteErrorCode, error.SqliteExtendedErrorCode);
        }
    }

    private void Configure(SqliteConnection connection, ILogger logger)
    {
        var handle = connection.Handle!;
        _ = SQLitePCL.raw.sqlite3_busy_timeout(handle, (int)_options.BusyTimeout.TotalMilliseconds);
        Pragma("synchronous", _options.Synchronous == SqliteSynchronous.Full ? "FULL" : "NORMAL");
        string? mode = Pragma("journal_mode", _options.WriteAheadLog ? "WAL" : "DELETE");
        if (_options.WriteAheadLog && mode != "wal")
        {
            LogNoWriteAheadLog(logger, File, mode ?? "unknown");
        }

        // A log that one slow reader made large gives its space back at the next checkpoint.
        Pragma("journal_size_limit", "67108864");
        if (_options.MaxFileBytes is { } bytes)
        {
            using var size = new SqliteStatement(handle, "PRAGMA page_size");
            size.Read();
            Pragma("max_page_count", (bytes / size.IntegerAt(0)).ToString(CultureInfo.InvariantCulture));
        }

        // The values are constants or numbers of ours: a pragma takes no parameters.
        string? Pragma(string name, string value)
        {
            using var pragma = new SqliteStatement(handle, $"PRAGMA {name}={value}");
            return pragma.Read() ? pragma.TextAt(0) : null;
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{File} can't have a write-ahead log and uses the journal mode {Mode}: batches are slower and wait for readers.")]
    private static partial void LogNoWriteAheadLog(ILogger logger, string file, string mode);
}

/// <summary>Holds a semaphore until it is disposed.</summary>
internal readonly struct Hold : IDisposable
{
    private readonly SemaphoreSlim _taken;

    private Hold(SemaphoreSlim taken) => _taken = taken;

    public static async ValueTask<Hold> TakeAsync(SemaphoreSlim semaphore, CancellationToken stop)
    {
        await semaphore.WaitAsync(stop).ConfigureAwait(false);
        return new Hold(semaphore);
    }

    public void Dispose() => _taken.Release();
}
