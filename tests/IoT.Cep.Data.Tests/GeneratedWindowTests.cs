using IoT.Cep.Extensibility;

namespace IoT.Cep.Data.Tests;

/// <summary>
/// Windows and aggregates over two thousand generated sets of events beside DuckDB's SQL: explicit origin, floor division, 1e-9. Each set in place, and
/// all of them at once in an engine of three shards.
/// </summary>
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
    public Task Tumbling(long size, long offset) => AssertSameAsync(
        $"""
        select set, key, cast(floor((t - {offset}) / {size}::double) * {size} + {offset} as bigint) as start,
            count(*), sum(value), avg(value), min(value), max(value)
        from events group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Tumbling(Span(size), Span(offset)))
            .Select(w => Row(w.Key, w.Start, w.Count(), w.Sum(e => e.Value), w.Average(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value))));

    [Fact]
    public Task Spread_and_lines() => AssertSameAsync(
        """
        select set, key, cast(floor(t / 9000000.0) * 9000000 as bigint) as start, count(*), var_samp(value), stddev_samp(value), var_pop(value), stddev_pop(value),
            covar_samp(value, level), covar_pop(value, level), corr(value, level), regr_slope(value, level), regr_intercept(value, level)
        from events group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Tumbling(Span(9_000_000))).Select(w =>
        {
            var line = w.LinearRegression(e => e.Level, e => e.Value);
            return Row(
                w.Key, w.Start, w.Count(), w.Variance(e => e.Value), w.StandardDeviation(e => e.Value), w.PopulationVariance(e => e.Value),
                w.PopulationStandardDeviation(e => e.Value), w.Covariance(e => e.Level, e => e.Value), w.PopulationCovariance(e => e.Level, e => e.Value),
                w.Correlation(e => e.Level, e => e.Value), line.Slope, line.Intercept);
        }));

    [Fact]
    public Task Quantiles_distinct_values_first_and_last() => AssertSameAsync(
        """
        select set, key, cast(floor(t / 9000000.0) * 9000000 as bigint) as start, count(*), median(value), quantile_cont(value, 0.9), quantile_cont(value, 0.25),
            count(distinct level), arg_min(value, t * 1000 + arrival), arg_max(value, t * 1000 + arrival)
        from events group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Tumbling(Span(9_000_000))).Select(w => Row(
            w.Key, w.Start, w.Count(), w.Median(e => e.Value), w.Quantile(e => e.Value, 0.9), w.Quantile(e => e.Value, 0.25),
            w.DistinctCount(e => e.Level), w.First(e => e.Value), w.Last(e => e.Value))));

    [Theory]
    [InlineData(10_000_000, 2_000_000, 0)]
    [InlineData(10_000_000, 7_000_000, 1_500_000)]
    [InlineData(3_000_000, 250_000, -100_000)]
    public Task Hopping(long size, long hop, long offset) => AssertSameAsync(
        $"""
        with starts as (
            select set, key, value, t, cast(floor((t - {offset}) / {hop}::double) * {hop} + {offset} as bigint) - hops * {hop} as start
            from events, unnest(range(0, {(size / hop) + 1})) as h(hops))
        select set, key, start, count(*), sum(value), avg(value), min(value), max(value)
        from starts where start + {size} > t group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Hopping(Span(size), Span(hop), Span(offset)))
            .Select(w => Row(w.Key, w.Start, w.Count(), w.Sum(e => e.Value), w.Average(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value))));

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(1_250_000)]
    [InlineData(20_000_000)]
    public Task Sessions(long gap) => AssertSameAsync(
        $"""
        with marked as (
            select *, case when t - lag(t) over w < {gap} then 0 else 1 end as begins from events window w as (partition by set, key order by t, arrival)),
        numbered as (
            select *, sum(begins) over (partition by set, key order by t, arrival rows unbounded preceding) as number from marked)
        select set, key, min(t), count(*), max(t) + {gap}, sum(value), min(value), max(value) from numbered group by set, key, number
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Session(Span(gap)))
            .Select(w => Row(w.Key, w.Start, w.Count(), Micros(w.End), w.Sum(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value))));

    [Theory]
    [InlineData(3, 3)]
    [InlineData(5, 2)]
    [InlineData(4, 1)]
    public Task Counts(int count, int every) => AssertSameAsync(
        $"""
        with numbered as (
            select *, row_number() over (partition by set, key order by t, arrival) as number from events)
        select l.set, l.key, min(e.t), max(l.number), count(*), sum(e.value), min(e.value), max(e.value)
        from numbered l join numbered e on e.set = l.set and e.key = l.key and e.number > l.number - {count} and e.number <= l.number
        where l.number >= {count} and (l.number - {count}) % {every} = 0 group by l.set, l.key, l.number
        """,
        s => s.KeyBy(e => e.Key).Scan(0, (number, e) => number + 1, (e, number) => (e.Key, e.Value, Number: number)).KeyBy(e => e.Key).Window(Window.Count(count, every))
            .Select(w => Row(w.Key, w.Start, w.Max(e => e.Number), w.Count(), w.Sum(e => e.Value), w.Min(e => e.Value), w.Max(e => e.Value))));

    /// <summary>Days in Berlin from two in the morning on, the hour that clocks skip in spring and show twice in autumn: the first of the two counts.</summary>
    [Fact]
    public Task Days_over_a_change_of_clocks() => AssertSameAsync(
        """
        select set, key, case
                when t between 1743296400000000 and 1761440399999999 then greatest(1743296400000000, cast(floor(t / 86400000000.0) * 86400000000 as bigint))
                when t between 1761440400000000 and 1761526799999999 then 1761436800000000
                else cast(floor((t - 3600000000) / 86400000000.0) * 86400000000 + 3600000000 as bigint) end as start,
            count(*), sum(value)
        from events group by all
        """,
        s => s.KeyBy(e => e.Key).Window(Window.Calendar(CalendarUnit.Day, TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"), offset: TimeSpan.FromHours(2)))
            .Select(w => Row(w.Key, w.Start, w.Count(), w.Sum(e => e.Value))));

    public void Dispose() => _oracle.Dispose();

    private static TimeSpan Span(long micros) => TimeSpan.FromMicroseconds(micros);

    private static (string Key, long Start, double[] Numbers) Row(string key, DateTimeOffset start, params double[] numbers) =>
        (key, Micros(start), numbers);

    private static long Micros(DateTimeOffset time) => Ticks.From(time) / TimeSpan.TicksPerMicrosecond;

    private async Task AssertSameAsync(string sql, Func<IEventStream<Sample>, IEventStream<(string Key, long Start, double[] Numbers)>> query)
    {
        var expected = _oracle.Query(sql);
        Assert.NotEmpty(expected);
        OracleRow.AssertSame(expected, GeneratedEvents.All.Run(query).Select(r => new OracleRow(r.Set, r.Result.Key, r.Result.Start, r.Result.Numbers)));
        OracleRow.AssertSame(expected, (await GeneratedEvents.All.RunOnShardsAsync(3, query)).Select(r => OracleRow.OfSetAndKey(r.Key, r.Start, r.Numbers)));
    }
}
