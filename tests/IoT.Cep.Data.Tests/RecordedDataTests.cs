using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Data.Tests;

[Event]
public readonly partial record struct CityReading(
    [EventTime] DateTimeOffset Time, [EventKey] string Sensor, [Field("temperature")] double Celsius, double Humidity);

/// <summary>A window's result beside DuckDB's: sums may differ in the last bits, everything else is equal.</summary>
public sealed record WindowRow(string Key, long StartSeconds, long Count, double Sum, double Average, double Min, double Max);

/// <summary>Real recordings, flaws included, through the whole engine; DuckDB's SQL over the same rows is the oracle.</summary>
public sealed class RecordedDataTests
{
    private static readonly TimeSpan _hour = TimeSpan.FromHours(1);

    [DataTheory]
    [InlineData(1, 10)]
    [InlineData(3, 10)]
    [InlineData(1, 60)]
    public async Task The_citys_windows_are_those_of_DuckDB(int shards, int sizeSeconds)
    {
        string file = Needs.Data("city", "readings.senml.csv");
        var source = Lines.FromFile(file, new BehindComma<CityReading>(SenMl.Decode<CityReading>(SenMl.Lenient)));
        var rows = await WindowsOf(source, r => r.Time, TimeSpan.Zero, r => r.Sensor, r => r.Celsius, sizeSeconds, shards);

        var expected = DuckDb.Windows($$"""
            with lines as (select line from read_csv('{{file}}', header = false, delim = '\t', quote = '', escape = '', columns = {'line': 'varchar'})),
            packs as (select row_number() over () as id, cast(split_part(line, ',', 1) as bigint) / 1000 as time, cast(substr(line, strpos(line, ',') + 1) as json) as pack from lines),
            records as (select id, time, unnest(from_json(json_extract(pack, '$.e'), '["json"]')) as record from packs),
            values as (select id, time,
                max(case when json_extract_string(record, '$.n') = 'source' then json_extract_string(record, '$.sv') end) as key,
                max(case when json_extract_string(record, '$.n') = 'temperature' then cast(json_extract_string(record, '$.v') as double) end) as value
                from records group by id, time)
            """, "values", sizeSeconds);
        AssertSame(expected, rows);
        Assert.Equal(1_000, rows.Sum(r => r.Count));
        Assert.Equal(788, rows.Select(r => r.Key).Distinct().Count());
    }

    [DataTheory]
    [InlineData("machine-temperature.csv", 3_600, 1, 22_695)]
    [InlineData("machine-temperature.csv", 86_400, 2, 22_695)]
    [InlineData("ambient-temperature.csv", 21_600, 1, 7_267)]
    public async Task The_machines_windows_are_those_of_DuckDB_although_time_steps_back(string name, int sizeSeconds, int shards, int count)
    {
        string file = Needs.Data("machine", name);
        var source = Lines.FromFile(file, Csv.Decode((ref row) => (Time: row.Time(0), Value: row.Number(1))), new LineOptions(SkipLines: 1));
        var rows = await WindowsOf(source, r => r.Time, _hour, _ => "machine", r => r.Value, sizeSeconds, shards);

        var expected = DuckDb.Windows(
            $"with values as (select 'machine' as key, epoch(timestamp) as time, value from read_csv('{file}', header = true))", "values", sizeSeconds);
        AssertSame(expected, rows);
        Assert.Equal(count, rows.Sum(r => r.Count));
    }

    [DataFact]
    public async Task Without_the_declared_disorder_the_machines_late_readings_are_counted_and_given()
    {
        var source = Lines.FromFile(
            Needs.Data("machine", "machine-temperature.csv"),
            Csv.Decode((ref row) => (Time: row.Time(0), Value: row.Number(1))), new LineOptions(SkipLines: 1));
        var counts = new Collect<long>();
        var late = new Collect<(DateTimeOffset Time, double Value)>();
        await using var engine = new CepEngine(cep =>
        {
            cep.From(source).WithEventTime(r => r.Time)
                .Window(Window.Tumbling(TimeSpan.FromMinutes(5))).Late(out var behind).Select(w => w.Count()).To(counts);
            behind.To(late);
        });
        await engine.RunAsync();

        Assert.NotEmpty(late.Rows);
        Assert.Equal(late.Rows.Count, engine.Queries[0].LateEvents);
        Assert.Equal(22_695, counts.Rows.Sum() + late.Rows.Count);
    }

