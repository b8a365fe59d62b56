using System.Collections.Concurrent;

using IoT.Cep;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Queries;

/// <summary>A <see cref="UsageEvent"/>: a line of what the API gateway sends.</summary>
[Event]
internal readonly partial record struct ApiCall(
    [EventTime] DateTimeOffset Time, [EventKey] string Api, string Client, int Status, double Milliseconds, string Version = "", string Method = "", string Path = "");

/// <summary>
/// How APIs are used: calls, errors and times for each API and client in windows of a minute, seen while they are open, and the clients that call most. Paths are not kept: they name devices.
/// </summary>
internal sealed class UsageQueries(Store store)
{
    private const int MaxApis = 10_000, Top = 5;

    private static readonly TimeSpan _minute = TimeSpan.FromMinutes(1), _early = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, UsageTop> _tops = new();

    /// <summary>The clients that called each API most in its latest minute.</summary>
    public IReadOnlyList<UsageTop> Tops => [.. _tops.Values.OrderByDescending(t => t.Calls)];

    public void Declare(ICep cep, HttpServer http)
    {
        var calls = cep.From(http.Receive("/v1/usage", Json.Decode<ApiCall>())).WithEventTime(c => c.Time, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2));
        calls.KeyBy(c => (c.Api, c.Client), MaxApis, WhenKeysFull.EvictIdle)
            .Window(Window.Tumbling(_minute).Early(_early).AllowLate(TimeSpan.FromMinutes(5)))
            .Select(w => new UsageSummary(w.Key.Api, w.Key.Client, w.Start, w.Count(), (long)w.Sum(c => c.Status >= 400 ? 1 : 0), w.Average(c => c.Milliseconds)))
            .To(new StoreSink<UsageSummary>("usage", Store), "usage");
        calls.KeyBy(c => c.Api, MaxApis, WhenKeysFull.EvictIdle)
            .Window(Window.Tumbling(_minute).Early(_early).AllowLate(TimeSpan.FromMinutes(5)))
            .Select(w => new UsageTop(
                w.Key, w.Start, w.Count(), w.Average(c => c.Status >= 400 ? 1 : 0),
                w.TopK(c => c.Client, Top, counters: 100).Select(h => new ClientCalls(h.Value, h.Count)).ToArray()))
            .To(new StoreSink<UsageTop>("usage top", Keep, isDurable: false), "usage top");
    }

    public List<UsageSummary> List(DateTimeOffset from, string? api, int limit) => store.Read(c => c.Rows(
        row => new UsageSummary(row.GetString(0), row.GetString(1), row.Time(2), row.GetInt64(3), row.GetInt64(4), row.GetDouble(5)),
        "SELECT * FROM usage WHERE start >= @from AND (@api IS NULL OR api = @api) ORDER BY start DESC, calls DESC LIMIT @limit", ("@from", from.UtcTicks), ("@api", api), ("@limit", limit)));

    private void Keep(ReadOnlyMemory<UsageTop> tops)
    {
        foreach (var top in tops.Span)
        {
            if (_tops.Count < MaxApis || _tops.ContainsKey(top.Api))
            {
                _tops[top.Api] = top;
            }
        }
    }

    private void Store(ReadOnlyMemory<UsageSummary> rows) => store.Write(connection =>
    {
        foreach (var row in rows.Span)
        {
            connection.Run(
                "INSERT OR REPLACE INTO usage VALUES (@api, @client, @start, @calls, @errors, @ms)", ("@api", row.Api), ("@client", row.Client), ("@start", row.Start.UtcTicks), ("@calls", row.Calls),
                ("@errors", row.Errors), ("@ms", row.AverageMilliseconds));
        }
    });
}
