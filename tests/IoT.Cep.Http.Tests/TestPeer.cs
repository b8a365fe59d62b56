using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep;

/// <summary>A request that a peer got.</summary>
internal sealed record Got(string Body, string? ContentType, IHeaderDictionary Headers);

/// <summary>Another server, which answers as a test says and remembers what it was sent.</summary>
internal sealed class TestPeer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestPeer(WebApplication app, Uri address, ConcurrentQueue<Got> requests) => (_app, Address, Requests) = (app, address, requests);

    internal Uri Address { get; }

    internal ConcurrentQueue<Got> Requests { get; }

    /// <param name="answer">Answers the n-th request, from 1.</param>
    internal static async Task<TestPeer> StartAsync(Func<HttpContext, int, Task> answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var requests = new ConcurrentQueue<Got>();
        int count = 0;
        app.Run(async context =>
        {
            using var body = new StreamReader(context.Request.Body, Encoding.UTF8);
            var headers = new HeaderDictionary();
            foreach (var (name, value) in context.Request.Headers)
            {
                headers[name] = value;
            }

            requests.Enqueue(new Got(await body.ReadToEndAsync(), context.Request.ContentType, headers));
            await answer(context, Interlocked.Increment(ref count));
        });
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        return new TestPeer(app, new Uri(address), requests);
    }

    internal static Func<HttpContext, int, Task> Statuses(params int[] statuses) => (context, n) =>
    {
        context.Response.StatusCode = statuses[Math.Min(n, statuses.Length) - 1];
        return Task.CompletedTask;
    };

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.Zero, TimeProvider.System);
        await _app.StopAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }
}
