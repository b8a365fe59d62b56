using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace IoT.Reference.ApiGateway;

/// <summary>An instance of the API, or analytics: remembers what it was sent.</summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private WebApplication _app;

    private FakeServer(string name, WebApplication app) => (Name, _app) = (name, app);

    internal string Name { get; }

    internal Uri Address { get; private set; } = null!;

    internal ConcurrentQueue<(string Path, string Authorization, string Headers)> Calls { get; } = [];

    internal ConcurrentQueue<string> Usage { get; } = [];

    internal int UsageStatus { get; set; } = 204;

    internal bool IsWell { get; set; } = true;

    internal static async Task<FakeServer> StartAsync(string name)
    {
        var server = new FakeServer(name, Build());
        await server.RunAsync("http://127.0.0.1:0");
        return server;
    }

    /// <summary>Nothing listens at its port any more.</summary>
    internal ValueTask StopAsync() => _app.DisposeAsync();

    /// <summary>Listens again, where it did.</summary>
    internal Task StartAgainAsync()
    {
        _app = Build();
        return RunAsync(Address.GetLeftPart(UriPartial.Authority));
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static WebApplication Build()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        return builder.Build();
    }

    private async Task RunAsync(string url)
    {
        _app.Urls.Add(url);
        _app.MapGet("/health", c =>
        {
            c.Response.StatusCode = IsWell ? 200 : 503;
            return Task.CompletedTask;
        });
        _app.MapGet("/openapi/v1.json", c => c.Response.WriteAsync("""{"openapi":"3.1.0","info":{"title":"IoT"},"paths":{"/api/v1/devices":{"get":{"summary":"Devices","responses":{"200":{"description":"ok"}}}}}}"""));
        _app.MapPost("/v1/usage", async c =>
        {
            using var reader = new StreamReader(c.Request.Body);
            string text = await reader.ReadToEndAsync();
            c.Response.StatusCode = UsageStatus;
            foreach (string line in UsageStatus == 204 ? text.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [])
            {
                Usage.Enqueue(line);
            }
        });
        _app.Map("/api/{**rest}", c =>
        {
            Calls.Enqueue((c.Request.Path, c.Request.Headers.Authorization.ToString(), string.Join('\n', c.Request.Headers)));
            c.Response.Headers["X-Instance"] = Name;
            return c.Response.WriteAsync(Name);
        });
        await _app.StartAsync();
        Address = new Uri(_app.Urls.First() + "/");
    }
}
