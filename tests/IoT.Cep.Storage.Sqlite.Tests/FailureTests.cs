using System.Diagnostics;
using IoT.Cep.Extensibility;
using Microsoft.Data.Sqlite;

namespace IoT.Cep.Tests;

public sealed class FailureTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task A_locked_file_fails_the_batch_and_a_later_attempt_succeeds()
    {
        await using var table = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        using var other = _file.Connect();
        SqliteFile.Execute(other, "BEGIN IMMEDIATE");
        var batch = SqliteFile.Batch(new Sum("a", 1));

        var error = await Assert.ThrowsAsync<SqliteException>(() => table.WriteAsync(batch, default).AsTask());
        Assert.Equal(5, error.SqliteErrorCode);
        Assert.Contains("sqlite sums: a batch of 1 was not written to ", error.Message, StringComparison.Ordinal);

        SqliteFile.Execute(other, "ROLLBACK");
        await table.WriteAsync(batch, default);
        SqliteFile.Execute(other, "BEGIN IMMEDIATE");
        await Assert.ThrowsAsync<SqliteException>(() => table.WriteAsync(batch, default).AsTask());
        SqliteFile.Execute(other, "COMMIT");
        await table.WriteAsync(batch, default);
        Assert.Equal(2L, _file.Scalar("SELECT count(*) FROM sums"));
    }

    [Fact]
    public async Task A_full_file_fails_the_batch_whole_and_takes_it_when_there_is_room_again()
    {
        using var file = new SqliteFile(o => o.MaxFileBytes = 64 * 1024);
        await using var table = await file.OpenAsync(Sqlite.Table<Sum>("sums"));
        var batch = SqliteFile.Batch(Enumerable.Range(0, 30).Select(i => new Sum(new string('x', 1000), i)).ToArray());
        await table.WriteAsync(batch, default);

        var error = await Assert.ThrowsAsync<SqliteException>(() => table.WriteAsync(batch, default).AsTask());
        Assert.Equal(13, error.SqliteErrorCode);
        Assert.Equal(30L, file.Scalar("SELECT count(*) FROM sums"));

        file.Execute("DELETE FROM sums");
        await table.WriteAsync(batch, default);
        Assert.Equal(30L, file.Scalar("SELECT count(*) FROM sums"));
    }

    [Fact]
    [Trait("Requirement", "R75")]
    public async Task A_killed_process_leaves_whole_batches_and_all_that_were_acknowledged()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(Program).Assembly.Location, _file.Path])
        {
            RedirectStandardOutput = true,
        })!;
        string? acknowledged = null;
        for (int i = 0; i < 25; i++)
        {
            acknowledged = await process.StandardOutput.ReadLineAsync();
        }

        process.Kill();
        await process.WaitForExitAsync();
        acknowledged = (await process.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(acknowledged!);

        Assert.Equal("ok", _file.Scalar("PRAGMA integrity_check"));
        Assert.Empty(_file.Query($"SELECT batch FROM numbers GROUP BY batch HAVING count(*) <> {Program.BatchRows}"));
        Assert.InRange((long)_file.Scalar("SELECT max(batch) FROM numbers")!, long.Parse(acknowledged!, null), long.MaxValue);
    }

    [Fact]
    public async Task A_row_that_breaks_a_constraint_is_rejected_and_the_batch_rolled_back()
    {
        _file.Execute("CREATE TABLE sums (sensor TEXT, total REAL CHECK (total < 10), note TEXT)");
        await using var table = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        var error = await Assert.ThrowsAsync<SinkRejectedException>(
            () => table.WriteAsync(SqliteFile.Batch(new Sum("a", 1), new Sum("b", 2), new Sum("c", 99)), default).AsTask());
        Assert.Equal(2, error.Row);
        Assert.Contains("CHECK constraint failed", error.Message, StringComparison.Ordinal);
        Assert.Equal(0L, _file.Scalar("SELECT count(*) FROM sums"));

        await table.WriteAsync(SqliteFile.Batch(new Sum("a", 1), new Sum("b", 2)), default);
        Assert.Equal(2L, _file.Scalar("SELECT count(*) FROM sums"));
    }

    [Fact]
    public async Task A_value_that_can_not_be_had_or_stored_rejects_its_row()
    {
        await using var broken = await _file.OpenAsync(Sqlite.Table<Broken>("broken"));
        Assert.Equal(1, (await Assert.ThrowsAsync<SinkRejectedException>(
            () => broken.WriteAsync(SqliteFile.Batch(new Broken(1, 1), new Broken(0, 1)), default).AsTask())).Row);
        Assert.Equal(0, (await Assert.ThrowsAsync<SinkRejectedException>(
            () => broken.WriteAsync(SqliteFile.Batch(new Broken(1, ulong.MaxValue)), default).AsTask())).Row);
        await broken.WriteAsync(SqliteFile.Batch(new Broken(1, 2)), default);
        Assert.Equal([1L, 2L, 1L], _file.Query("SELECT * FROM broken").Single());
    }

    [Fact]
    public async Task A_stop_leaves_nothing_half_done()
    {
        await using var table = await _file.OpenAsync(Sqlite.Table<int>("t", c => c.Add("x", x => x)));
        using var stop = new CancellationTokenSource();
        await using var stopping = await _file.OpenAsync(Sqlite.Table<int>("t", c => c.Add("x", x =>
        {
            stop.Cancel();
            return x;
        })));
        await Assert.ThrowsAsync<OperationCanceledException>(() => stopping.WriteAsync(SqliteFile.Batch(new int[1000]), stop.Token).AsTask());
        await table.WriteAsync(SqliteFile.Batch(1), default);
        Assert.Equal(1L, _file.Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task A_table_dropped_meanwhile_is_made_again()
    {
        await using var table = await _file.OpenAsync(Sqlite.Table<Sum>("sums"));
        await table.WriteAsync(SqliteFile.Batch(new Sum("a", 1)), default);
        _file.Execute("DROP TABLE sums");
        await Assert.ThrowsAsync<SqliteException>(() => table.WriteAsync(SqliteFile.Batch(new Sum("b", 1)), default).AsTask());
        await table.WriteAsync(SqliteFile.Batch(new Sum("b", 1)), default);
        Assert.Equal("b", _file.Scalar("SELECT sensor FROM sums"));
    }
}

public sealed record Broken(int Divisor, ulong Large)
{
    public int Ratio => 1 / Divisor;
}
