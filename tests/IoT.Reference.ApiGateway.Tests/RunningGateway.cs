using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace IoT.Reference.ApiGateway;

/// <summary>The gateway on a port of its own, with an identity, analytics and two instances behind it.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "api-gateway-" + Guid.NewGuid().ToString("n"));
    private ApiGatewayLayer? _layer;
    private ApiGatewayOptions _options = null!;

    internal FakeIdentity Identity { get; private set; } = null!;

    internal FakeServer Analytics { get; private set; } = null!;

    internal FakeServer One { get; private set; } = null!;

    internal FakeServer Two { get; private set; } = null!;

    internal HttpClient Client { get; private set; } = null!;

    internal ApiGatewayLayer Layer => _layer!;

    internal string Folder => _folder;

    internal static async Task<RunningGateway> StartAsync(Func<ApiGatewayOptions, ApiGatewayOptions>? change = null, string plan = """{ "perSecond": 1000, "burst": 1000, "perDay": 100000 }""")
    {
        var running = new RunningGateway
        {
            Identity = await FakeIdentity.StartAsync(),
            Analytics = await FakeServer.StartAsync("analytics"),
            One = await FakeServer.StartAsync("one"),
            Two = await FakeServer.StartAsync("two"),
        };
        Directory.CreateDirectory(running._folder);
        running.WriteCatalog(running.Versions(), plan);
        var options = new ApiGatewayOptions
        {
            DataFolder = running._folder,
            Service = FakeIdentity.Service,
            Identity = running.Identity.Address,
            Analytics = running.Analytics.Address,
            Port = 0,
            CatalogInterval = TimeSpan.FromMilliseconds(20),
            HealthInterval = TimeSpan.FromMilliseconds(50),
            Rest = TimeSpan.FromMinutes(10),
            UsageInterval = TimeSpan.FromMilliseconds(10),
            StrangersPerSecond = 10_000,
        };
        running._options = change?.Invoke(options) ?? options;
        await running.OpenAsync();
        return running;
    }

    internal string Versions(string state = "current", string more = "") =>
        $$"""{ "version": "v1", "state": "{{state}}", "path": "/api/v1", "backends": ["{{One.Address}}", "{{Two.Address}}"], "openApi": "/openapi/v1.json"{{more}} }""";

    internal void WriteCatalog(string versions, string plan = """{ "perSecond": 1000, "burst": 1000, "perDay": 100000 }""") => File.WriteAllText(
        Path.Combine(_folder, "apis.json"),
        $$"""
        { "plans": { "basic": {{plan}} },
          "apis": [
            { "id": "iot", "title": "IoT", "description": "d", "scopes": ["readings.read", "devices.read"], "versions": [{{versions}}] },
            { "id": "other", "title": "Other", "description": "d", "scopes": ["devices.read"], "versions": [{ "version": "v1", "state": "current", "path": "/api/other", "backends": ["{{One.Address}}"] }] } ] }
        """);

    internal async Task RestartAsync()
    {
        Client.Dispose();
        await _layer!.DisposeAsync();
        await OpenAsync();
    }

    internal async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? bearer = null, string? key = null, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
        if (key is not null)
        {
            request.Headers.Add("X-Api-Key", key);
        }

        if (json is not null)
        {
            request.Content = new StringContent(json, null, "application/json");
        }

        return await Client.SendAsync(request);
    }

    internal async Task<HttpStatusCode> StatusAsync(string path, string? bearer = null, string? key = null)
    {
        using var response = await SendAsync(HttpMethod.Get, path, bearer, key);
        return response.StatusCode;
    }

    /// <summary>Which instance answered.</summary>
    internal async Task<string> CallAsync(string key)
    {
        using var response = await SendAsync(HttpMethod.Get, "/api/v1/devices", key: key);
        return response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync() : $"{(int)response.StatusCode}";
    }

    internal async Task<JsonElement> ReadAsync(HttpMethod method, string path, string? bearer = null, string? json = null)
    {
        using var response = await SendAsync(method, path, bearer, json: json);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {text}");
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    internal async Task<(string App, string Secret, string Key)> SubscribeAsync(string person = "alice", string api = "iot", string scope = "devices.read")
    {
        var issued = await ReadAsync(
            HttpMethod.Post, "/developers/api/subscriptions", Identity.Person(person), $$"""{"api":"{{api}}","name":"my app","plan":"basic","scopes":["{{scope}}"]}""");
        return (issued.GetProperty("clientId").GetString()!, issued.GetProperty("clientSecret").GetString()!, issued.GetProperty("key").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _layer!.DisposeAsync();
        await One.DisposeAsync();
        await Two.DisposeAsync();
        await Analytics.DisposeAsync();
        await Identity.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task OpenAsync()
    {
        _layer = await ApiGatewayLayer.StartAsync(_options);
        Client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = _layer.Address };
    }
}
