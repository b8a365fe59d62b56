using System.Net;
using System.Net.Http.Headers;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace IoT.Reference.Access;

public sealed class AccessEndpointsTests : IAsyncLifetime, IDisposable
{
    private readonly HttpClient _client = new();
    private FakeIssuer _issuer = null!;
    private AccessPoint _access = null!;
    private WebApplication _app = null!;

    public async Task InitializeAsync()
    {
        _issuer = await FakeIssuer.StartAsync();
        _access = await AccessPointTests.StartAsync(_issuer);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddAccess(_access);
        _app = builder.Build();
        _app.UseAccess();
        _app.MapGet("/devices/{id}", (HttpContext c) => c.GetSubject().Id).Requires(Scopes.ReadDevices, Actions.Read, c => Resources.Device((string)c.Request.RouteValues["id"]!));
        _app.MapGet("/masked/{id}", (HttpContext c) => string.Join(' ', c.GetObligations()))
            .Requires(Scopes.ReadDevices, Actions.Read, c => Resources.Device((string)c.Request.RouteValues["id"]!)).Fulfils(Obligations.Mask);
        _app.MapGet("/silent", () => "nobody reads this");
        _app.MapGet("/open", () => "open").AllowAnonymous();
        await _app.StartAsync();
        _client.BaseAddress = new Uri(_app.Urls.First());
        _issuer.Permit("alice", Actions.Read, "device:d1");
    }

    public async Task DisposeAsync()
    {
        await _app.DisposeAsync();
        await _access.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    public void Dispose() => _client.Dispose();

    [Fact]
    [Trait("Requirement", "R66")]
    public async Task Who_may_gets_an_answer_and_nobody_else()
    {
        Assert.Equal(HttpStatusCode.OK, await GetAsync("/devices/d1", _issuer.Token("alice", scope: "readings.read devices.read")));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync("/devices/d2", _issuer.Token("alice", scope: "devices.read")));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync("/devices/d1", _issuer.Token("bob", scope: "devices.read")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("/devices/d1", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("/devices/d1", _issuer.Token("alice", audience: "others", scope: "devices.read")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("/devices/d1", _issuer.Token("alice", scope: "devices.read", seconds: -60)));
    }

    [Fact]
    [Trait("Requirement", "R66")]
    public async Task A_token_without_the_scope_is_refused()
    {
        using var request = Request("/devices/d1", _issuer.Token("alice", scope: "readings.read"));
        using var response = await _client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains("insufficient_scope", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task An_endpoint_that_says_nothing_is_refused()
    {
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync("/silent", _issuer.Token("alice", scope: "devices.read")));
        Assert.Equal(HttpStatusCode.OK, await GetAsync("/open", null));
        Assert.Equal(HttpStatusCode.NotFound, await GetAsync("/nowhere", null));
    }

    [Fact]
    [Trait("Requirement", "R67")]
    [Trait("Requirement", "R39")]
    public async Task A_permission_with_an_obligation_that_nobody_fulfils_is_none()
    {
        string token = _issuer.Token("alice", scope: "devices.read");
        _issuer.Obligations = ["audit"];
        Assert.Equal(HttpStatusCode.OK, await GetAsync("/devices/d1", token));

        _issuer.Obligations = ["mask:location"];
        _issuer.Tell(ChangeKinds.Resource, "d1");
        await Wait.Until(async () => await GetAsync("/devices/d1", token) == HttpStatusCode.Forbidden);
        using var request = Request("/masked/d1", token);
        using var response = await _client.SendAsync(request);
        Assert.Equal("mask:location", await response.Content.ReadAsStringAsync());
    }

    private static HttpRequestMessage Request(string path, string? token)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    private async Task<HttpStatusCode> GetAsync(string path, string? token)
    {
        using var request = Request(path, token);
        using var response = await _client.SendAsync(request);
        return response.StatusCode;
    }
}
