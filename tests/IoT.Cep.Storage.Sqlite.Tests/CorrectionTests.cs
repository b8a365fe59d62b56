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
