using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>An engine whose tables can never be written does not start; one whose file is only locked does.</summary>
public sealed class StartTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task A_table_without_the_columns_fails_the_start_with_the_statement_that_adds_them()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT)");
        Assert.Equal(
            $"Query 'sums' can't write to its sink 'sqlite sums'. The table 'sums' in {_file.Path} has no column total. Rename the old table, "
            + "write to another one, or add what is missing: ALTER TABLE \"sums\" ADD COLUMN \"total\" REAL;",
            await FailureAsync(_file.Path));
    }

    [Fact]
    public async Task A_table_that_keeps_identities_takes_no_results_without_one()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT, total REAL, _key TEXT NOT NULL, _start INTEGER NOT NULL, _end INTEGER NOT NULL, _ordinal INTEGER NOT NULL)");
        Assert.EndsWith("these results have none. Write them to another table.", await FailureAsync(_file.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_ones_own_without_an_index_takes_no_windows()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT, total REAL, _key TEXT, _start INTEGER, _end INTEGER, _ordinal INTEGER)");
        Assert.Contains("Add CREATE UNIQUE INDEX \"sums_identity\"", await FailureAsync(_file.Path, windows: true), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_view_is_no_table()
    {
        _file.Execute("CREATE VIEW sums AS SELECT 'a' AS sensor, 1.0 AS total");
        Assert.Contains("because it is a view. Mend the table 'sums'", await FailureAsync(_file.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_folder_fails_the_start_and_nothing_is_made()
    {
        string folder = Path.Combine(Path.GetDirectoryName(_file.Path)!, "missing");
        Assert.Contains("Create it, or name another file", await FailureAsync(Path.Combine(folder, "x.db")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
        Assert.Contains("is a folder", await FailureAsync(Path.GetDirectoryName(_file.Path)!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_database_fails_the_start()
    {
        await File.WriteAllTextAsync(_file.Path, new string('x', 5000));
        Assert.Contains("file is not a database. Mend", await FailureAsync(_file.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_was_never_declared_fails_the_start()
    {
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<Sum>(new[] { new Sum("a", 1) }, new long[1])).To(Sqlite.Table<Sum>("sums", "archive"));
        var error = await Assert.ThrowsAsync<SinkConfigurationException>(() => engine.StartAsync());
        Assert.Contains("Call cep.Sqlite(file, name: \"archive\")", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_locked_file_does_not_fail_the_start_and_checking_makes_no_file()
    {
        await using (var unused = Engine(_file.Path))
        {
            await ((IAsyncSink<Sum>)Sqlite.Table<Sum>("sums")).CheckAsync(SqliteFile.Context(_file.Connections), default);
            Assert.False(File.Exists(_file.Path));
        }

        _file.Execute("CREATE TABLE sums (sensor TEXT, total REAL)");
        using var other = _file.Connect();
        SqliteFile.Execute(other, "BEGIN EXCLUSIVE");
        await using var engine = Engine(_file.Path);
        await engine.StartAsync();
        SqliteFile.Execute(other, "ROLLBACK");
        await engine.Completion;
        await engine.DrainAsync();
        Assert.Equal(1L, _file.Scalar("SELECT count(*) FROM sums"));
    }

    private static async Task<string> FailureAsync(string file, bool windows = false)
    {
        await using var engine = Engine(file, windows);
        return (await Assert.ThrowsAsync<SinkConfigurationException>(() => engine.StartAsync())).Message;
    }

    private static CepEngine Engine(string file, bool windows = false)
    {
        var engine = new CepEngine();
        engine.Sqlite(file, o => o.BusyTimeout = TimeSpan.Zero);
        var sums = engine.From(Source.FromMemory<Sum>(new[] { new Sum("a", 1) }, new long[1]));
        if (windows)
        {
            sums.KeyBy(s => s.Sensor).Window(Window.Tumbling(TimeSpan.FromSeconds(1))).Select(w => new Sum(w.Key, w.Sum(s => s.Total))).To(Sqlite.Table<Sum>("sums"), name: "sums");
        }
        else
        {
            sums.To(Sqlite.Table<Sum>("sums"), name: "sums");
        }

        return engine;
    }
}
