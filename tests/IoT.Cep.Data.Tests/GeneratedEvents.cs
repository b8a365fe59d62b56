using System.Reactive.Linq;

namespace IoT.Cep.Data.Tests;

/// <summary>An event of a generated set; the times are whole microseconds, so that they are the same in SQL.</summary>
public readonly record struct Sample(int Set, string Key, long Micros, double Value, int Level)
{
    public DateTimeOffset Time => DateTimeOffset.UnixEpoch.AddMicroseconds(Micros);
}

/// <summary>
/// Thousands of small sets of events by seed, in the order in which they arrive: never later than <see cref="MaxDisorder"/> allows, with ties, gaps,
/// keys that come once, times before 1970 and around a change of daylight saving. How often each occurs is counted, and must be often.
/// </summary>
internal sealed class GeneratedEvents
{
    internal const int Sets = 2_000;

    private static readonly long[] _origins =
    [
        0, // events on both sides of 1970
        -86_400_000_000L * 365 * 30,
        1_743_296_400_000_000, // 2025-03-30 01:00 UTC, when clocks in Berlin went forward
        1_761_440_400_000_000, // 2025-10-26 01:00 UTC, when they went back
        1_700_000_000_123_457,
    ];

    private static readonly Lazy<GeneratedEvents> _all = new(() => new GeneratedEvents());
    private readonly int[] _with = new int[4];

    private GeneratedEvents()
    {
        for (int set = 0; set < Sets; set++)
        {
            var events = Make(set);
            BySet.Add(events);
            Count(events);
        }
    }

    internal static TimeSpan MaxDisorder { get; } = TimeSpan.FromSeconds(4);

    internal static GeneratedEvents All => _all.Value;

    /// <summary>The sets, each in order of arrival.</summary>
    internal List<Sample[]> BySet { get; } = [];

    /// <summary>The share of sets in which events arrive out of order, have equal times, leave a window empty, and have a key that comes once.</summary>
    internal (double Disordered, double Tied, double Gapped, double Churning) Shares =>
        (_with[0] / (double)Sets, _with[1] / (double)Sets, _with[2] / (double)Sets, _with[3] / (double)Sets);

    /// <summary>Runs a query in place over every set.</summary>
    internal List<(int Set, TResult Result)> Run<TResult>(Func<IEventStream<Sample>, IEventStream<TResult>> query)
    {
        var results = new List<(int, TResult)>();
        foreach (var events in BySet)
        {
            int set = events[0].Set;
            using var run = query(events.ToObservable(System.Reactive.Concurrency.ImmediateScheduler.Instance).ToEventStream(e => e.Time, MaxDisorder))
                .Subscribe(result => results.Add((set, result)));
        }

        return results;
    }

    /// <summary>
    /// Runs a query over all sets at once in an engine, where keys are spread over shards; a key is said with its set. Sets are woven together by the
    /// latest time that each has come to: so none of a set's events is later than it was in its set alone.
    /// </summary>
    internal async Task<List<TResult>> RunOnShardsAsync<TResult>(int shards, Func<IEventStream<Sample>, IEventStream<TResult>> query)
    {
        Sample[] events = [.. BySet.SelectMany(Reached).OrderBy(e => e.Reached).Select(e => e.Event with { Key = $"{e.Event.Set} {e.Event.Key}" })];
        var results = new Collect<TResult>();
        await using var engine = new CepEngine(
            cep => query(cep.From(Source.FromMemory<Sample>(events, new long[events.Length])).WithEventTime(e => e.Time, MaxDisorder)).To(results),
            new CepEngineOptions { Shards = shards });
        await engine.RunAsync();
        Assert.Equal((0, 0), (engine.DeadLetters.Count, engine.Queries[0].LateEvents));
        return results.Rows;
    }

    private static IEnumerable<(long Reached, Sample Event)> Reached(Sample[] events)
    {
        long reached = long.MinValue;
        foreach (var e in events)
        {
            reached = Math.Max(reached, e.Micros);
            yield return (reached, e);
        }
    }

    private static Sample[] Make(int set)
    {
        var random = new Random(set);
        long now = _origins[random.Next(_origins.Length)] + random.Next(10_000_000);
        int keys = random.Next(1, 6);
        var events = new Sample[random.Next(1, 60)];
        for (int i = 0; i < events.Length; i++)
        {
            // Quarters of a second make ties; now and then there is a gap.
            now += random.Next(20) == 0 ? random.Next(10, 60) * 1_000_000L : random.Next(5) * 250_000L;
            string key = random.Next(15) == 0 ? $"once{i}" : $"k{random.Next(keys)}";
            events[i] = new Sample(set, key, now, Math.Round((random.NextDouble() * 200) - 100, 3), random.Next(6));
        }

        // An event's place is its time and a delay below the disorder: so none is late.
        double[] arrival = Array.ConvertAll(events, e => (double)(e.Micros + (random.NextDouble() * MaxDisorder.TotalMicroseconds)));
        Array.Sort(arrival, events);
        return events;
    }

