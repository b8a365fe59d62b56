using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.Portal.Sessions;

/// <summary>
/// Sessions in a file that several instances of the portal may share. The key of a row is the hash of what the browser has, the content is encrypted: who reads the file gets into no session.
/// </summary>
internal sealed class SessionDatabase : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Lock _gate = new();
    private readonly int _capacity;

    internal SessionDatabase(string path, int capacity)
    {
        _capacity = capacity;
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000; PRAGMA secure_delete=ON;");
        Run("CREATE TABLE IF NOT EXISTS sessions (id BLOB PRIMARY KEY, content BLOB NOT NULL, ends INTEGER NOT NULL, claimed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;");
        Run("CREATE INDEX IF NOT EXISTS sessions_ends ON sessions (ends);");
    }

    /// <summary>Keeps a session; takes away those that have ended, and the oldest where there are too many.</summary>
    internal void Put(string id, byte[] content, DateTimeOffset ends, DateTimeOffset now)
    {
        lock (_gate)
        {
            using var transaction = _connection.BeginTransaction();
            Run("DELETE FROM sessions WHERE ends < $now", ("$now", now.ToUnixTimeMilliseconds()));
            Run(
                "INSERT INTO sessions (id, content, ends) VALUES ($id, $content, $ends) ON CONFLICT (id) DO UPDATE SET content = $content, ends = $ends",
                ("$id", Hash(id)), ("$content", content), ("$ends", ends.ToUnixTimeMilliseconds()));
            Run(
                "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY ends LIMIT MAX(0, (SELECT COUNT(*) FROM sessions) - $capacity))",
                ("$capacity", _capacity));
            transaction.Commit();
        }
    }

    /// <summary>A session's content; null where there is none, or it has ended.</summary>
    internal byte[]? Find(string id, DateTimeOffset now)
    {
        lock (_gate)
        {
            using var command = Command("SELECT content FROM sessions WHERE id = $id AND ends >= $now", ("$id", Hash(id)), ("$now", now.ToUnixTimeMilliseconds()));
            return (byte[]?)command.ExecuteScalar();
        }
    }

    /// <summary>Takes a session away.</summary>
    internal void Delete(string id)
    {
        lock (_gate)
        {
            Run("DELETE FROM sessions WHERE id = $id", ("$id", Hash(id)));
        }
    }

    /// <summary>Claims the right to renew a session's tokens until a time: a refresh token holds once, and two instances must not both use it.</summary>
    /// <returns>Whether nobody else has it.</returns>
    internal bool TryClaim(string id, DateTimeOffset now, DateTimeOffset until)
    {
        lock (_gate)
        {
            return Run(
                "UPDATE sessions SET claimed = $until WHERE id = $id AND claimed < $now",
                ("$id", Hash(id)), ("$now", now.ToUnixTimeMilliseconds()), ("$until", until.ToUnixTimeMilliseconds())) == 1;
        }
    }

    /// <summary>Gives the claim back.</summary>
    internal void Release(string id)
    {
        lock (_gate)
        {
            Run("UPDATE sessions SET claimed = 0 WHERE id = $id", ("$id", Hash(id)));
        }
    }

    public void Dispose() => _connection.Dispose();

    private static byte[] Hash(string id) => SHA256.HashData(Encoding.UTF8.GetBytes(id));

    private int Run(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        using var command = Command(sql, values);
        return command.ExecuteNonQuery();
    }

    private SqliteCommand Command(string sql, params ReadOnlySpan<(string Name, object Value)> values)
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
