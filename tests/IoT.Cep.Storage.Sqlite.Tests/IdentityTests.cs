using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

public sealed class IdentityTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task Results_without_identity_are_appended()
    {
        var batch = SqliteFile.Batch(new Sum("a", 1), new Sum("a", 1));
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), batch, batch, new SinkBatch<Sum>());
        Assert.Equal(4L, _file.Scalar("SELECT count(*) FROM sums"));
        Assert.Equal("sensor,total", _file.Scalar("SELECT group_concat(name) FROM pragma_table_info('sums')"));
    }

    [Fact]
    [Trait("Requirement", "R75")]
    public async Task The_same_batch_twice_leaves_the_same_rows()
    {
        var batch = SqliteFile.Batch((new ResultId("a", 0, 10, 0), new Sum("a", 1)), (new ResultId("a", 10, 20, 0), new Sum("a", 2)));
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), batch);
        var once = _file.Query("SELECT * FROM sums");
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), batch, batch);
        Assert.Equal(once, _file.Query("SELECT * FROM sums"));
        Assert.Equal(["a", 1.0, "a", 0L, 10L, 0L], once[0]);
    }

    [Fact]
    public async Task A_result_that_was_taken_back_leaves_no_row()
    {
        var (one, two) = (new ResultId("a", 0, 10, 0), new ResultId("a", 0, 10, 1));
        await _file.WriteAsync(
            Sqlite.Table<Sum>("sums"),
            Of((one, new Sum("a", 1), EventKind.Insert), (two, new Sum("a", 2), EventKind.Insert)),
            Of((one, new Sum("a", 3), EventKind.Update), (two, new Sum("a", 2), EventKind.Retract)),
            Of((new ResultId("never", 0, 10, 0), new Sum("b", 1), EventKind.Retract)));
        Assert.Equal(["a", 3.0, "a", 0L, 10L, 0L], _file.Query("SELECT * FROM sums").Single());

        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), Of((one, new Sum("a", 3), EventKind.Retract), (one, new Sum("a", 4), EventKind.Insert)));
        Assert.Equal(4.0, _file.Scalar("SELECT total FROM sums"));

        static SinkBatch<Sum> Of(params (ResultId Id, Sum Row, EventKind Kind)[] rows) => new()
        {
            Events = rows.Select(r => r.Row).ToArray(),
            Ticks = new long[rows.Length],
            Ids = rows.Select(r => r.Id).ToArray(),
            Kinds = rows.Select(r => r.Kind).ToArray(),
        };
    }

    [Fact]
    public async Task A_result_without_identity_can_not_be_taken_back()
    {
        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => _file.WriteAsync(
            Sqlite.Table<Sum>("sums"), new SinkBatch<Sum> { Events = new[] { new Sum("a", 1) }, Ticks = new long[1], Kinds = new[] { EventKind.Retract } }));
        Assert.Contains("can't be taken back", error.Message, StringComparison.Ordinal);
    }

    [Property(MaxTest = 40)]
    public void Any_batches_leave_the_last_value_of_each_identity((string? Key, byte Start, bool Ordinal, int Value)[][] batches)
    {
        using var file = new SqliteFile();
        var last = new Dictionary<ResultId, double>();
        var written = batches.Select(batch => SqliteFile.Batch(batch.Select(r =>
        {
            // Small ranges, so that identities meet; half a surrogate pair has a test of its own.
            string key = new([.. (r.Key ?? "").Where(c => !char.IsSurrogate(c)).Take(2)]);
            var id = new ResultId(key, r.Start % 4, 10 + (r.Start % 4), r.Ordinal ? 1 : 0);
            last[id] = r.Value;
            return (id, new Sum(key, r.Value));
        }).ToArray())).ToArray();
        file.WriteAsync(Sqlite.Table<Sum>("sums"), [.. written, SqliteFile.Batch((default(ResultId), new Sum("", 0)))]).GetAwaiter().GetResult();
        last[new ResultId("", 0, 0, 0)] = 0;

        Assert.Equal(
            last.Select(r => (Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes((string)r.Key.Key!)), r.Key.Start, (long)r.Key.Ordinal, r.Value)).Order(),
            file.Query("SELECT hex(_key), _start, _ordinal, total FROM sums")
                .Select(r => ((string)r[0]!, (long)r[1]!, (long)r[2]!, (double)r[3]!)).Order());
    }

    [Fact]
    public void Different_keys_have_different_texts_and_equal_keys_equal_ones()
    {
        object?[] keys =
        [
            "a", "a, b", ("a", "b, c"), ("a, b", "c"), ("a\",\"b", "c"), ("a", "b\",\"c"), ("a\\", "b"), ("a", "\\b"), ("a", (string?)null), ("a", "null"),
            (("a", "b"), "c"), ("a", ("b", "c")), 1, 1.5, -1.5m, new Guid(1, 2, 3, new byte[8]), DayOfWeek.Monday, true, 'x',
            DateTimeOffset.UnixEpoch, new DateOnly(2024, 1, 2), TimeSpan.FromTicks(1), "a\0b", "a\0c", "\ud83d\ude00", "ä", "a\u0308", "A", "",
        ];
        Assert.Equal(keys.Length, keys.Select(SqliteKey.Of).Distinct(StringComparer.Ordinal).Count());

        var instant = DateTimeOffset.UnixEpoch;
        Assert.Equal(SqliteKey.Of(instant), SqliteKey.Of(instant.ToOffset(TimeSpan.FromHours(2))));
        Assert.Equal(SqliteKey.Of(1.0m), SqliteKey.Of(1.00m));
        Assert.Equal(SqliteKey.Of(0.0), SqliteKey.Of(-0.0));
        Assert.Equal(SqliteKey.Of(new DateTime(5, DateTimeKind.Utc)), SqliteKey.Of(new DateTime(5, DateTimeKind.Local)));
    }

    [Fact]
    public async Task A_window_without_a_key_is_stored()
    {
        await _file.WriteAsync(Sqlite.Table<Sum>("sums"), SqliteFile.Batch((new ResultId(default(Unit), 0, 10, 0), new Sum("all", 1))));
        Assert.Equal("", _file.Scalar("SELECT _key FROM sums"));
    }

    // Objects, because an attribute could not hold half a surrogate pair.
    public static TheoryData<object, string> Unfit => new()
    {
        { "\ud800", "half a surrogate pair" },
        { "ok\ude00", "half a surrogate pair" },
        { ("a", '\ud800'), "half a surrogate pair" },
        { new Sum("", 0), "a key of type Sum has no text of its own" },
    };

    [Theory]
    [MemberData(nameof(Unfit), DisableDiscoveryEnumeration = true)]
    public async Task A_key_that_can_not_be_told_apart_rejects_its_row(object key, string reason)
    {
        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => _file.WriteAsync(
            Sqlite.Table<Sum>("sums"), SqliteFile.Batch((new ResultId("a", 0, 0, 0), new Sum("a", 1)), (new ResultId(key, 0, 0, 0), new Sum("b", 1)))));
        Assert.Equal(1, error.Row);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Equal(0L, _file.Scalar("SELECT count(*) FROM sums"));
    }
}

public sealed record Sum(string Sensor, double Total);
