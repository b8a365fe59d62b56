using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

public sealed class SchemaTests : IDisposable
{
    private static readonly SinkBatch<Sum> _identified = SqliteFile.Batch((new ResultId("a", 0, 10, 0), new Sum("a", 1)));

    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task Missing_columns_are_named_with_the_statement_that_adds_them()
    {
        _file.Execute("CREATE TABLE sums (id INTEGER PRIMARY KEY NOT NULL, Sensor TEXT)");
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.OpenAsync(Sqlite.Table<Sum>("sums")));
        Assert.Equal(
            $"The table 'sums' in {_file.Path} has no column total. Rename the old table, write to another one, or add what is missing: "
            + "ALTER TABLE \"sums\" ADD COLUMN \"total\" REAL;",
            error.Message);

        _file.Execute("ALTER TABLE \"sums\" ADD COLUMN \"total\" REAL;");
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), SqliteFile.Batch(new Sum("a", 1)));
        Assert.Equal([1L, "a", 1.0], _file.Query("SELECT * FROM sums").Single());
    }

    [Fact]
    public async Task Further_columns_may_be_null_or_have_a_default()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT, note TEXT, total REAL, at TEXT NOT NULL DEFAULT 'now')");
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), SqliteFile.Batch(new Sum("a", 1)));
        Assert.Equal(["a", null, 1.0, "now"], _file.Query("SELECT * FROM sums").Single());

        _file.Execute("DROP TABLE sums; CREATE TABLE sums (sensor TEXT, total REAL, site TEXT NOT NULL)");
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.WriteAsync(Sqlite.Table<Sum>("sums"), SqliteFile.Batch(new Sum("a", 1))));
        Assert.EndsWith("wants a value in site, which the results don't have: give them a default or let them be NULL.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_appended_rows_takes_no_identities_and_the_other_way_round()
    {
        await _file.WriteAsync(Sqlite.Table<Sum>("plain"), SqliteFile.Batch(new Sum("a", 1)));
        var plain = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.WriteAsync(Sqlite.Table<Sum>("plain"), _identified));
        Assert.Contains("has no column _key, _start, _end, _ordinal. ", plain.Message, StringComparison.Ordinal);

        await _file.WriteAsync(Sqlite.Table<Sum>("keyed"), _identified);
        var keyed = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.WriteAsync(Sqlite.Table<Sum>("keyed"), SqliteFile.Batch(new Sum("a", 1))));
        Assert.Contains("these results have none. Write them to another table.", keyed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_ones_own_needs_an_index_on_the_identity()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT, total REAL, _key TEXT, _start INTEGER, _end INTEGER, _ordinal INTEGER)");
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _file.WriteAsync(Sqlite.Table<Sum>("sums"), _identified));
        string remedy = error.Message[error.Message.IndexOf("CREATE", StringComparison.Ordinal)..];

        _file.Execute(remedy);
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), _identified, _identified);
        Assert.Equal(1L, _file.Scalar("SELECT count(*) FROM sums"));
    }
}
