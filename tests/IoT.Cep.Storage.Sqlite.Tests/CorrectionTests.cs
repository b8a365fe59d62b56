namespace IoT.Cep.Tests;

/// <summary>What a table holds in the end is what windows say in the end, however often they corrected themselves.</summary>
public sealed class CorrectionTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task A_window_that_meets_its_condition_no_longer_has_no_row()
    {
        await RunAsync(
            [(1, "a", 9), (2, "b", 9), (11, "a", 20), (3, "a", 0)],
            (sensors, table) => sensors.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(60)))
                .Having(w => w.Average(s => s.Value) > 5).Select(w => new Sum(w.Key, w.Sum(s => s.Value))).To(table));
        Assert.Equal([("a", 20.0), ("b", 9.0)], Rows());
    }

    [Fact]
    public async Task A_result_that_passes_a_filter_no_longer_has_no_row_and_one_that_passes_again_has_one()
    {
        await RunAsync(
            [(1, "a", 9), (2, "b", 9), (3, "c", 1), (11, "a", 20), (4, "a", -5), (5, "b", -8), (6, "b", 7), (7, "c", 6)],
            (sensors, table) => sensors.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(60)))
                .Select(w => new Sum(w.Key, w.Sum(s => s.Value))).Where(sum => sum.Total > 5).To(table));
        Assert.Equal([("a", 20.0), ("b", 8.0), ("c", 7.0)], Rows());
    }

    [Fact]
    public async Task A_projection_behind_a_filter_does_not_see_what_it_takes_back()
    {
        await RunAsync(
            [(1, "a", 8), (11, "a", 16), (2, "a", -8)],
            (sensors, table) => sensors.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(60)))
                .Select(w => (w.Key, Total: (int)w.Sum(s => s.Value))).Where(w => w.Total != 0).Select(w => new Sum(w.Key, 80 / w.Total)).To(table));
        Assert.Equal([("a", 5.0)], Rows());
    }

    [Fact]
    public async Task Sessions_that_a_late_event_joins_are_one_row()
    {
        await RunAsync(
            [(1, "a", 1), (5, "a", 2), (9, "a", 4), (20, "b", 8), (3, "a", 16)],
            (sensors, table) => sensors.Window(Window.Session(Seconds(3)).AllowLate(Seconds(60))).Select(w => new Sum(w.Key, w.Sum(s => s.Value))).To(table));
        Assert.Equal([("a", 4.0), ("a", 19.0), ("b", 8.0)], Rows());
    }

    [Fact]
    public async Task A_key_that_gave_way_and_came_back_loses_nothing_of_its_window()
    {
        await RunAsync(
            [(1, "a", 1), (2, "b", 2), (3, "a", 4), (4, "b", 8), (5, "a", 16)],
            (sensors, table) => sensors.Window(Window.Tumbling(Seconds(10))).Select(w => new Sum(w.Key, w.Sum(s => s.Value))).To(table), maxKeys: 1);
        Assert.Equal([("a", 1.0), ("a", 4.0), ("a", 16.0), ("b", 2.0), ("b", 8.0)], Rows());
    }

    private async Task RunAsync(
        (int Seconds, string Key, double Value)[] events, Action<IKeyedStream<string, Sample>, Extensibility.ISink<Sum>> query, int maxKeys = 100)
    {
        await using var engine = new CepEngine(new CepEngineOptions { Shards = 1 });
        engine.Sqlite(_file.Path);
        var source = Source.FromMemory<Sample>(
            events.Select(e => new Sample(e.Key, e.Value, DateTimeOffset.UnixEpoch + Seconds(e.Seconds))).ToArray(), new long[events.Length]);
        query(
            engine.From(source).WithEventTime(s => s.Time).KeyBy(s => s.Key, maxKeys, maxKeys == 1 ? WhenKeysFull.EvictIdle : WhenKeysFull.Fail),
            Sqlite.Table<Sum>("sums"));
        await engine.RunAsync().WaitAsync(TimeSpan.FromSeconds(60));
    }

    private (string, double)[] Rows() =>
        [.. _file.Query("SELECT sensor, total FROM sums ORDER BY sensor, total").Select(row => ((string)row[0]!, (double)row[1]!))];

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private sealed record Sample(string Key, double Value, DateTimeOffset Time);
}
