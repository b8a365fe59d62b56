using IoT.Cep.Extensibility;

namespace IoT.Cep.Data.Tests;

/// <summary>Windows and aggregates over two thousand generated sets of events beside DuckDB's SQL: explicit origin, floor division, 1e-9.</summary>
public sealed class GeneratedWindowTests : IDisposable
{
    private readonly Oracle _oracle = new();

    [Fact]
    public void The_generated_sets_are_disordered_tied_gapped_and_churning_often_enough()
    {
        var (disordered, tied, gapped, churning) = GeneratedEvents.All.Shares;
        Console.WriteLine($"of {GeneratedEvents.Sets} sets: disordered {disordered:P0}, tied {tied:P0}, with empty windows {gapped:P0}, with a key that comes once {churning:P0}");
        Assert.All([disordered, tied, gapped, churning], share => Assert.InRange(share, 0.1, 1));
    }

    [Theory]
    [InlineData(5_000_000, 0)]
    [InlineData(7_000_000, 1_500_000)]
    [InlineData(86_400_000_000, 21_600_000_000)]
    public void Tumbling(long size, long offset) => AssertSame(
        $"""
        select set, key, cast(floor((t - {offset}) / {size}::double) * {size} + {offset} as bigint) as start,
            count(*), sum(value), avg(value), min(value), max(value)
        from events group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Tumbling(Span(size), Span(offset)))
            .Select(w => Row(w.Key, w.Start, w.Count(), w.Sum(e => e.Value), w.Average(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value))));

    public void Dispose() => _oracle.Dispose();

    private static TimeSpan Span(long micros) => TimeSpan.FromMicroseconds(micros);

    private static (string Key, long Start, double[] Numbers) Row(string key, DateTimeOffset start, params double[] numbers) =>
        (key, Ticks.From(start) / TimeSpan.TicksPerMicrosecond, numbers);

    private void AssertSame(string sql, Func<IEventStream<Sample>, IEventStream<(string Key, long Start, double[] Numbers)>> query)
    {
        var expected = _oracle.Query(sql);
        Assert.NotEmpty(expected);
        OracleRow.AssertSame(expected, GeneratedEvents.All.Run(query).Select(r => new OracleRow(r.Set, r.Result.Key, r.Result.Start, r.Result.Numbers)));
    }
}
