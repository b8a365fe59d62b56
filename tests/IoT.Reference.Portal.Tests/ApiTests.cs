using System.Net;
using System.Text;
using System.Text.Json;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal;

/// <summary>The API: what goes where, and what does not get through.</summary>
public sealed class ApiTests
{
    [Fact]
    [Trait("Requirement", "R83")]
    public async Task Description_is_openapi_3_1_and_tells_every_operation_and_how_to_get_a_token()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = RunningPortal.Browser(portal.Address);
        using var document = JsonDocument.Parse(await browser.GetStringAsync(new Uri("openapi/v1.json", UriKind.Relative)));
        var root = document.RootElement;
        Assert.StartsWith("3.1", root.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var operations = root.GetProperty("paths").EnumerateObject().SelectMany(p => p.Value.EnumerateObject().Select(o => (p.Name, Verb: o.Name, o.Value))).ToList();
        Assert.All(operations, o =>
        {
            Assert.StartsWith("/api/v1/", o.Name, StringComparison.Ordinal);
            Assert.NotEmpty(o.Value.GetProperty("summary").GetString()!);
            Assert.NotEmpty(o.Value.GetProperty("operationId").GetString()!);
            Assert.True(o.Value.GetProperty("responses").TryGetProperty("401", out _));
        });
        foreach (string path in (string[])["/api/v1/devices", "/api/v1/devices/{id}/commands", "/api/v1/readings/{id}", "/api/v1/alerts/{alert}/acknowledge", "/api/v1/live", "/api/v1/shares", "/api/v1/queries", "/api/v1/me/export"])
        {
            Assert.Contains(operations, o => o.Name == path);
        }

        var flow = root.GetProperty("components").GetProperty("securitySchemes").GetProperty("token").GetProperty("flows").GetProperty("clientCredentials");
        Assert.EndsWith("connect/token", flow.GetProperty("tokenUrl").GetString(), StringComparison.Ordinal);
        Assert.True(root.GetProperty("components").GetProperty("schemas").GetProperty("DeviceRecord").GetProperty("properties").TryGetProperty("lastSeen", out _));
    }

