using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep;

/// <summary>The server inside an application.</summary>
public sealed class HttpMappedTests
{
    [Fact]
    public async Task An_application_maps_all_that_its_queries_declare_by_one_line()
    {
        var got = new TaskCompletionSource<Sample>();
        await using var app = await StartAsync(cep =>
        {
            var http = cep.HttpServer();
            cep.From(http.Receive("/t/{sensor}", Json.Decode<Sample>())).WithArrivalTime().Subscribe(s => got.TrySetResult(s));
        });
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };

        Assert.Equal(HttpStatusCode.NoContent, await client.PostTextAsync("/iot/t/a", """{"sensor":"a","v":1}""", "application/json").StatusAsync());
        Assert.Equal(new Sample("a", 1), await got.Task.WaitAsync(Collector.Patience));
        Assert.Equal(HttpStatusCode.NotFound, await client.PostTextAsync("/t/a", "{}", "application/json").StatusAsync());
        Assert.Equal("Healthy", (await client.GetAsync(new Uri("/health", UriKind.Relative)).TextAsync()).Body);
        var document = JsonDocument.Parse((await client.GetAsync(new Uri("/openapi.json", UriKind.Relative)).TextAsync()).Body).RootElement;
        Assert.True(document.GetProperty("paths").GetProperty("/t/{sensor}").GetProperty("post").GetProperty("responses").TryGetProperty("207", out _));
    }

    [Fact]
    public async Task A_query_that_has_failed_makes_the_application_unhealthy()
    {
        await using var app = await StartAsync(cep =>
        {
            var http = cep.HttpServer();
            var samples = cep.From(http.Receive("/t/{sensor}", Json.Decode<Sample>())).WithArrivalTime();
            samples.Select(s => s.V > 0 ? s : throw new InvalidOperationException("mine")).To(http.Publish<Sample>("/out", (_, _) => { }));
        });
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };

        await client.PostTextAsync("/iot/t/a", """{"sensor":"a","v":-1}""", "application/json").StatusAsync();

        Assert.Equal("Unhealthy", (await client.GetAsync(new Uri("/health", UriKind.Relative)).TextAsync()).Body);
    }

    [Fact]
    public void What_is_declared_too_late_or_twice_is_refused_with_the_remedy()
    {
        using var server = new HttpServer();
        server.Receive("/t/{sensor}", Json.Decode<Sample>());
        Assert.Contains("path of its own", Assert.Throws<InvalidOperationException>(() => server.Receive("/t/{sensor}", Json.Decode<Sample>())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => server.Publish<Sample>("/out/{place}", (_, _) => { }));
        Assert.Throws<ArgumentException>(() => server.Commands<Sample>("/c", s => s.Sensor, (_, _) => { }));
        Assert.Throws<FormatException>(() => server.Receive("/t/{sen", Json.Decode<Sample>()));

        server.Freeze();
        Assert.Contains("before MapCep", Assert.Throws<InvalidOperationException>(() => server.Receive("/u", Json.Decode<Sample>())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_application_without_an_engine_or_a_server_is_told_so()
    {
        var empty = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        empty.WebHost.UseKestrelCore();
        await using var none = empty.Build();
        Assert.Contains("AddCep", Assert.Throws<InvalidOperationException>(() => none.MapCep()).Message, StringComparison.Ordinal);

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddCep(_ => { });
        await using var app = builder.Build();
        Assert.Contains("cep.HttpServer()", Assert.Throws<InvalidOperationException>(() => app.MapCep()).Message, StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartAsync(Action<ICep> queries)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRoutingCore();
        builder.Services.AddLogging();
        builder.Services.AddCep(queries);
        builder.Services.AddHealthChecks().AddCep();
        var app = builder.Build();
        app.UseRouting();
        app.MapGroup("/iot").MapCep();
        app.MapCepOpenApi();
        app.MapHealthChecks("/health");
        await app.StartAsync();
        return app;
    }
}
