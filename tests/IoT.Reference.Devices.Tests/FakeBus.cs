using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;

using IoT.Reference.Contracts;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace IoT.Reference.Devices.Tests;

/// <summary>What an agent's tests need of a bus: the device's requests, as the bus serves them, and what it was sent.</summary>
internal sealed class FakeBus : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WebApplication _app;
    private readonly Channel<(string Topic, byte[] Body)> _received = Channel.CreateUnbounded<(string, byte[])>();
    private readonly ConcurrentQueue<DeviceCommand> _commands = new();
    private readonly SemaphoreSlim _arrived = new(0);
    private volatile byte[]? _desired;

    private FakeBus(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    public string Proof { get; private set; } = "";

    public static async Task<FakeBus> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var bus = new FakeBus(builder.Build());
        bus._app.MapPost("/{kind}/{device}", bus.TakeAsync);
        bus._app.MapGet("/commands/{device}", bus.CommandAsync);
        bus._app.MapGet("/desired/{device}", () => bus._desired is { } body ? Results.Bytes(body, "application/json") : Results.NoContent());
        await bus._app.StartAsync();
        return bus;
    }

    public void Command(DeviceCommand command)
    {
        _commands.Enqueue(command);
        _arrived.Release();
    }

    public void Desire(DesiredState desired)
    {
        _desired = JsonSerializer.SerializeToUtf8Bytes(desired, WireJson.Default.DesiredState);
        _arrived.Release();   // A waiting request ends, and the device looks again.
    }

    public async Task<(string Topic, JsonElement Body)> NextAsync(string kind)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            (string topic, byte[] body) = await _received.Reader.ReadAsync(patience.Token);
            if (topic.StartsWith(kind + "/", StringComparison.Ordinal))
            {
                return (topic, JsonSerializer.Deserialize<JsonElement>(body));
            }
        }
    }

    public async Task<CommandAck> AckAsync()
    {
        (_, JsonElement body) = await NextAsync("acks");
        return body.Deserialize(WireJson.Default.CommandAck)!;
    }

    public async Task<ReportedState> ReportAsync()
    {
        (_, JsonElement body) = await NextAsync("reported");
        return body.Deserialize(WireJson.Default.ReportedState)!;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context, string kind, string device)
    {
        Proof = context.Request.Headers.Authorization.ToString();
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        _received.Writer.TryWrite(($"{kind}/{device}{context.Request.QueryString}", body.ToArray()));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task CommandAsync(HttpContext context)
    {
        if (context.Request.Query["ack"] is [{ } id] && _commands.TryPeek(out DeviceCommand? done) && done.Id == id)
        {
            _commands.TryDequeue(out _);
        }

        if (_commands.IsEmpty)
        {
            await _arrived.WaitAsync(context.RequestAborted);
        }

        if (_commands.TryPeek(out DeviceCommand? command))
        {
            context.Response.Headers["Command-Id"] = command.Id;
            await context.Response.WriteAsJsonAsync(command, WireJson.Default.DeviceCommand, "application/json");
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
    }
}
