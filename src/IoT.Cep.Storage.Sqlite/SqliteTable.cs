using System.Diagnostics;
using System.Reflection;
using IoT.Cep.Extensibility;
using Microsoft.Data.Sqlite;

namespace IoT.Cep;

/// <summary>Writes batches into one table: each batch is one transaction, so it is in the file as a whole or not at all.</summary>
internal sealed class SqliteTable<T> : IAsyncSink<T>
{
    // SQLite's codes for what no second attempt can heal: a constraint, a datatype mismatch, a value beyond its size limit.
    private const int Constraint = 19, Mismatch = 20, TooBig = 18;

    // Its codes for what lasts until somebody changes the table or the file: an error in a statement, no right to write, damage, another kind of file.
    private const int Error = 1, ReadOnly = 8, Corrupt = 11, NoDatabase = 26;

    // A stop is looked for this often: some ten microseconds of work apart.
    private const int RowsPerStopCheck = 64;

    private readonly string _table;
    private readonly SqliteColumn<T>[] _columns;
    private readonly string _connection;
    private readonly SemaphoreSlim _gate = new(1, 1);

    // The gate guards what follows.
    private SinkContext? _context;
    private SqliteDatabase? _database;

    private SqliteStatement? _insert;
    private SqliteStatement? _delete;
    private bool _keyed;

    public SqliteTable(string table, SqliteColumn<T>[] columns, string connection)
    {
        SqliteSchema.CheckNames(table, columns);
        ArgumentException.ThrowIfNullOrEmpty(connection);
        _table = table;
        _columns = columns;
        _connection = connection;
        Name = "sqlite " + SafeText.Escape(table);
    }

    public string Name { get; }

    public bool IsDurable => true;

    public bool UsesIdentity => true;

    public bool TakesRetractions => true;

    public async ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            var options = SqliteOptions.Of(context.Connections, _connection);
            SqliteDatabase.CheckPlace(options.File);
            if (!File.Exists(options.File))
            {
                return;
            }

