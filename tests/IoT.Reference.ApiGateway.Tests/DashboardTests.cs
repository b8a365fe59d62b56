using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Access;

namespace IoT.Reference.ApiGateway;

public sealed partial class DashboardTests
{
    private static readonly int[] _events = [1, 2];

    [Fact]
    [Trait("Requirement", "R114")]
    public async Task Each_metric_of_the_dashboard_is_one_that_a_process_tells_prometheus()
    {
        await using var gateway = await RunningGateway.StartAsync(o => o with { MaxUsageWaiting = 1 });
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<int>(_events, new long[2])).WithEventTime(_ => TimeProvider.System.GetUtcNow(), TimeSpan.Zero).To(new Nowhere(), name: "q");
        await engine.RunAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        gateway.Analytics.UsageStatus = 503;
        await Wait.Until(async () =>
        {
            await gateway.CallAsync(key);
            return gateway.Layer.DroppedUsage > 0;
        });

        HashSet<string> used = [.. Expressions().SelectMany(e => Metric().Matches(e)).Select(m => m.Value)];
        HashSet<string> told = [];
        await Wait.Until(async () =>
        {
            string text = await gateway.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative));
            told = [.. text.Split('\n').Where(l => l.StartsWith("iot_", StringComparison.Ordinal)).Select(l => l.Split('{', ' ')[0])];
            return told.Contains("iot_reference_gateway_usage_dropped_total");
        });
        Assert.NotEmpty(used);
        Assert.Empty(used.Except(told));
    }

    [PromtoolFact]
    [Trait("Requirement", "R114")]
    public async Task Prometheus_itself_reads_each_expression_of_the_dashboard()
    {
        string rules = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("n") + ".yml");
        await File.WriteAllTextAsync(rules, "groups:\n- name: dashboard\n  rules:\n" + string.Concat(
            Expressions().Select((e, i) => $"  - record: dashboard:panel_{i}\n    expr: '{e.Replace("$__rate_interval", "5m", StringComparison.Ordinal)}'\n")));
        using var check = Process.Start(new ProcessStartInfo("/usr/bin/promtool", ["check", "rules", rules]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = await check.StandardOutput.ReadToEndAsync() + await check.StandardError.ReadToEndAsync();
        await check.WaitForExitAsync();
        File.Delete(rules);
        Assert.True(check.ExitCode == 0, output);
    }

    private static List<string> Expressions()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent!;
        }

        using var dashboard = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(root.FullName, "samples", "ReferenceArchitecture", "Observability", "grafana-dashboard.json")));
        return [.. dashboard.RootElement.GetProperty("panels").EnumerateArray().SelectMany(p => p.GetProperty("targets").EnumerateArray()).Select(t => t.GetProperty("expr").GetString()!)];
    }

    [GeneratedRegex("iot_[a-z_]+")]
    private static partial Regex Metric();

    // In CI nothing is skipped: there the test fails without the program.
    private sealed class PromtoolFactAttribute : FactAttribute
    {
        public PromtoolFactAttribute() =>
            Skip = File.Exists("/usr/bin/promtool") || Environment.GetEnvironmentVariable("CI") == "true" ? null : "promtool (Debian: prometheus) is not installed.";
    }

    private sealed class Nowhere : IAsyncSink<int>
    {
        public string Name => "nowhere";

        public bool IsDurable => false;

        public bool UsesIdentity => false;

        public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

        public ValueTask WriteAsync(SinkBatch<int> batch, CancellationToken stop) => ValueTask.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
