using System.Collections.Concurrent;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The other side of a mediator, as a test wants it.</summary>
internal sealed class Device(Func<Message, Message> answer) : IRequests
{
    private readonly ConcurrentQueue<TimeSpan> _timeouts = new();

    public string Name => "device";

    internal Func<Message, Task> Before { get; init; } = _ => Task.CompletedTask;

    internal int Asked => _timeouts.Count;

    internal IEnumerable<TimeSpan> Timeouts => _timeouts;

    public async ValueTask<Message> RequestAsync(Message request, TimeSpan timeout, CancellationToken stop = default)
    {
        _timeouts.Enqueue(timeout);
        await Before(request).WaitAsync(stop);
        return answer(request);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal Task UntilAskedAsync(int times) => Until.TrueAsync(() => Asked >= times);
}

/// <summary>A server that mediates <c>/devices/{device}/cmd</c>.</summary>
internal sealed class Door(HttpServer server, HttpListening listening, Mediator mediator) : IAsyncDisposable
{
    internal Mediator Mediator => mediator;

    internal Uri Address => listening.Address;

    internal HttpClient Client { get; } = new() { BaseAddress = listening.Address };

    internal static Task<Door> StartAsync(IRequests device, Action<MediatorOptions>? configure = null, ListenerSecurity? security = null) =>
        StartAsync(h => h.Mediate("/devices/{device}/cmd", "devices/{device}/commands", device, configure), security);

    internal static async Task<Door> StartAsync(Func<HttpServer, Mediator> declare, ListenerSecurity? security = null)
    {
        var options = new HttpServerOptions();
        options.Security = security ?? options.Security;
        var server = new HttpServer(options);
        var mediator = declare(server);
        return new Door(server, await server.ListenAsync(), mediator);
    }

    internal Task<HttpResponseMessage> PostAsync(string path, string body, params (string Name, string Value)[] headers) => Client.PostTextAsync(path, body, "text/plain", headers);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await listening.DisposeAsync();
        server.Dispose();
    }
}

/// <summary>Waits for what can be seen.</summary>
internal static class Until
{
    internal static async Task TrueAsync(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }
}