    private static async Task<List<WindowRow>> WindowsOf<T>(
        ISource<T> source, Func<T, DateTimeOffset> time, TimeSpan disorder, Func<T, string> key, Func<T, double> value, int sizeSeconds, int shards)
    {
        var rows = new Collect<WindowRow>();
        await using var engine = new CepEngine(
            cep => cep.From(source).WithEventTime(time, disorder).KeyBy(key)
                .Window(Window.Tumbling(TimeSpan.FromSeconds(sizeSeconds)))
                .Select(w => new WindowRow(
                    w.Key, w.Start.ToUnixTimeSeconds(), w.Count(), w.Sum(r => value(r)), w.Average(r => value(r)), w.Min(r => value(r)), w.Max(r => value(r))))
                .To(rows),
            new CepEngineOptions { Shards = shards });
        await engine.RunAsync();
        Assert.Equal(0, engine.DeadLetters.Count);
        Assert.Equal(0, engine.Queries[0].LateEvents);
        return rows.Rows;
    }

    private static void AssertSame(List<WindowRow> expected, List<WindowRow> actual)
    {
        var order = Comparer<WindowRow>.Create((a, b) => (a.StartSeconds, a.Key).CompareTo((b.StartSeconds, b.Key)));
        expected.Sort(order);
        actual.Sort(order);
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal((e.Key, e.StartSeconds, e.Count, e.Min, e.Max), (a.Key, a.StartSeconds, a.Count, a.Min, a.Max));
            Assert.InRange(a.Sum, e.Sum - (1e-9 * Math.Abs(e.Sum)), e.Sum + (1e-9 * Math.Abs(e.Sum)));
            Assert.InRange(a.Average, e.Average - (1e-9 * Math.Abs(e.Average)), e.Average + (1e-9 * Math.Abs(e.Average)));
        }
    }

    /// <summary>The recording's own column before the payload: <c>epoch-ms,SenML</c>.</summary>
    private sealed class BehindComma<T>(Decoder<T> decoder) : Decoder<T>
    {
        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            var comma = payload.Bytes.GetPosition(1, System.Buffers.BuffersExtensions.PositionOf(payload.Bytes, (byte)',') ?? payload.Bytes.Start);
            decoder.Decode(new Payload(payload.Bytes.Slice(comma), payload.Topic, payload.ReceivedTicks), output);
        }
    }
}

/// <summary>Keeps what a query gives.</summary>
internal sealed class Collect<T> : IInlineSink<T>
{
    public List<T> Rows { get; } = [];

    public string Name => "collect";

    public void Write(in Batch<T> batch) => Rows.AddRange(batch.Events);
}

internal static class DuckDb
{
    /// <summary>Tumbling windows by floor division over a relation of (key, time in seconds, value).</summary>
    internal static List<WindowRow> Windows(string with, string relation, int sizeSeconds)
    {
        using var connection = new DuckDB.NET.Data.DuckDBConnection("Data Source=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = string.Create(CultureInfo.InvariantCulture, $"""
            {with}
            select key, cast(floor(time / {sizeSeconds}) * {sizeSeconds} as bigint) as start, count(*), sum(value), avg(value), min(value), max(value)
            from {relation} group by all
            """);
        using var reader = command.ExecuteReader();
        var rows = new List<WindowRow>();
        while (reader.Read())
        {
            rows.Add(new WindowRow(
                reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetDouble(3), reader.GetDouble(4), reader.GetDouble(5), reader.GetDouble(6)));
        }

        return rows;
    }
}
