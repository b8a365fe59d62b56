using IoT.Cep.Extensibility;

namespace IoT.Cep.Data.Tests;

/// <summary>Windows per event over two thousand generated sets of events beside DuckDB's window functions over a RANGE of times: in place, and in an engine of three shards.</summary>
public sealed class PerEventWindowSqlTests : IDisposable
{
    private readonly Oracle _oracle = new();

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(7_250_000)]
    [InlineData(250_000)]
    public Task Sliding_is_the_range_from_less_than_its_size_before(long size) =>
        AssertSameAsync($"{size - 1} preceding and current row", Window.Sliding(TimeSpan.FromMicroseconds(size)), after: 0);

    [Theory]
    [InlineData(2_000_000, 1_000_000)]
    [InlineData(0, 3_000_000)]
    [InlineData(500_000, 0)]
    public Task Around_is_the_range_before_and_after_with_both_ends(long before, long after) => AssertSameAsync(
        $"{before} preceding and {after} following", Window.Around(TimeSpan.FromMicroseconds(before), TimeSpan.FromMicroseconds(after)), after);

    public void Dispose() => _oracle.Dispose();

    private async Task AssertSameAsync(string range, WindowSpec window, long after)
    {
        var expected = _oracle.Query(
            $"""
            select set, key, t, sum(value) over w, count(*) over w, avg(value) over w, min(value) over w, max(value) over w
            from events window w as (partition by set, key order by t range between {range})
            """);
        Assert.NotEmpty(expected);
        OracleRow.AssertSame(expected, GeneratedEvents.All.Run(Query).Select(r => new OracleRow(r.Set, r.Result.Key, At(r.Result.End), r.Result.Numbers)));
        OracleRow.AssertSame(expected, (await GeneratedEvents.All.RunOnShardsAsync(3, Query)).Select(r => OracleRow.OfSetAndKey(r.Key, At(r.End), r.Numbers)));

        IEventStream<(string Key, DateTimeOffset End, double[] Numbers)> Query(IEventStream<Sample> events) => events.KeyBy(e => e.Key).Window(window)
            .Select(w => (w.Key, w.End, Numbers: new[] { w.Sum(e => e.Value), w.Count(), w.Average(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value) }));

        long At(DateTimeOffset end) => ((Ticks.From(end) - 1) / TimeSpan.TicksPerMicrosecond) - after;
    }
}
