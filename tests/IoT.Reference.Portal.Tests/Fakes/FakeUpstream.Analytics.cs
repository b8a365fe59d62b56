using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Reference.Portal;

internal sealed partial class FakeUpstream
{
    private static readonly (string Name, double Mean, double Swing)[] _names = [("temperature", 21.5, 3), ("humidity", 48, 9)];

    private readonly ConcurrentDictionary<Channel<string>, bool> _live = new();
    private readonly ConcurrentDictionary<string, JsonElement> _settings = new();
    private long _readings = 1_203_400;

    internal ConcurrentDictionary<string, AlertRecord> Alerts { get; } = new(FirstAlerts().Select(a => KeyValuePair.Create(a.Id, a)));

    internal int LiveReaders => _live.Count;

    internal void Raise(AlertRecord alert)
    {
        Alerts[alert.Id] = alert;
        Tell("alert", JsonSerializer.Serialize(alert, WireJson.Default.AlertRecord));
    }

    internal void Tell(string kind, string json)
    {
        foreach (var reader in _live.Keys)
        {
            reader.Writer.TryWrite($"event: {kind}\ndata: {json}\n\n");
        }
    }

    private static double Value(string device, int name, DateTimeOffset time)
    {
        double seconds = time.ToUnixTimeMilliseconds() / 1000.0, phase = device.Sum(c => c) % 17;
        var (_, mean, swing) = _names[name];
        return Math.Round(mean + (phase / 6) + (swing * Math.Sin((seconds / 3600) + phase)) + (swing / 9 * Math.Sin((seconds / 17) + phase)), 2);
    }

    private static IEnumerable<AlertRecord> FirstAlerts()
    {
        (string Device, string Rule, Severity Severity, AlertState State, string Text, double? Value, int Minutes)[] alerts =
        [
            ("pi-1", "overheating", Severity.Critical, AlertState.Raised, "Temperature above 30 °C for 2 minutes", 31.4, 2),
            ("tiny-2", "missing", Severity.Warning, AlertState.Escalated, "No reading for 25 hours", null, 40),
            ("arduino-1", "rate-of-change", Severity.Warning, AlertState.Raised, "Humidity rose by 14 % within a minute", 14, 12),
            ("sensor-2", "anomaly", Severity.Info, AlertState.Acknowledged, "Unlike its neighbours (score 4.2)", 4.2, 95),
            ("gw-1", "behaviour.contacts", Severity.Critical, AlertState.Acknowledged, "Contacted an address it never used before", null, 190),
            ("pi-2", "drift", Severity.Info, AlertState.Cleared, "Drifts from its gateway's sensors by 0.8 °C", 0.8, 700),
        ];
        return alerts.Select((a, i) => new AlertRecord(
            "a" + i, a.Device, a.Rule, a.Severity, a.State, a.Text, a.Value, _start.AddMinutes(-a.Minutes), AcknowledgedBy: a.State == AlertState.Acknowledged ? "olga" : null));
    }

    private void MapAnalytics(RouteGroupBuilder analytics)
    {
        analytics.MapGet("/v1/readings/{id}", (string id, DateTimeOffset? from, DateTimeOffset? to, string? step, string? name) => Results.Json(History(id, from, to, step, name), WireJson.Default.ListStoredReading));
        analytics.MapGet("/v1/alerts", (string? device) => Results.Json([.. Alerts.Values.Where(a => device is null || a.Device == device).OrderByDescending(a => a.Raised)], WireJson.Default.ListAlertRecord));
        analytics.MapPost("/v1/alerts/{id}/acknowledge", (HttpContext context, string id) =>
        {
            if (!Alerts.TryGetValue(id, out var alert))
            {
                return Unknown();
            }

            Raise(alert with { State = AlertState.Acknowledged, AcknowledgedBy = SubjectOf(context) });
            return Results.Json(Alerts[id], WireJson.Default.AlertRecord);
        });
        analytics.MapGet("/v1/live", LiveAsync);
        analytics.MapGet("/v1/queries", () => Results.Json(Queries(), WireJson.Default.ListQueryRecord));
        analytics.MapPost("/v1/queries/{name}/settings", (string name, JsonElement settings) =>
        {
            _settings[name] = settings;
            return Results.Json(settings, WireJson.Default.JsonElement);
        });
        analytics.MapGet("/v1/people/{user}/export", () => Results.Content("""{"readings":[]}""", "application/json"));
        analytics.MapDelete("/v1/people/{user}", () => Results.NoContent());
    }

