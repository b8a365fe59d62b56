using IoT.Cep.Extensibility;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.Tests;

public sealed class ConnectionTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task Two_tables_of_one_file_are_written_at_the_same_time()
    {
        await using var one = await _file.OpenAsync(Sqlite.Table<Sum>("one"));
        await using var two = await _file.OpenAsync(Sqlite.Table<Sum>("two"));
        await Task.WhenAll(new[] { one, two }.SelectMany(table => Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 25; i++)
            {
                await table.WriteAsync(SqliteFile.Batch(Enumerable.Repeat(new Sum("a", i), 10).ToArray()), default);
            }
        }))));
        Assert.Equal(1000L, _file.Scalar("SELECT count(*) FROM one"));
        Assert.Equal(1000L, _file.Scalar("SELECT count(*) FROM two"));
    }

    [Fact]
    public async Task A_reader_does_not_stop_the_writer()
    {
        await using var table = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        await table.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        using var reader = _file.Connect();
        SqliteFile.Execute(reader, "BEGIN; SELECT * FROM sums");
        await table.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        Assert.Equal(2L, _file.Scalar("SELECT count(*) FROM sums"));
    }

    [Fact]
    public async Task The_last_table_closes_the_file_and_a_closed_table_opens_again()
    {
        var one = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        var two = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        await one.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        await one.DisposeAsync();
        await one.DisposeAsync();
        await two.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        Assert.True(File.Exists(_file.Path + "-wal"));
        await two.DisposeAsync();
        Assert.False(File.Exists(_file.Path + "-wal"));
        await _file.WriteAsync(two, SqliteFile.Batch(new Sum("a", 1)));
        Assert.Equal(3L, _file.Scalar("SELECT count(*) FROM sums"));
    }

    [Fact]
    public async Task Two_queries_may_end_in_one_sink_and_stop_one_after_the_other()
    {
        var sink = Sqlite.Table<Sum>("sums");
        var opened = await Task.WhenAll(_file.OpenAsync(sink), _file.OpenAsync(sink));
        await opened[0].WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        await opened[0].DisposeAsync();
        await opened[1].WriteAsync(SqliteFile.Batch(new Sum("b", 1)), default);
        await opened[1].DisposeAsync();
        Assert.Equal(2L, _file.Scalar("SELECT count(*) FROM sums"));
        Assert.False(File.Exists(_file.Path + "-wal"));
    }

    [Fact]
    public async Task Opening_closing_and_writing_at_the_same_time_loses_no_batch()
    {
        var sink = (IAsyncSink<Sum>)Sqlite.Table<Sum>("sums");
        await _file.OpenAsync(sink);
        var writers = Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 50; i++)
            {
                await sink.WriteAsync(SqliteFile.Batch(new Sum("a", i), new Sum("b", i)), default);
            }
        })).ToArray();
        for (int i = 0; i < 20; i++)
        {
            await sink.DisposeAsync();
            await Task.Yield();
        }

        await Task.WhenAll(writers);
        await sink.DisposeAsync();
        Assert.Equal(300L, _file.Scalar("SELECT count(*) FROM sums"));
        Assert.False(File.Exists(_file.Path + "-wal"));
    }

    [Fact]
    public async Task A_missing_folder_is_named()
    {
        string file = Path.Combine(Path.GetDirectoryName(_file.Path)!, "missing", "x.db");
        _file.Sqlite(file);
        var error = await Assert.ThrowsAsync<DirectoryNotFoundException>(() => _file.OpenAsync(Sqlite.Table<Sum>("sums")));
        Assert.Equal($"The folder {Path.GetDirectoryName(file)} of the SQLite file x.db does not exist. Create it, or name another file in cep.Sqlite(file).", error.Message);

        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), SqliteFile.Batch(new Sum("a", 1)));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_named()
    {
        await File.WriteAllTextAsync(_file.Path, new string('x', 5000));
        var error = await Assert.ThrowsAsync<SqliteException>(() => _file.OpenAsync(Sqlite.Table<Sum>("sums")));
        Assert.Equal($"Can't open the SQLite file {_file.Path}: file is not a database", error.Message);
    }

    [Fact]
    public async Task A_connection_without_a_file_says_what_to_call()
    {
        var context = SqliteFile.Configured(("Sqlite:archive:File", _file.Path));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Open("default").AsTask());
        Assert.Equal("The SQLite connection 'default' has no file. Call cep.Sqlite(file), or set IoT.Cep:Sqlite:default:File in the configuration.", error.Message);
        await Open("archive");

        async ValueTask Open(string connection)
        {
            await using var table = (IAsyncSink<Sum>)Sqlite.Table<Sum>("sums", connection);
            await table.OpenAsync(context, default);
        }
    }

    [Fact]
    public async Task The_configuration_sets_the_options_or_says_what_is_wrong()
    {
        await using var table = (IAsyncSink<Sum>)Sqlite.Table<Sum>("sums");
        var wrong = SqliteFile.Configured(("Sqlite:default:File", _file.Path), ("Sqlite:default:Synchronous", "often"));
        Assert.Contains("'often'", (await Assert.ThrowsAsync<InvalidOperationException>(() => table.OpenAsync(wrong, default).AsTask())).Message, StringComparison.Ordinal);

        var right = SqliteFile.Configured(
            ("Sqlite:default:File", _file.Path), ("Sqlite:default:Synchronous", "normal"), ("Sqlite:default:BusyTimeout", "00:00:02"),
            ("Sqlite:default:MaxFileBytes", "1000000"), ("Sqlite:default:WriteAheadLog", "false"));
        await table.OpenAsync(right, default);
        await table.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        Assert.Equal("delete", _file.Scalar("PRAGMA journal_mode"));

        var other = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.OpenAsync(Sqlite.Table<Sum>("sums")));
        Assert.Contains("is already open in this process with other options", other.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 2)]
    [InlineData(SqliteSynchronous.Normal, 1)]
    public async Task A_batch_is_on_the_disk_before_it_is_acknowledged_unless_told_otherwise(SqliteSynchronous? mode, long pragma)
    {
        using var file = new SqliteFile(o => o.Synchronous = mode ?? o.Synchronous);
        await using var table = await file.OpenAsync(Sqlite.Table<Sum>("sums"));
        Assert.True(table.IsDurable);

        var database = await SqliteDatabase.OpenAsync(file.Connections.Find<SqliteOptions>()!, NullLogger.Instance, default);
        using (var statement = database.Prepare("PRAGMA synchronous"))
        {
            Assert.True(statement.Read());
            Assert.Equal(pragma, statement.IntegerAt(0));
        }

        await database.LeaveAsync();
    }

    [Fact]
    public void Memory_is_no_file() => Assert.Throws<ArgumentException>(() => _file.Sqlite(":memory:"));
}