            var database = await SqliteDatabase.OpenAsync(options, context.Logger, stop).ConfigureAwait(false);
            try
            {
                // Without a transaction that writes: a lock that another program holds must not fail the start.
                using (await database.LockAsync(stop).ConfigureAwait(false))
                {
                    SqliteSchema.CheckFit(database, _table, _columns, context.HasIdentity);
                }
            }
            finally
            {
                await database.LeaveAsync().ConfigureAwait(false);
            }
        }
        catch (Exception error) when (IsLasting(error))
        {
            string advice = error is SqliteException ? $". Mend the table '{_table}' or the file's rights, or write to another one." : "";
            throw new SinkConfigurationException(SafeText.Escape(error.Message, 2000) + advice, error);
        }
    }

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        using (await Hold.TakeAsync(_gate, stop).ConfigureAwait(false))
        {
            _context = context;
            _database ??= await ConnectAsync(context, stop).ConfigureAwait(false);
        }
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Length == 0)
        {
            return;
        }

        using (await Hold.TakeAsync(_gate, stop).ConfigureAwait(false))
        {
            // Two queries may end in one sink: the first that stops closes it, and the other one's next batch opens it again.
            var context = _context ?? throw new InvalidOperationException($"{Name} was not opened.");
            _database ??= await ConnectAsync(context, stop).ConfigureAwait(false);
            using (await _database.LockAsync(stop).ConfigureAwait(false))
            {
                Write(_database, batch, stop);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        using (await Hold.TakeAsync(_gate, CancellationToken.None).ConfigureAwait(false))
        {
            if (_database is { } database)
            {
                _database = null;
                using (await database.LockAsync(CancellationToken.None).ConfigureAwait(false))
                {
                    Forget();
                }

                await database.LeaveAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>What no later attempt heals by itself: our own complaints, and the codes for "no such column", a read-only file, damage, no database.</summary>
    private static bool IsLasting(Exception error) => error is InvalidOperationException or DirectoryNotFoundException or ArgumentException
        || error is SqliteException { SqliteErrorCode: Error or ReadOnly or Corrupt or NoDatabase };

    private async ValueTask<SqliteDatabase> ConnectAsync(SinkContext context, CancellationToken stop)
    {
        var options = SqliteOptions.Of(context.Connections, _connection);
        var database = await SqliteDatabase.OpenAsync(options, context.Logger, stop).ConfigureAwait(false);
        try
        {
            // A table that does not fit is told now, not at the first result, which may come in a week.
            using (await database.LockAsync(stop).ConfigureAwait(false))
            {
                InTransaction(database, () => SqliteSchema.Ensure(database, _table, _columns, context.HasIdentity));
            }

            return database;
        }
        catch
        {
            await database.LeaveAsync().ConfigureAwait(false);
            throw;
        }
    }

    private void InTransaction(SqliteDatabase database, Action action)
    {
        try
        {
            database.Execute("BEGIN IMMEDIATE");
            action();
            database.Execute("COMMIT");
        }
        catch
        {
            RollBack(database);
            throw;
        }
    }

    private void Write(SqliteDatabase database, SinkBatch<T> batch, CancellationToken stop)
    {
        try
        {
            InTransaction(database, () => Insert(database, batch, stop));
        }
        catch (SqliteException error)
        {
            throw new SqliteException(
                $"{Name}: a batch of {batch.Length} was not written to {database.File}: {SafeText.Escape(error.Message)} "
                + $"(SQLite error {error.SqliteExtendedErrorCode}).",
                error.SqliteErrorCode, error.SqliteExtendedErrorCode);
        }
    }

    private void Insert(SqliteDatabase database, SinkBatch<T> batch, CancellationToken stop)
    {
        var rows = batch.Events.Span;
        var ids = batch.Ids.Span;
        var kinds = batch.Kinds.Span;
        Debug.Assert(ids.IsEmpty || ids.Length == rows.Length, "All results of a batch have an identity or none has.");
        var insert = Prepared(database, keyed: !ids.IsEmpty);
        for (int i = 0; i < rows.Length; i++)
        {
            if (i % RowsPerStopCheck == 0)
            {
                stop.ThrowIfCancellationRequested();
            }

            try
            {
                if (!kinds.IsEmpty && kinds[i] == EventKind.Retract)
                {
                    Delete(database, ids, i);
                    continue;
                }

                for (int c = 0; c < _columns.Length; c++)
                {
                    _columns[c].Bind(insert, c + 1, in rows[i]);
                }

                if (!ids.IsEmpty)
                {
                    Bind(insert, _columns.Length, ids[i]);
                }

                insert.Run();
            }
            catch (SqliteException error) when (error.SqliteErrorCode is Constraint or Mismatch or TooBig)
            {
                throw new SinkRejectedException(i, $"{Name}: {SafeText.Escape(error.Message)}", error);
            }
            catch (Exception error) when (error is not (SqliteException or OutOfMemoryException))
            {
                // The user's property or selector failed, or a value has no place in SQLite: it would fail again.
                var cause = (error as TargetInvocationException)?.InnerException ?? error;
                throw new SinkRejectedException(i, $"{Name}: {SafeText.Escape(cause.Message)}", cause);
            }
        }
    }

    /// <summary>The row of a result that was taken back goes; where it never came (its batch was lost before a restart) there is nothing to do.</summary>
    private void Delete(SqliteDatabase database, ReadOnlySpan<ResultId> ids, int row)
    {
        if (ids.IsEmpty)
        {
            throw new NotSupportedException("a result without an identity can't be taken back: nobody can tell which row it was");
        }

        var delete = _delete ??= SqliteSchema.PrepareDelete(database, _table);
        Bind(delete, 0, ids[row]);
        delete.Run();
    }

    private static void Bind(SqliteStatement statement, int parameter, in ResultId id)
    {
        statement.Text(parameter + 1, SqliteKey.Of(id.Key));
        statement.Integer(parameter + 2, id.Start);
        statement.Integer(parameter + 3, id.End);
        statement.Integer(parameter + 4, id.Ordinal);
    }

    private SqliteStatement Prepared(SqliteDatabase database, bool keyed)
    {
        if (_insert is null || _keyed != keyed)
        {
            Forget();
            SqliteSchema.Ensure(database, _table, _columns, keyed);
            _insert = SqliteSchema.Prepare(database, _table, _columns, keyed);
            _keyed = keyed;
        }

        return _insert;
    }

    // The rollback may take a new table with it, and another process may have changed an old one: the next attempt looks again.
    private void RollBack(SqliteDatabase database)
    {
        Forget();
        database.RollBack();
    }

    private void Forget()
    {
        _insert?.Dispose();
        _insert = null;
        _delete?.Dispose();
        _delete = null;
    }
}
