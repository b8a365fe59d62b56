using System.Collections.Concurrent;
using System.Globalization;

namespace IoT.Cep;

/// <summary>A reading with a time of its own.</summary>
[Event]
public readonly partial record struct Timed([EventTime] DateTimeOffset Time, [EventKey] string Sensor, double V);

public sealed class LiveAndFileTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    // The last one is far behind the others: it closes their windows.
    private static readonly Timed[] _rows =
        [.. Enumerable.Range(0, 60).Select(i => new Timed(At(i), $"s{i % 3}", i * i % 17)), new Timed(At(3600), "s0", 0)];

    public void Dispose() => File.Delete(_file);

    [Fact]
    [Trait("Requirement", "R103")]
    public async Task A_query_gives_the_same_results_for_json_that_comes_live_and_for_a_file_of_rows()
    {
        await File.WriteAllLinesAsync(_file, _rows.Select(r => $"{Text(r.Time)},{r.Sensor},{r.V.ToString(CultureInfo.InvariantCulture)}"));
        var batch = new ConcurrentQueue<string>();
        await using (var engine = new CepEngine())
        {
            Query(engine.From(Lines.FromFile(_file, Csv.Decode<Timed>(["time", "sensor", "v"])))).Subscribe(batch.Enqueue);
            await engine.RunAsync();
        }

        var live = new ConcurrentQueue<string>();
        await using var running = new CepEngine();
        using var http = running.HttpServer();
        Query(running.From(http.Receive("/t", Json.Decode<Timed>()))).Subscribe(live.Enqueue);
        await running.StartAsync();
        await using var listening = await http.ListenAsync();
        using var client = new HttpClient { BaseAddress = listening.Address };
        foreach (var row in _rows)
        {
            string json = $$"""{"time":"{{Text(row.Time)}}","sensor":"{{row.Sensor}}","v":{{row.V.ToString(CultureInfo.InvariantCulture)}}}""";
            using var response = await client.PostTextAsync("/t", json, "application/json");
            Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        }

        // The file's end closes the last window too; what is live goes on.
        await Until.TrueAsync(() => live.Count >= batch.Count - 1);
        Assert.Equal(18, live.Count);
        Assert.Equal(batch.Where(r => !r.Contains("01:00:00", StringComparison.Ordinal)).Order(StringComparer.Ordinal), live.Order(StringComparer.Ordinal));
    }

    private static IEventStream<string> Query(IEventStream<Timed> readings) => readings.KeyBy(r => r.Sensor).Window(Window.Tumbling(TimeSpan.FromSeconds(10)))
        .Select(w => new { w.Key, w.Start, Count = w.Count(), Sum = w.Sum(r => r.V) }).Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.Key} {w.Start:HH:mm:ss} {w.Count} {w.Sum}"));

    private static DateTimeOffset At(int second) => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(second);

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);
}
