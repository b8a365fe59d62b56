using IoT.Cep.Extensibility;

namespace IoT.Cep.Data.Tests;

/// <summary>Windows per event over two thousand generated sets of events beside DuckDB's window functions over a RANGE of times.</summary>
public sealed class PerEventWindowSqlTests : IDisposable
{
    private readonly Oracle _oracle = new();

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(7_250_000)]
    [InlineData(250_000)]
    public void Sliding_is_the_range_from_less_than_its_size_before(long size) =>
        AssertSame($"{size - 1} preceding and current row", Window.Sliding(TimeSpan.FromMicroseconds(size)), after: 0);

    [Theory]
    [InlineData(2_000_000, 1_000_000)]
    [InlineData(0, 3_000_000)]
    [InlineData(500_000, 0)]
    public void Around_is_the_range_before_and_after_with_both_ends(long before, long after) => AssertSame(
        $"{before} preceding and {after} following", Window.Around(TimeSpan.FromMicroseconds(before), TimeSpan.FromMicroseconds(after)), after);

    public void Dispose() => _oracle.Dispose();

    private void AssertSame(string range, WindowSpec window, long after)
    {
        var expected = _oracle.Query(
            $"""
            select set, key, t, sum(value) over w, count(*) over w, avg(value) over w, min(value) over w, max(value) over w
            from events window w as (partition by set, key order by t range between {range})
            """);
        Assert.NotEmpty(expected);
        var actual = GeneratedEvents.All.Run(s => s.KeyBy(e => e.Key).Window(window)
            .Select(w => (w.Key, w.End, Numbers: new[] { w.Sum(e => e.Value), w.Count(), w.Average(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value) })));
        OracleRow.AssertSame(expected, actual.Select(r => new OracleRow(
            r.Set, r.Result.Key, ((Ticks.From(r.Result.End) - 1) / TimeSpan.TicksPerMicrosecond) - after, r.Result.Numbers)));
    }
}
