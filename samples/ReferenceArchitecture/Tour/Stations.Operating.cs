using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

using IoT.Reference.Contracts;

namespace IoT.Reference.Host.Tour;

// What operators and administrators do.
internal static partial class Stations
{
    private static async Task<string> ThresholdAsync(Visit visit)
    {
        var queries = await visit.Olga.GetAsync(visit.At.Analytics, "/v1/queries", WireJson.Default.ListQueryRecord, visit.Stop);
        Visit.Check(queries.Exists(static q => q.Mermaid.Length > 0), "no query has a plan");
        using HttpResponseMessage lower = await visit.Olga.SendAsync(HttpMethod.Post, visit.At.Analytics, "/v1/queries/overheating/settings", Json(new { limit = 50 }), visit.Stop);
        await Person.EnsureAsync(lower, visit.Stop);
        await visit.SendAsync(55);
        AlertRecord alert = await visit.AlertAsync("overheating", static a => a is { State: AlertState.Raised or AlertState.Escalated, Value: < 60 });
        using HttpResponseMessage back = await visit.Olga.SendAsync(HttpMethod.Post, visit.At.Analytics, "/v1/queries/overheating/settings", Json(new { limit = 70 }), visit.Stop);
        await Person.EnsureAsync(back, visit.Stop);
        await visit.SendAsync(20);
        HttpStatusCode owner = await visit.Alice.StatusAsync(HttpMethod.Post, visit.At.Analytics, "/v1/queries/overheating/settings", Json(new { limit = 0 }), visit.Stop);
        Visit.Check(owner == HttpStatusCode.Forbidden, $"alice gets {(int)owner}");
        return $"{queries.Count} queries run; with the limit at 50, 55 degrees alert ('{alert.Text}'); alice may not change it ({(int)owner})";
    }

    private static async Task<string> DeployAsync(Visit visit)
    {
        using HttpResponseMessage deployed = await visit.Olga.SendAsync(
            HttpMethod.Post, visit.At.Analytics, "/v1/queries",
            JsonContent.Create(
                new QueryDeployment("cold", [], 1, "min", new QueryCondition("aggregate", "<", JsonSerializer.SerializeToElement(-40))), WireJson.Default.QueryDeployment),
            visit.Stop);
        await Person.EnsureAsync(deployed, visit.Stop);
        await visit.SendAsync(-50);
        AlertRecord? alert = await visit.UntilAsync(
            async () => (await visit.Alice.GetAsync(visit.At.Portal, $"/api/v1/alerts?device={Visit.Device}", WireJson.Default.ListAlertRecord, visit.Stop)).Find(static a => a.Rule.Contains("cold", StringComparison.Ordinal)),
            static a => a is not null,
            "an alert of the deployed query");
        await visit.SendAsync(20);
        HttpStatusCode gone = await visit.Olga.StatusAsync(HttpMethod.Delete, visit.At.Analytics, "/v1/queries/cold", null, visit.Stop);
        return $"'{alert!.Text}'; taken away again ({(int)gone})";
    }

    private static async Task<string> InterlockAsync(Visit visit)
    {
        var settings = await visit.Olga.GetAsync(visit.At.Analytics, "/v1/interlock", WireJson.Default.InterlockSettings, visit.Stop);
        await SetAsync(settings with { IsSimulation = true });
        long before = visit.Agent.Obeyed;
        await visit.SendAsync(95);
        await visit.AlertAsync("overheating", static a => a is { State: AlertState.Raised or AlertState.Escalated, Value: > 90 });
        await visit.SendAsync(20);
        await SetAsync(settings);
        Visit.Check(visit.Agent.Obeyed == before, "the device got a command");
        return "an alert, and no command";

        async Task SetAsync(InterlockSettings wanted)
        {
            using HttpResponseMessage answer = await visit.Olga.SendAsync(HttpMethod.Post, visit.At.Analytics, "/v1/interlock", JsonContent.Create(wanted, WireJson.Default.InterlockSettings), visit.Stop);
            await Person.EnsureAsync(answer, visit.Stop);
        }
    }

