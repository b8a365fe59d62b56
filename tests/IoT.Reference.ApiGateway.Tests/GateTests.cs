using System.Globalization;
using System.Net;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.ApiGateway;

public sealed class GateTests
{
    [Fact]
    [Trait("Requirement", "R84")]
    public async Task A_key_reaches_the_api_with_the_apps_own_token_and_goes_no_further()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, _, key) = await gateway.SubscribeAsync();

        Assert.Contains(await gateway.CallAsync(key), (string[])["one", "two"]);

        var call = gateway.One.Calls.Concat(gateway.Two.Calls).Single();
        Assert.Equal("/api/v1/devices", call.Path);
        Assert.DoesNotContain(key, call.Headers, StringComparison.Ordinal);
        Assert.Equal(app, new Microsoft.IdentityModel.JsonWebTokens.JsonWebToken(call.Authorization["Bearer ".Length..]).Subject);
    }

    [Fact]
    [Trait("Requirement", "R84")]
    public async Task The_apps_own_token_does_as_well_as_a_key_and_a_token_is_asked_for_once()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, _, key) = await gateway.SubscribeAsync();

        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", bearer: gateway.Identity.Token(app, SubjectKind.App, Scopes.ReadDevices)));
        await gateway.CallAsync(key);
        await gateway.CallAsync(key);

        Assert.Equal(1, gateway.Identity.TokensGiven);
    }

    [Fact]
    public async Task Strangers_are_told_to_say_who_they_are_and_people_without_a_subscription_to_subscribe()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, other) = await gateway.SubscribeAsync(api: "other");

        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices"));
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices", key: "iot_" + new string('x', 43)));
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices", bearer: "no.to.ken"));
        Assert.Equal(HttpStatusCode.Forbidden, await gateway.StatusAsync("/api/v1/devices", bearer: gateway.Identity.Person("bob")));
        Assert.Equal(HttpStatusCode.Forbidden, await gateway.StatusAsync("/api/v1/devices", key: other));
        Assert.Empty(gateway.One.Calls);
    }

    [Fact]
    [Trait("Requirement", "R86")]
    public async Task A_subscription_past_its_bucket_gets_429_and_when_to_come_again_and_others_are_not_held_up()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var gateway = await RunningGateway.StartAsync(o => o with { TimeProvider = time }, """{ "perSecond": 0.5, "burst": 3, "perDay": 100 }""");
        var (_, _, key) = await gateway.SubscribeAsync();
        var (_, _, bobs) = await gateway.SubscribeAsync("bob");
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
        }

        using var refused = await gateway.SendAsync(HttpMethod.Get, "/api/v1/devices", key: key);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(2), refused.Headers.RetryAfter!.Delta);
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: bobs));

        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
    }

    [Fact]
    [Trait("Requirement", "R86")]
    public async Task A_days_quota_outlives_a_restart_and_begins_anew_at_midnight()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var gateway = await RunningGateway.StartAsync(o => o with { TimeProvider = time }, """{ "perSecond": 1000, "burst": 1000, "perDay": 2 }""");
        var (_, _, key) = await gateway.SubscribeAsync();
        await gateway.CallAsync(key);
        await gateway.CallAsync(key);
        await gateway.RestartAsync();

        using var refused = await gateway.SendAsync(HttpMethod.Get, "/api/v1/devices", key: key);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        var now = time.GetUtcNow();
        var midnight = new DateTimeOffset(now.UtcDateTime.Date.AddDays(1), TimeSpan.Zero);
        Assert.Equal(Math.Ceiling((midnight - now).TotalSeconds).ToString(CultureInfo.InvariantCulture), refused.Headers.GetValues("Retry-After").Single());

        time.SetUtcNow(midnight);
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
    }

    [Fact]
    [Trait("Requirement", "R86")]
    public async Task An_address_that_proves_nothing_is_held_back_and_who_has_a_key_there_is_not()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var gateway = await RunningGateway.StartAsync(o => o with { TimeProvider = time, StrangersPerSecond = 1 });
        var (_, _, key) = await gateway.SubscribeAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices"));
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices"));

        using var refused = await gateway.SendAsync(HttpMethod.Get, "/api/v1/devices");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
    }

    [Fact]
    [Trait("Requirement", "R86")]
    public async Task Calls_go_round_the_instances_a_sick_one_is_left_out_and_taken_back()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        string[] round = [await gateway.CallAsync(key), await gateway.CallAsync(key), await gateway.CallAsync(key), await gateway.CallAsync(key)];
        Assert.Equal(2, round.Count(i => i == "one"));
        Assert.Equal(2, round.Count(i => i == "two"));

        gateway.One.IsWell = false;
        await Wait.Until(async () => await AvailableAsync(gateway) == 1);
        Assert.Equal("two two", $"{await gateway.CallAsync(key)} {await gateway.CallAsync(key)}");

        gateway.One.IsWell = true;
        await Wait.Until(async () => await AvailableAsync(gateway) == 2);
        await Wait.Until(async () => await gateway.CallAsync(key) == "one");
    }

    [Fact]
    [Trait("Requirement", "R86")]
    public async Task An_instance_that_fails_one_call_rests_before_a_check_has_seen_it()
    {
        await using var gateway = await RunningGateway.StartAsync(o => o with { HealthInterval = TimeSpan.FromHours(1), Rest = TimeSpan.FromMilliseconds(200) });
        var (_, _, key) = await gateway.SubscribeAsync();
        await gateway.One.StopAsync();

        string[] answers = [await gateway.CallAsync(key), await gateway.CallAsync(key)];
        Assert.Contains("two", answers);
        Assert.Contains("502", answers);
        await gateway.One.StartAgainAsync();
        await Wait.Until(async () => await gateway.CallAsync(key) == "one");
    }

    [Fact]
    public async Task Without_any_instance_the_answer_is_503_with_words_and_the_gateway_is_not_ready()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        gateway.One.IsWell = gateway.Two.IsWell = false;
        await Wait.Until(async () => await AvailableAsync(gateway) == 0);

        using var answer = await gateway.SendAsync(HttpMethod.Get, "/api/v1/devices", key: key);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await gateway.StatusAsync("/health/ready"));
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/health"));
    }

    [Fact]
    [Trait("Requirement", "R85")]
    public async Task Versions_stand_side_by_side_are_deprecated_and_retired_by_the_file_while_it_runs()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        string second = $$""", { "version": "v2", "state": "current", "path": "/api/v2", "backends": ["{{gateway.Two.Address}}"] }""";
        gateway.WriteCatalog(gateway.Versions("deprecated", """, "deprecated": "2026-01-01T00:00:00Z", "sunset": "2030-06-30T00:00:00Z", "successor": "v2" """) + second);
        await Wait.Until(async () => await gateway.StatusAsync("/api/v2/devices", key: key) == HttpStatusCode.OK);

        using var old = await gateway.SendAsync(HttpMethod.Get, "/api/v1/devices", key: key);
        Assert.Equal(HttpStatusCode.OK, old.StatusCode);
        Assert.Equal("@1767225600", old.Headers.GetValues("Deprecation").Single());
        Assert.Equal("Sun, 30 Jun 2030 00:00:00 GMT", old.Headers.GetValues("Sunset").Single());
        Assert.Equal("</api/v2>; rel=\"successor-version\"", old.Headers.GetValues("Link").Single());

        gateway.WriteCatalog(gateway.Versions("retired", """, "successor": "v2" """) + second);
        await Wait.Until(async () => await gateway.StatusAsync("/api/v1/devices", key: key) == HttpStatusCode.Gone);
        Assert.Equal("two", await (await gateway.SendAsync(HttpMethod.Get, "/api/v2/devices", key: key)).Content.ReadAsStringAsync());
    }

    [Fact]
    [Trait("Requirement", "R85")]
    public async Task A_file_that_cannot_be_used_changes_nothing_and_shows_in_the_health()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        gateway.WriteCatalog("""{ "version": "v1", "state": "current", "path": "/developers" }""");
        await Wait.Until(async () => (await gateway.Client.GetStringAsync(new Uri("/health/ready", UriKind.Relative))).Contains("catalogue: Degraded", StringComparison.Ordinal));

        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
    }

    [Fact]
    public async Task Each_call_becomes_a_usage_event_and_those_that_analytics_did_not_take_are_sent_again()
    {
        await using var gateway = await RunningGateway.StartAsync();
        gateway.Analytics.UsageStatus = 503;
        var (app, _, key) = await gateway.SubscribeAsync();
        await gateway.CallAsync(key);
        await gateway.StatusAsync("/api/v1/devices");
        gateway.Analytics.UsageStatus = 204;
        await Wait.Until(() => gateway.Analytics.Usage.Count == 2);

        UsageEvent[] events = [.. gateway.Analytics.Usage.Select(l => JsonSerializer.Deserialize(l, WireJson.Default.UsageEvent)!)];
        Assert.Equal([("iot", "v1", app, 200), ("iot", "v1", "-", 401)], events.Select(e => (e.Api, e.Version, e.Client, e.Status)));
        Assert.Equal(0, gateway.Layer.DroppedUsage);
    }

    [Fact]
    public async Task While_analytics_is_away_calls_go_on_and_what_does_not_fit_is_counted()
    {
        await using var gateway = await RunningGateway.StartAsync(o => o with { MaxUsageWaiting = 2 });
        gateway.Analytics.UsageStatus = 503;
        var (_, _, key) = await gateway.SubscribeAsync();
        await Wait.Until(async () =>
        {
            Assert.NotEqual("429", await gateway.CallAsync(key));
            return gateway.Layer.DroppedUsage > 0;
        });
    }

    private static async Task<int> AvailableAsync(RunningGateway gateway)
    {
        var offer = await gateway.ReadAsync(HttpMethod.Get, "/developers/api/apis");
        return offer.GetProperty("apis")[0].GetProperty("versions")[0].GetProperty("available").GetInt32();
    }
}
