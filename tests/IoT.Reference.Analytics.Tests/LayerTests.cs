using System.Text;
using System.Text.Json;

using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Tests;

public sealed class LayerTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    [Trait("Requirement", "R13")]
    [Trait("Requirement", "R41")]
    [Trait("Requirement", "R78")]
    [Trait("Requirement", "R115")]
    public async Task A_hot_reading_becomes_an_alert_and_a_command_and_its_latency_is_measured()
    {
        await using var all = await Installation.StartAsync();
        all.Permit("anna", "dev1", Actions.Read, Actions.Acknowledge);
        all.Publish("t/dev1", """{"temperature":85.5}""", Trace);

        await Wait.Until(() => !all.Commands.IsEmpty);
        var (device, request, token) = all.Commands.First();
        Assert.Equal(("dev1", CommandNames.Set, "rule overheating"), (device, request.Name, request.Reason));
        Assert.Equal("""{"output":"fan","value":1}""", request.Arguments!.Value.GetRawText());
        Assert.StartsWith("Bearer ", token, StringComparison.Ordinal);
        Assert.Contains("0af7651916cd43dd8448eb211c80319c", request.Trace, StringComparison.Ordinal);

        var alert = Assert.Single(await all.GetAsync("v1/alerts?state=raised", "anna", WireJson.Default.ListAlertRecord));
        Assert.Equal(("dev1", "overheating", 85.5), (alert.Device, alert.Rule, alert.Value));
        Assert.Contains("0af7651916cd43dd8448eb211c80319c", alert.Trace, StringComparison.Ordinal);
        Assert.Equal(85.5, Assert.Single(await all.GetAsync("v1/readings/dev1", "anna", WireJson.Default.ListStoredReading)).Value);
        Assert.InRange(all.Layer.Latency.P99Milliseconds, 0, 30_000);
        Assert.Equal(1, all.Layer.CommandsSent);

        Assert.Equal(200, (await all.SendAsync(HttpMethod.Post, $"v1/alerts/{alert.Id}/acknowledge", "anna")).Status);
        all.Publish("t/dev1", """{"temperature":30}""");
        await Wait.Until(async () => (await all.GetAsync("v1/alerts", "anna", WireJson.Default.ListAlertRecord)).Find(a => a.Id == alert.Id) is { State: AlertState.Cleared, AcknowledgedBy: "anna" });
        Assert.Equal(409, (await all.SendAsync(HttpMethod.Post, $"v1/alerts/{alert.Id}/acknowledge", "anna")).Status);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task Nobody_sees_or_does_what_no_policy_permits()
    {
        await using var all = await Installation.StartAsync();
        all.Publish("t/dev1", """{"temperature":85.5}""");
        await Wait.Until(() => all.Layer.OpenAlerts == 1);
        string id = all.Layer.Alerts.List(null, 1, null, null)[0].Id;

        Assert.Equal(401, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev1", null)).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev1", "eve")).Status);
        all.Permit("eve", "dev2", Actions.Read);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev2", "eve", scope: "devices.read")).Status);
        Assert.Equal(200, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev2", "eve")).Status);
        Assert.Empty(await all.GetAsync("v1/alerts", "eve", WireJson.Default.ListAlertRecord));
        Assert.Equal(404, (await all.SendAsync(HttpMethod.Post, $"v1/alerts/{id}/acknowledge", "eve")).Status);
        all.Permit("reader", "dev1", Actions.Read);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Post, $"v1/alerts/{id}/acknowledge", "reader")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Get, "v1/live?devices=dev1", "eve")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Get, "v1/queries", "eve")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Post, "v1/queries", "eve", Deployment())).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Post, "v1/interlock", "eve", """{"outputs":{}}""")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Post, "v1/batch", "eve", """{"from":"2026-01-01","to":"2026-01-02","stepSeconds":60}""")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Delete, "v1/people/eve?devices=dev1", "eve")).Status);
        Assert.Equal(403, (await all.SendAsync(HttpMethod.Post, "v1/usage", "eve", "{}", "readings.read", "application/x-ndjson")).Status);
        Assert.Equal(400, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev2?limit=many", "eve")).Status);
        Assert.Equal(400, (await all.SendAsync(HttpMethod.Get, "v1/readings/dev2?step=day", "eve")).Status);
    }

    [Fact]
    [Trait("Requirement", "R82")]
    public async Task Who_looks_on_is_told_of_his_devices_only()
    {
        await using var all = await Installation.StartAsync();
        all.Permit("anna", "dev1", Actions.Read);
        using var live = await all.LiveAsync("v1/live?devices=dev1,dev2", "anna");
        all.Publish("t/dev2", """{"temperature":90}""");
        all.Publish("t/dev1", """{"temperature":91}""");
        var kinds = new HashSet<string>();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        string kind = "";
        while (kinds.Count < 3)
        {
            string line = await live.ReadLineAsync(patience.Token) ?? "";
            Assert.DoesNotContain("dev2", line, StringComparison.Ordinal);
            kind = line.StartsWith("event: ", StringComparison.Ordinal) ? line[7..] : kind;
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                kinds.Add(kind);
            }
        }

        Assert.Equal(["alert", "counters", "reading"], kinds.Order());
    }

    [Fact]
    [Trait("Requirement", "R128")]
    public async Task A_query_is_deployed_changed_and_taken_away_while_everything_runs_and_is_there_after_a_restart()
    {
        await using var all = await Installation.StartAsync();
        foreach (string name in (string[])["all", "too-humid", "overheating", "missing"])
        {
            all.Issuer.Permit("op", Actions.Deploy, Resources.Query(name));
        }

        Assert.Equal(400, (await all.SendAsync(HttpMethod.Post, "v1/queries", "op", Deployment().Replace("average", "median", StringComparison.Ordinal))).Status);
        var (status, body) = await all.SendAsync(HttpMethod.Post, "v1/queries", "op", Deployment());
        Assert.True(status == 201, body);
        Assert.Equal(400, (await all.SendAsync(HttpMethod.Post, "v1/queries", "op", Deployment())).Status);
        for (int i = 0; i < 2; i++)
        {
            string at = i == 0 ? "2026-01-01T00:00:00Z" : "2026-01-01T00:01:00Z";
            all.Publish("t/dev1", $$"""{"time":"{{at}}","humidity":95}""");
        }

        await Wait.Until(() => all.Layer.Alerts.List(null, 10, null, "dev1").Any(a => a.Rule == "too-humid"));

        Assert.Equal(200, (await all.SendAsync(HttpMethod.Post, "v1/queries/overheating/settings", "op", """{"limit":90}""")).Status);
        Assert.Equal(400, (await all.SendAsync(HttpMethod.Post, "v1/queries/overheating/settings", "op", """{"limit":-9000}""")).Status);
        await all.Layer.DisposeAsync();
        await all.StartLayerAsync();
        var queries = await all.GetAsync("v1/queries", "op", WireJson.Default.ListQueryRecord);
        Assert.Contains(queries, q => q.Name == "too-humid");
        var overheating = queries.Single(q => q.Name == "overheating");
        Assert.Equal(90, overheating.Settings!.Value.GetProperty("limit").GetDouble());
        Assert.Contains("Scan", overheating.Plan, StringComparison.Ordinal);
        Assert.StartsWith("flowchart", overheating.Mermaid.TrimStart(), StringComparison.Ordinal);

        Assert.Equal(204, (await all.SendAsync(HttpMethod.Delete, "v1/queries/too-humid", "op")).Status);
        Assert.Equal(404, (await all.SendAsync(HttpMethod.Delete, "v1/queries/too-humid", "op")).Status);
        Assert.Equal(409, (await all.SendAsync(HttpMethod.Delete, "v1/queries/overheating", "op")).Status);
    }

    [Fact]
    [Trait("Requirement", "R87")]
    public async Task Calls_that_the_gateway_tells_of_become_usage_by_api_and_client()
    {
        await using var all = await Installation.StartAsync();
        all.Issuer.Permit("op", Actions.Read, Resources.Apis);
        var now = TimeProvider.System.GetUtcNow();
        var lines = new StringBuilder();
        for (int i = 0; i < 10; i++)
        {
            var call = new UsageEvent(now, "devices", "v1", i < 7 ? "app-a" : "app-b", "GET", "/v1/devices/dev1", i < 2 ? 500 : 200, 10);
            lines.Append(JsonSerializer.Serialize(call, WireJson.Default.UsageEvent)).Append('\n');
        }

        var (status, body) = await all.SendAsync(HttpMethod.Post, "v1/usage", "api-gateway", lines.ToString(), mediaType: "application/x-ndjson");
        Assert.True(status is 200 or 204, $"{status} {body}");
        await Wait.Until(async () => (await all.GetAsync("v1/usage", "op", WireJson.Default.ListUsageSummary)).Sum(u => u.Calls) == 10);
        var usage = await all.GetAsync("v1/usage", "op", WireJson.Default.ListUsageSummary);
        Assert.Equal([("app-a", 7L, 2L), ("app-b", 3, 0)], usage.Select(u => (u.Client, u.Calls, u.Errors)));
        await Wait.Until(async () => (await all.GetAsync("v1/usage/top", "op", WireJson.Default.ListUsageTop)) is [{ Calls: 10 }]);
        var top = Assert.Single(await all.GetAsync("v1/usage/top", "op", WireJson.Default.ListUsageTop));
        Assert.Equal(0.2, top.ErrorRate, 6);
        Assert.Equal(new ClientCalls("app-a", 7), top.Clients[0]);
    }

    [Fact]
    [Trait("Requirement", "R34")]
    public async Task What_the_interlock_refuses_is_not_sent_and_is_audited_on_the_bus()
    {
        await using var all = await Installation.StartAsync();
        all.Issuer.Permit("admin", Actions.Administer, Resources.Interlock);
        Assert.Equal(200, (await all.SendAsync(HttpMethod.Post, "v1/interlock", "admin", """{"outputs":{"fan":{"min":0,"max":0}},"commandsPerMinute":6}""")).Status);
        await using var heard = await all.HearAsync();
        all.Publish("t/dev1", """{"temperature":85.5}""");
        await Wait.Until(() => all.Audits.Any(a => a.Outcome == "refused"));
        var entry = all.Audits.First(a => a.Outcome == "refused");
        Assert.Equal((Actions.Command, "device:dev1", "rule:overheating"), (entry.Action, entry.Resource, entry.Subject));
        Assert.Empty(all.Commands);
    }

    [Fact]
    [Trait("Requirement", "R10")]
    public async Task A_persons_devices_are_exported_and_then_erased_from_every_file()
    {
        await using var all = await Installation.StartAsync();
        all.Permit("anna", "annas-fridge", Actions.Read, Actions.Manage);
        for (int i = 0; i < 20; i++)
        {
            all.Publish("t/annas-fridge", $$"""{"time":{{1_767_225_600 + (i * 60)}},"temperature":{{60 + i}}}""");
        }

        await Wait.Until(() => all.Layer.OpenAlerts > 0 && all.Layer.History.Read("annas-fridge", "minute", DateTimeOffset.MinValue, DateTimeOffset.MaxValue, null, 100).Count >= 18);
        var export = await all.GetAsync("v1/people/anna/export?devices=annas-fridge", "anna", WireJson.Default.AnalyticsExport);
        Assert.Equal(20, export.Readings.Count);
        Assert.NotEmpty(export.Alerts);
        Assert.Equal(204, (await all.SendAsync(HttpMethod.Delete, "v1/people/anna?devices=annas-fridge", "anna")).Status);
        Assert.Empty(await all.GetAsync("v1/readings/annas-fridge", "anna", WireJson.Default.ListStoredReading));
        await all.Layer.DisposeAsync();
        Assert.DoesNotContain(
            Directory.GetFiles(all.Folder, "*", SearchOption.AllDirectories), file => File.ReadAllBytes(file).AsSpan().IndexOf("annas-fridge"u8) >= 0);
        await all.StartLayerAsync();
    }

    private static string Deployment() =>
        """
        {"name":"too-humid","filter":[{"field":"name","op":"=","value":"humidity"}],"windowSeconds":10,"aggregate":"average","having":{"field":"aggregate","op":">","value":90},"severity":"Info"}
        """;
}