    private void Count(Sample[] events)
    {
        bool isDisordered = events.Zip(events.Skip(1)).Any(pair => pair.Second.Micros < pair.First.Micros);
        bool isTied = events.GroupBy(e => (e.Key, e.Micros)).Any(group => group.Count() > 1);
        long[] windows = [.. events.Select(e => Math.DivRem(e.Micros, 5_000_000).Quotient).Distinct().Order()];
        bool isGapped = windows.Zip(windows.Skip(1)).Any(pair => pair.Second > pair.First + 1);
        bool isChurning = events.GroupBy(e => e.Key).Any(group => group.Count() == 1);
        _with[0] += isDisordered ? 1 : 0;
        _with[1] += isTied ? 1 : 0;
        _with[2] += isGapped ? 1 : 0;
        _with[3] += isChurning ? 1 : 0;
    }
}

/// <summary>DuckDB with all generated sets in one table <c>events(set, key, t, value, level, arrival)</c>, <c>t</c> in microseconds.</summary>
internal sealed class Oracle : IDisposable
{
    private readonly DuckDB.NET.Data.DuckDBConnection _connection = new("Data Source=:memory:");

    public Oracle()
    {
        _connection.Open();
        using var create = _connection.CreateCommand();
        create.CommandText = "create table events(set integer, key varchar, t bigint, value double, level integer, arrival integer)";
        create.ExecuteNonQuery();
        using var appender = _connection.CreateAppender("events");
        foreach (var events in GeneratedEvents.All.BySet)
        {
            foreach (var (arrival, e) in events.Index())
            {
                appender.CreateRow().AppendValue(e.Set).AppendValue(e.Key).AppendValue(e.Micros).AppendValue(e.Value)
                    .AppendValue(e.Level).AppendValue(arrival).EndRow();
            }
        }
    }

    /// <summary>Rows of (set, key, start in microseconds, numbers...).</summary>
    internal List<OracleRow> Query(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<OracleRow>();
        while (reader.Read())
        {
            double[] numbers = new double[reader.FieldCount - 3];
            for (int i = 0; i < numbers.Length; i++)
            {
                numbers[i] = reader.IsDBNull(i + 3) ? double.NaN : Convert.ToDouble(reader.GetValue(i + 3), System.Globalization.CultureInfo.InvariantCulture);
            }

            rows.Add(new OracleRow(reader.GetInt32(0), reader.GetString(1), Convert.ToInt64(reader.GetValue(2), System.Globalization.CultureInfo.InvariantCulture), numbers));
        }

        return rows;
    }

    public void Dispose() => _connection.Dispose();
}

/// <summary>A result of SQL or of a query: the set, the key, the window's start or the event's time, and numbers.</summary>
internal sealed record OracleRow(int Set, string Key, long Start, double[] Numbers)
{
    /// <summary>A row whose key is said with its set.</summary>
    internal static OracleRow OfSetAndKey(string setAndKey, long start, double[] numbers) =>
        setAndKey.Split(' ') is [var set, var key]
            ? new OracleRow(int.Parse(set, System.Globalization.CultureInfo.InvariantCulture), key, start, numbers)
            : throw new FormatException(setAndKey);

    /// <summary>Equal rows in any order; numbers within 1e-9 of their size, or of 1 where they are smaller.</summary>
    internal static void AssertSame(List<OracleRow> expected, IEnumerable<OracleRow> actual)
    {
        var (sortedExpected, sortedActual) = (Sorted(expected), Sorted(actual));
        Assert.Equal(sortedExpected.Count, sortedActual.Count);
        foreach (var (e, a) in sortedExpected.Zip(sortedActual))
        {
            Assert.Equal((e.Set, e.Key, e.Start), (a.Set, a.Key, a.Start));
            for (int i = 0; i < e.Numbers.Length; i++)
            {
                double tolerance = 1e-9 * Math.Max(1, Math.Abs(e.Numbers[i]));
                Assert.True(
                    Math.Abs(e.Numbers[i] - a.Numbers[i]) <= tolerance || (double.IsNaN(e.Numbers[i]) && double.IsNaN(a.Numbers[i])),
                    $"set {e.Set}, key {e.Key}, {e.Start}: number {i} is {a.Numbers[i]:R}, and {e.Numbers[i]:R} in SQL");
            }
        }
    }

    private static List<OracleRow> Sorted(IEnumerable<OracleRow> rows) =>
        [.. rows.OrderBy(r => r.Set).ThenBy(r => r.Key, StringComparer.Ordinal).ThenBy(r => r.Start).ThenBy(r => r.Numbers[0])];
}