    private static List<StoredReading> History(string id, DateTimeOffset? from, DateTimeOffset? to, string? step, string? name)
    {
        var end = to ?? TimeProvider.System.GetUtcNow();
        var apart = step switch { "hour" => TimeSpan.FromHours(1), "minute" => TimeSpan.FromMinutes(1), _ => TimeSpan.FromSeconds(10) };
        var list = new List<StoredReading>();
        for (var t = new DateTimeOffset((from ?? end.AddHours(-1)).Ticks / apart.Ticks * apart.Ticks, TimeSpan.Zero); t < end && list.Count < 5_000; t += apart)
        {
            for (int n = 0; n < _names.Length; n++)
            {
                if (name is null || name == _names[n].Name)
                {
                    double value = Value(id, n, t);
                    list.Add(step is "hour" or "minute"
                        ? new StoredReading(id, _names[n].Name, t, value, 6, value - (_names[n].Swing / 5), value + (_names[n].Swing / 5))
                        : new StoredReading(id, _names[n].Name, t, value));
                }
            }
        }

        return list;
    }

    private List<QueryRecord> Queries()
    {
        long n = Interlocked.Read(ref _readings);
        const string plan = "ingress\n  Input readings\n  Where r => r.Name == \"temperature\"\nkeyed 0\n  KeyBy r => r.Device\n  Window tumbling 1 min\ntail\n  Sink alerts";
        const string fork =
            "flowchart LR\n  subgraph ingress [\"ingress\"]\n    n5[\"Input readings\"]\n    n4[\"Where r => r.Name == &quot;temperature&quot;\"]\n  end\n  subgraph keyed [\"keyed\"]\n"
            + "    n3[\"Window tumbling 1 min\"]\n    n2[\"Missing after 5 min\"]\n  end\n  subgraph tail [\"tail\"]\n    n1[\"Union\"]\n    n0[\"Sink alerts\"]\n  end\n"
            + "  n5 --> n4\n  n4 --> n3\n  n4 --> n2\n  n3 --> n1\n  n2 --> n1\n  n1 --> n0\n";
        const string line = "flowchart LR\n  subgraph ingress [\"ingress\"]\n    n2[\"Input events\"]\n    n1[\"Match contacted not known\"]\n    n0[\"Sink alerts\"]\n  end\n  n2 --> n1\n  n1 --> n0\n";
        return
        [
            new("overheating", "Running", plan, fork, new Dictionary<string, long> { ["events"] = n, ["results"] = n / 40_000, ["late"] = 12, ["errors"] = 0 },
                _settings.GetValueOrDefault("overheating", JsonDocument.Parse("""{"threshold":30,"holdSeconds":120,"escalates":true}""").RootElement)),
            new("behaviour", "Running", plan, line, new Dictionary<string, long> { ["events"] = n / 90, ["results"] = 3 }, JsonDocument.Parse("""{"messagesPerMinute":120}""").RootElement),
        ];
    }

    private async Task LiveAsync(HttpContext context, string? devices)
    {
        var lines = Channel.CreateBounded<string>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });
        _live[lines] = true;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, context.RequestAborted);
        var feeding = FeedAsync(lines, (devices ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries), stop.Token);
        try
        {
            await StreamAsync(context, lines, stop.Token);
        }
        finally
        {
            await stop.CancelAsync();
            await feeding;
            _live.TryRemove(lines, out _);
        }
    }

    private async Task FeedAsync(Channel<string> lines, string[] devices, CancellationToken stop)
    {
        using var beat = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        try
        {
            do
            {
                var now = TimeProvider.System.GetUtcNow();
                foreach (string device in devices)
                {
                    for (int n = 0; n < _names.Length; n++)
                    {
                        string reading = JsonSerializer.Serialize(new StoredReading(device, _names[n].Name, now, Value(device, n, now)), WireJson.Default.StoredReading);
                        lines.Writer.TryWrite($"event: reading\ndata: {reading}\n\n");
                    }
                }

                lines.Writer.TryWrite($"event: counters\ndata: {{\"readings\":{Interlocked.Add(ref _readings, 240)},\"alerts\":{Alerts.Count}}}\n\n");
            }
            while (await beat.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException)
        {
            // The reader has gone.
        }
    }
}