    private static async Task<string> HistoryAsync(Visit visit)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        string span = $"from={Uri.EscapeDataString(now.AddHours(-1).ToString("O"))}&to={Uri.EscapeDataString(now.AddMinutes(1).ToString("O"))}";
        var raw = await visit.UntilAsync(
            () => visit.Alice.GetAsync(visit.At.Portal, $"/api/v1/readings/{Visit.Device}?step=raw&{span}", WireJson.Default.ListStoredReading, visit.Stop), static r => r.Count > 0, "the stored readings");
        BatchRecord job = await visit.Olga.PostAsync(
            visit.At.Analytics, "/v1/batch", new BatchRequest(now.AddHours(-1), now, 60, [Visit.Device]), WireJson.Default.BatchRequest, WireJson.Default.BatchRecord, visit.Stop);
        BatchRecord done = await visit.UntilAsync(
            () => visit.Olga.GetAsync(visit.At.Analytics, $"/v1/batch/{job.Id}", WireJson.Default.BatchRecord, visit.Stop), static j => j.Ended is not null, "the end of the batch job");
        return $"{raw.Count} raw readings; the batch job over them is {done.State}";
    }

    private static async Task<string> RolloutAsync(Visit visit)
    {
        byte[] software = Encoding.UTF8.GetBytes("the new version " + Guid.NewGuid());
        PackageRecord good = await UploadAsync(visit, "2.0.0", software);
        await RollOutAsync(visit, good.Id);
        await visit.UntilAsync(() => SoftwareAsync(visit), static s => s == "2.0.0", "version 2.0.0");
        PackageRecord bad = await UploadAsync(visit, "3.0.0-broken", software);
        await RollOutAsync(visit, bad.Id);
        string after = await SoftwareAsync(visit);
        return $"2.0.0 is installed, signed by the makers; 3.0.0-broken does not start, and the device runs {after}";

        static async Task<string> SoftwareAsync(Visit visit) =>
            (await visit.Alice.GetAsync(visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/state", WireJson.Default.DeviceTwin, visit.Stop)).Reported?.Values.GetProperty("software").GetString() ?? "";
    }

    private static async Task<PackageRecord> UploadAsync(Visit visit, string version, byte[] software)
    {
        using var content = new ByteArrayContent(software);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using HttpResponseMessage answer = await visit.Olga.SendAsync(HttpMethod.Post, visit.At.DeviceManager, $"/v1/packages?type=pi&version={version}", content, visit.Stop);
        await Person.EnsureAsync(answer, visit.Stop);
        return (await answer.Content.ReadFromJsonAsync(WireJson.Default.PackageRecord, visit.Stop))!;
    }

    private static async Task RollOutAsync(Visit visit, string package)
    {
        RolloutRecord rollout = await visit.Olga.PostAsync(
            visit.At.DeviceManager, "/v1/rollouts", new RolloutRequest(package, ["canary"]), WireJson.Default.RolloutRequest, WireJson.Default.RolloutRecord, visit.Stop);
        await visit.UntilAsync(
            () => visit.Olga.GetAsync(visit.At.DeviceManager, $"/v1/rollouts/{rollout.Id}", WireJson.Default.RolloutRecord, visit.Stop), static r => r.Ended is not null, "the end of the rollout");
    }

    private static async Task<string> JobAsync(Visit visit)
    {
        JobRecord job = await visit.Olga.PostAsync(
            visit.At.DeviceManager, "/v1/jobs",
            new JobRequest("reboot the Pis", new CommandRequest(CommandNames.Reboot), Type: "pi", Stages: [10, 100], ErrorThreshold: 0.5), WireJson.Default.JobRequest, WireJson.Default.JobRecord, visit.Stop);
        JobRecord ended = await visit.UntilAsync(
            () => visit.Olga.GetAsync(visit.At.DeviceManager, $"/v1/jobs/{job.Id}", WireJson.Default.JobRecord, visit.Stop), static j => j.State is not (JobState.Running or JobState.Paused), "the end of the job");
        Visit.Check(ended.State == JobState.Done, $"it is {ended.State}: {ended.Detail}");
        return $"{ended.Done} of {ended.Total} devices in {ended.Stages} stages";
    }

    private static async Task<string> PolicyAsync(Visit visit)
    {
        const string Id = "tour-freeze";
        string policy = $"""
            <?xml version="1.0" encoding="utf-8"?>
            <Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="{Id}" Version="1.0"
                    RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides">
              <Description>Nobody touches the tour's device.</Description>
              <Target><AnyOf><AllOf>
                <Match MatchId="urn:oasis:names:tc:xacml:1.0:function:string-equal">
                  <AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">{Visit.Device}</AttributeValue>
                  <AttributeDesignator Category="urn:oasis:names:tc:xacml:3.0:attribute-category:resource" AttributeId="urn:iot:resource:name" DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="false" />
                </Match>
              </AllOf></AnyOf></Target>
              <Rule RuleId="freeze" Effect="Deny" />
            </Policy>
            """;
        (string Where, Func<Task<HttpStatusCode>> Ask)[] entrances =
        [
            ("portal", () => visit.StatusAsync(visit.Alice, HttpMethod.Get, $"/api/v1/readings/{Visit.Device}")),
            ("device manager", () => visit.Alice.StatusAsync(HttpMethod.Get, visit.At.DeviceManager, $"/v1/devices/{Visit.Device}", null, visit.Stop)),
            ("analytics", () => visit.Alice.StatusAsync(HttpMethod.Get, visit.At.Analytics, $"/v1/readings/{Visit.Device}", null, visit.Stop)),
            ("bus by HTTP", () => BusAsync(visit, visit.Secret)),
        ];
        foreach (var (where, ask) in entrances)
        {
            HttpStatusCode before = await ask();
            Visit.Check((int)before is >= 200 and < 300, $"{where} gave {(int)before} before");
        }

        using (HttpResponseMessage put = await visit.Ada.SendAsync(HttpMethod.Put, visit.At.Identity, $"/v1/policies/{Id}", new StringContent(policy, Encoding.UTF8, "application/xml"), visit.Stop))
        {
            await Person.EnsureAsync(put, visit.Stop);
        }

        foreach (var (where, ask) in entrances)
        {
            await visit.UntilAsync(ask, static s => s is HttpStatusCode.Forbidden or HttpStatusCode.NotFound, $"a refusal by the {where}");
        }

        await visit.Ada.StatusAsync(HttpMethod.Delete, visit.At.Identity, $"/v1/policies/{Id}", null, visit.Stop);
        foreach (var (where, ask) in entrances)
        {
            await visit.UntilAsync(ask, static s => (int)s is >= 200 and < 300, $"permission by the {where}");
        }

        return string.Join(", ", entrances.Select(static e => e.Where)) + " refuse as one, and permit again as one";
    }

    private static async Task<HttpStatusCode> BusAsync(Visit visit, string secret)
    {
        using var client = new HttpClient { BaseAddress = visit.At.BusHttp };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Visit.Device}:{secret}")));
        using var none = new ByteArrayContent([]);
        using HttpResponseMessage answer = await client.PostAsync(new Uri($"/t/{Visit.Device}?temperature=20", UriKind.Relative), none, visit.Stop);
        return answer.StatusCode;
    }

    private static async Task<string> ApiGatewayAsync(Visit visit)
    {
        HttpStatusCode stranger, known = default;
        using (var client = new HttpClient())
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(visit.At.ApiGateway, "/api/v1/devices"), visit.Stop);
            stranger = answer.StatusCode;
        }

        Visit.Check(stranger == HttpStatusCode.Unauthorized, $"a stranger gets {(int)stranger}");
        int calls = 0, limited = 0;
        TimeSpan? retry = null;
        while (limited == 0 && calls < 2_000)
        {
            using HttpResponseMessage answer = await visit.Alice.SendAsync(HttpMethod.Get, visit.At.ApiGateway, "/api/v1/devices?limit=1", null, visit.Stop);
            calls++;
            if (answer.StatusCode == HttpStatusCode.TooManyRequests)
            {
                (limited, retry) = (calls, answer.Headers.RetryAfter?.Delta);
            }
            else
            {
                known = answer.StatusCode;
            }
        }

        Visit.Check(limited > 0 && retry is not null, $"no limit after {calls} calls ({(int)known})");
        return $"a stranger gets {(int)stranger}, alice {(int)known}; after {calls} calls 429, to come again in {retry!.Value.TotalSeconds} s";
    }

    private static async Task<string> MetricsAsync(Visit visit)
    {
        using var client = new HttpClient();
        string metrics = await client.GetStringAsync(new Uri(visit.At.Analytics, "/metrics"), visit.Stop);
        Visit.Check(metrics.Contains("iot_cep", StringComparison.Ordinal), "no metrics of the engine");
        var healthy = new List<string>();
        foreach (Uri layer in (Uri[])[visit.At.Portal, visit.At.Identity, visit.At.DeviceManager, visit.At.Analytics, visit.At.ApiGateway, visit.At.BusHttp])
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(layer, "/health"), visit.Stop);
            Visit.Check(answer.IsSuccessStatusCode, $"{layer} is not healthy: {(int)answer.StatusCode}");
            healthy.Add(layer.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return $"{metrics.Split('\n').Count(static l => l.Length > 0 && l[0] != '#')} values for Prometheus; {healthy.Count} layers healthy";
    }

    private static async Task<string> RotateAsync(Visit visit)
    {
        using HttpResponseMessage answer = await visit.Alice.SendAsync(HttpMethod.Post, visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/rotate", Json(new RotateRequest(TimeSpan.FromMinutes(5))), visit.Stop);
        await Person.EnsureAsync(answer, visit.Stop);
        await visit.UntilAsync(() => BusAsync(visit, visit.Secret), static s => (int)s is >= 200 and < 300, "the old secret, while both hold,");
        return "the device has a new secret, by a command; the old one holds for the overlap";
    }

    private static async Task<string> RevokeAsync(Visit visit)
    {
        using HttpResponseMessage answer = await visit.Alice.SendAsync(HttpMethod.Post, visit.At.DeviceManager, $"/v1/devices/{Visit.Device}/revoke", null, visit.Stop);
        await Person.EnsureAsync(answer, visit.Stop);
        long began = TimeProvider.System.GetTimestamp();
        await visit.UntilAsync(() => BusAsync(visit, visit.Secret), static s => s == HttpStatusCode.Unauthorized, "the refusal");
        TimeSpan took = TimeProvider.System.GetElapsedTime(began);
        return FormattableString.Invariant($"refused {took.TotalMilliseconds:0} ms later");
    }

    private static async Task<string> EraseAsync(Visit visit)
    {
        using HttpResponseMessage export = await visit.Bob.SendAsync(HttpMethod.Get, visit.At.Portal, "/api/v1/me/export", null, visit.Stop);
        await Person.EnsureAsync(export, visit.Stop);
        int bytes = (await export.Content.ReadAsByteArrayAsync(visit.Stop)).Length;
        using HttpResponseMessage erased = await visit.Bob.SendAsync(HttpMethod.Delete, visit.At.Portal, "/api/v1/me", null, visit.Stop);
        await Person.EnsureAsync(erased, visit.Stop);
        HttpStatusCode after = await visit.UntilAsync(() => visit.StatusAsync(visit.Bob, HttpMethod.Get, "/api/v1/devices"), static s => s == HttpStatusCode.Unauthorized, "the end of bob's token");
        return $"bob took {bytes} bytes with him; his token gets {(int)after}";
    }
}