    [Theory]
    [InlineData("GET", "devices?q=pi&limit=5", "GET /manager/v1/devices?q=pi&limit=5")]
    [InlineData("GET", "devices/pi-1", "GET /manager/v1/devices/pi-1")]
    [InlineData("GET", "devices/pi-1/state", "GET /manager/v1/devices/pi-1/state")]
    [InlineData("PUT", "devices/pi-1/desired", "PUT /manager/v1/devices/pi-1/desired")]
    [InlineData("POST", "devices/pi-1/lock", "POST /manager/v1/devices/pi-1/lock")]
    [InlineData("POST", "devices/pi-1/wipe", "POST /manager/v1/devices/pi-1/wipe")]
    [InlineData("GET", "readings/pi-1?step=hour", "GET /analytics/v1/readings/pi-1?step=hour")]
    [InlineData("GET", "alerts?state=Raised", "GET /analytics/v1/alerts?state=Raised")]
    [InlineData("POST", "alerts/a0/acknowledge", "POST /analytics/v1/alerts/a0/acknowledge")]
    [InlineData("GET", "queries", "GET /analytics/v1/queries")]
    [InlineData("POST", "queries/overheating/settings", "POST /analytics/v1/queries/overheating/settings")]
    [InlineData("GET", "shares", "GET /identity/v1/shares")]
    [InlineData("DELETE", "shares/s1", "DELETE /identity/v1/shares/s1")]
    [Trait("Requirement", "R40")]
    public async Task Request_goes_to_its_layer_with_the_callers_own_token(string method, string path, string expected)
    {
        await using var portal = await RunningPortal.StartAsync();
        using var program = portal.Program();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri("api/v1/" + path, UriKind.Relative));
        request.Content = method is "PUT" || path.EndsWith("settings", StringComparison.Ordinal) ? new StringContent("""{"interval":5}""", Encoding.UTF8, "application/json") : null;
        using var answer = await program.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        Assert.Contains((expected, "app-1"), portal.Upstream.Requests);
    }

    [Fact]
    public async Task What_the_scope_or_the_decision_point_does_not_allow_reaches_no_layer()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var narrow = portal.Program("app-1", Scopes.ReadDevices);
        using var unscoped = await narrow.PostAsync(new Uri("api/v1/devices/pi-1/lock", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Forbidden, unscoped.StatusCode);
        portal.Upstream.Denied["app-2 manage device:pi-1"] = true;
        using var denied = portal.Program("app-2");
        using var refused = await denied.PostAsync(new Uri("api/v1/devices/pi-1/wipe", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using var nobody = RunningPortal.Browser(portal.Address);
        using var unknown = await nobody.GetAsync(new Uri("api/v1/devices", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);
        Assert.Equal("application/problem+json", unknown.Content.Headers.ContentType!.MediaType);
        Assert.Equal(0, portal.Upstream.Count("POST /manager"));
    }

    [Theory]
    [InlineData("api/v1/devices/..%2f..%2fidentity%2fv1%2fpeople")]
    [InlineData("api/v1/devices/%2e%2e")]
    [InlineData("api/v1/readings/a%3fdevices=x%23")]
    public async Task Names_from_the_network_stay_one_part_of_the_address(string path)
    {
        await using var portal = await RunningPortal.StartAsync();
        using var program = portal.Program();
        using var answer = await program.GetAsync(new Uri(portal.Address + path));
        Assert.DoesNotContain(portal.Upstream.Requests, r => r.Request.Contains("people", StringComparison.Ordinal) && r.Subject == "app-1" && !r.Request.Contains("%2F", StringComparison.OrdinalIgnoreCase));
        Assert.True((int)answer.StatusCode < 500);
    }

    [Theory]
    [InlineData("""{"name":""", HttpStatusCode.BadRequest)]
    [InlineData("[1,2]", HttpStatusCode.BadRequest)]
    [InlineData(null, HttpStatusCode.RequestEntityTooLarge)]
    public async Task Body_that_is_not_what_it_must_be_reaches_no_layer(string? body, HttpStatusCode expected)
    {
        await using var portal = await RunningPortal.StartAsync();
        using var program = portal.Program();
        using var content = new StringContent(body ?? $$"""{"name":"{{new string('x', 300_000)}}"}""", Encoding.UTF8, "application/json");
        using var answer = await program.PostAsync(new Uri("api/v1/devices/pi-1/commands", UriKind.Relative), content);
        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(0, portal.Upstream.Count("POST /manager"));
    }

    [Fact]
    public async Task Layer_that_fails_hangs_or_says_too_much_is_a_problem_and_not_a_page()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { AnswerTimeout = TimeSpan.FromMilliseconds(300), MaxAnswerBytes = 10_000 });
        using var program = portal.Program();
        var path = new Uri("api/v1/devices", UriKind.Relative);
        using var warm = await program.GetAsync(path);
        foreach (var (answer, expected) in ((Func<Microsoft.AspNetCore.Http.HttpContext, Task>, HttpStatusCode)[])
        [
            (c => { c.Response.StatusCode = 500; return Task.CompletedTask; }, HttpStatusCode.BadGateway),
            (c => { c.Abort(); return Task.CompletedTask; }, HttpStatusCode.BadGateway),
            (c => Task.Delay(Timeout.Infinite, c.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default), HttpStatusCode.GatewayTimeout),
            (c => { c.Response.ContentType = "application/json"; c.Response.ContentLength = 20_000; return c.Response.Body.WriteAsync(new byte[20_000]).AsTask(); }, HttpStatusCode.BadGateway),
        ])
        {
            portal.Upstream.Intercept = async c =>
            {
                if (!c.Request.Path.StartsWithSegments("/manager"))
                {
                    return false;
                }

                await answer(c);
                return true;
            };
            using var got = await program.GetAsync(path);
            Assert.Equal(expected, got.StatusCode);
            Assert.Equal("application/problem+json", got.Content.Headers.ContentType!.MediaType);
        }
    }

    [Fact]
    [Trait("Requirement", "R82")]
    public async Task Live_events_come_through_and_end_when_the_subject_is_revoked()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var program = portal.Program();
        using var answer = await program.GetAsync(new Uri("api/v1/live?devices=pi-1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        for (string? line = ""; line != "event: reading";)
        {
            line = await reader.ReadLineAsync(limit.Token);
            Assert.NotNull(line);
        }

        portal.Upstream.Revoke("app-1");
        while (await ReadOrEndAsync(reader, limit.Token) is not null)
        {
        }

        using var refused = await program.GetAsync(new Uri("api/v1/live", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task One_person_has_so_many_streams_and_no_more()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { StreamsPerSubject = 2 });
        using var program = portal.Program();
        var path = new Uri("api/v1/live", UriKind.Relative);
        using var first = await program.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
        using var second = await program.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
        using var third = await program.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests), (first.StatusCode, second.StatusCode, third.StatusCode));
        using var wrong = await program.GetAsync(new Uri("api/v1/live?devices=a%0Ab", UriKind.Relative));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    [Fact]
    public async Task Erasing_oneself_goes_through_all_layers_and_ends_with_Identity()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = await portal.LogInAsync();
        using var export = await browser.GetAsync(new Uri("api/v1/me/export", UriKind.Relative));
        Assert.Equal("""{"identity":{"person":"alice"},"deviceManager":{"devices":["pi-1"]},"analytics":[{"readings":[]}]}""", await export.Content.ReadAsStringAsync());
        using var request = new HttpRequestMessage(HttpMethod.Delete, new Uri("api/v1/me", UriKind.Relative)) { Headers = { { "X-CSRF-Token", await RunningPortal.CsrfOfAsync(browser) } } };
        using var erased = await browser.SendAsync(request);
        Assert.Equal(HttpStatusCode.NoContent, erased.StatusCode);
        string[] deleted = [.. portal.Upstream.Requests.Select(r => r.Request).Where(r => r.StartsWith("DELETE", StringComparison.Ordinal)).Select(r => r.Split('?')[0])];
        Assert.Equal(["DELETE /analytics/v1/people/alice", "DELETE /manager/v1/people/alice", "DELETE /identity/v1/people/alice"], deleted);
        using var gone = await browser.GetAsync(new Uri("session", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, gone.StatusCode);
    }

    // An ended stream shows as its end, or as a line that broke: both are an end.
    private static async Task<string?> ReadOrEndAsync(StreamReader reader, CancellationToken stop)
    {
        try
        {
            return await reader.ReadLineAsync(stop);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }
}
