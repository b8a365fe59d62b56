using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace IoT.Cep;

/// <summary>
/// A prepared statement. It binds typed values straight to SQLite, without boxing and without the waiting loop of a
/// <c>SqliteCommand</c>, which sleeps on a locked database. One thread at a time: the database's lock sees to that.
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private const int BufferBytes = 1024;

    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;
    private byte[]? _buffer;

    public SqliteStatement(sqlite3 database, string sql)
    {
        _database = database;
        if (raw.sqlite3_prepare_v2(database, sql, out _statement) != raw.SQLITE_OK)
        {
            throw Failure();
        }
    }

    // Holds a short value's UTF-8 on its way; BEGIN and COMMIT never need it.
    private byte[] Buffer => _buffer ??= new byte[BufferBytes];

    public void Null(int parameter) => Check(raw.sqlite3_bind_null(_statement, parameter));

    public void Integer(int parameter, long value) => Check(raw.sqlite3_bind_int64(_statement, parameter, value));

    /// <summary>Binds a number; SQLite stores NaN as NULL.</summary>
    public void Real(int parameter, double value) => Check(raw.sqlite3_bind_double(_statement, parameter, value));

    public void Text(int parameter, string? value)
    {
        if (value is null)
        {
            Null(parameter);
            return;
        }

        // UTF-8 needs at most three bytes for each char. A lone surrogate, which UTF-8 can't hold, becomes U+FFFD.
        if (value.Length <= BufferBytes / 3)
        {
            Utf8(parameter, Buffer.AsSpan(0, Encoding.UTF8.GetBytes(value, Buffer)));
            return;
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(value));
        try
        {
            Utf8(parameter, rented.AsSpan(0, Encoding.UTF8.GetBytes(value, rented)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Binds a value's text, which is short, in the invariant culture.</summary>
    public void Formatted<TValue>(int parameter, TValue value, ReadOnlySpan<char> format)
        where TValue : IUtf8SpanFormattable
    {
        bool fits = value.TryFormat(Buffer, out int length, format, CultureInfo.InvariantCulture);
        Debug.Assert(fits, "A number, a date or a Guid fits the buffer.");
        Utf8(parameter, Buffer.AsSpan(0, length));
    }

    public void Blob(int parameter, byte[]? value)
    {
        if (value is null)
        {
            Null(parameter);
        }
        else
        {
            Check(raw.sqlite3_bind_blob(_statement, parameter, value));
        }
    }

    /// <summary>Runs a statement that returns no rows; the next values may be bound afterwards.</summary>
    public void Run()
    {
        int code = raw.sqlite3_step(_statement);
        if (code is not (raw.SQLITE_DONE or raw.SQLITE_ROW))
        {
            var failure = Failure();
            _ = raw.sqlite3_reset(_statement);
            throw failure;
        }

        _ = raw.sqlite3_reset(_statement);
    }

    /// <summary>Moves to the next row of a result.</summary>
    public bool Read() => raw.sqlite3_step(_statement) switch
    {
        raw.SQLITE_ROW => true,
        raw.SQLITE_DONE => false,
        _ => throw Failure(),
    };

    public string? TextAt(int column) =>
        raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL ? null : raw.sqlite3_column_text(_statement, column).utf8_to_string();

    public long IntegerAt(int column) => raw.sqlite3_column_int64(_statement, column);

    public void Dispose() => _statement?.Dispose();

    private void Utf8(int parameter, ReadOnlySpan<byte> value) => Check(raw.sqlite3_bind_text(_statement, parameter, value));

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw Failure();
        }
    }

    private SqliteException Failure()
    {
        int extended = raw.sqlite3_extended_errcode(_database);
        return new SqliteException(raw.sqlite3_errmsg(_database).utf8_to_string(), extended & 0xFF, extended);
    }
}
