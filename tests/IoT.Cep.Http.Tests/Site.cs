using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>What the tests' devices send: no time of their own, as the smallest ones do.</summary>
[Event]
public readonly partial record struct Sample([EventKey] string Sensor, double V);

internal sealed record Received(string Topic, string Text, string? ContentType, string? Sender, string? Header, IAcknowledger? Acknowledger, object? Delivery)
{
    internal void Acknowledge() => Acknowledger?.Acknowledge(Delivery!);

    internal void Reject(DeadLetterReason reason, string detail) => Acknowledger?.Rejected(Delivery!, reason, detail);
}

/// <summary>A receiver that gathers messages, rejects those that a test says, and acknowledges at once or when the test does.</summary>
internal sealed class Collector : IPayloadReceiver
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Channel<Received> _messages = Channel.CreateUnbounded<Received>();
    private readonly TaskCompletionSource _down = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inside;

    internal bool AcknowledgeAtOnce { get; init; } = true;

    internal Func<Received, ValueTask>? Gate { get; set; }

    /// <summary>Why a message becomes a dead letter; null: it does not.</summary>
    internal Func<Received, string?> Rejects { get; init; } = _ => null;

    internal int Duplicates { get; private set; }

    internal int TooLong { get; private set; }

    /// <summary>Whether it was called by two at a time, or before the call before was complete.</summary>
    internal bool Overlapped { get; private set; }

    internal bool IsEmpty => !_messages.Reader.TryPeek(out _);

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        Overlapped |= Interlocked.Exchange(ref _inside, 1) == 1;
        var message = new Received(
            payload.Topic, Encoding.UTF8.GetString(payload.Bytes.ToArray()), payload.ContentType, payload.Sender, payload.Headers.Find("X-Site"), acknowledger, delivery);
        if (Rejects(message) is { } detail)
        {
            message.Reject(DeadLetterReason.WrongType, detail);
        }

        if (AcknowledgeAtOnce)
        {
            message.Acknowledge();
        }

        _messages.Writer.TryWrite(message);
        var gate = Gate?.Invoke(message) ?? ValueTask.CompletedTask;
        if (gate.IsCompletedSuccessfully)
        {
            Volatile.Write(ref _inside, 0);
            return gate;
        }

        return LeaveAsync(gate);
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail) => TooLong++;

    public void CountDuplicate() => Duplicates++;

    public void ConnectionChanged(bool connected, string? detail = null)
    {
        if (!connected)
        {
            _down.TrySetResult();
        }
    }

    /// <summary>Complete when the connection has been down.</summary>
    internal Task DownAsync() => _down.Task.WaitAsync(Patience);

    internal Task<Received> NextAsync() => _messages.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    private async ValueTask LeaveAsync(ValueTask gate)
    {
        await gate;
        Volatile.Write(ref _inside, 0);
    }
}

/// <summary>A server with one endpoint, <c>/t/{sensor}</c>, whose messages a collector gets.</summary>
internal sealed class Endpoint : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly HttpServer _server;
    private readonly HttpListening _listening;

    private Endpoint(HttpServer server, HttpListening listening, Collector collector, Task run)
    {
        (_server, _listening, Collector, Run) = (server, listening, collector, run);
        Client = new HttpClient { BaseAddress = listening.Address };
    }

    internal Collector Collector { get; }

    internal HttpClient Client { get; }

    internal HttpServer Server => _server;

    internal Uri Address => _listening.Address;

    internal Task Run { get; private set; }

    internal static async Task<Endpoint> StartAsync(
        Collector? collector = null, Action<HttpReceiveOptions>? receive = null, Action<HttpServerOptions>? configure = null, TimeProvider? clock = null,
        Action<HttpListenOptions>? listen = null)
    {
        var options = new HttpServerOptions();
        configure?.Invoke(options);
        var server = new HttpServer(options, clock);
        server.Receive("/t/{sensor}", Json.Decode<Sample>(), configure: receive);
        var listening = await server.ListenAsync(listen);
        var endpoint = new Endpoint(server, listening, collector ?? new Collector(), Task.CompletedTask);
        var context = new ConnectionContext(clock ?? TimeProvider.System, new Connections(), NullLogger.Instance);
        endpoint.Run = server.Ingests[0].RunAsync(endpoint.Collector, context, endpoint._stop.Token);
        return endpoint;
    }

    internal Task<HttpResponseMessage> PostAsync(string path, string body, string contentType = "application/json", params (string Name, string Value)[] headers) =>
        Client.PostTextAsync(path, body, contentType, headers);

    internal Task StopAsync() => _stop.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Run.WaitAsync(Collector.Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Client.Dispose();
        await _listening.DisposeAsync();
        _server.Dispose();
        _stop.Dispose();
    }
}

/// <summary>An engine with an HTTP server: <c>/t/{sensor}</c> takes samples.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly Channel<Sample> _samples = Channel.CreateUnbounded<Sample>();
    private readonly HttpListening _listening;

    private Site(CepEngine engine, HttpServer http, HttpListening listening, Channel<Sample> samples)
    {
        (Engine, Http, _listening, _samples) = (engine, http, listening, samples);
        Client = new HttpClient { BaseAddress = listening.Address };
    }

    internal CepEngine Engine { get; }

    internal HttpServer Http { get; }

    internal HttpClient Client { get; }

    internal Uri Address => _listening.Address;

    internal static async Task<Site> StartAsync(
        Action<HttpReceiveOptions>? receive = null, Decoder<Sample>? decoder = null, Action<HttpServerOptions>? configure = null, Action<CepEngine, IEventStream<Sample>, HttpServer>? more = null,
        Action<SourceOptions>? source = null)
    {
        var engine = new CepEngine();
        var http = engine.HttpServer(configure);
        var samples = Channel.CreateUnbounded<Sample>();
        var stream = engine.From(http.Receive("/t/{sensor}", decoder ?? Json.Decode<Sample>(), Form.Decode<Sample>(), receive), source).WithArrivalTime();
        stream.Subscribe(s => samples.Writer.TryWrite(s));
        more?.Invoke(engine, stream, http);
        await engine.StartAsync();
        return new Site(engine, http, await http.ListenAsync(), samples);
    }

    internal Task<HttpResponseMessage> PostAsync(string path, string body, string contentType = "application/json", params (string Name, string Value)[] headers) =>
        Client.PostTextAsync(path, body, contentType, headers);

    internal Task<Sample> NextAsync() => _samples.Reader.ReadAsync().AsTask().WaitAsync(Collector.Patience);

    internal bool IsEmpty => !_samples.Reader.TryPeek(out _);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _listening.DisposeAsync();
        await Engine.DisposeAsync();
        Http.Dispose();
    }
}

internal static class Requests
{
    internal static async Task<HttpResponseMessage> PostTextAsync(
        this HttpClient client, string path, string body, string contentType, params (string Name, string Value)[] headers)
    {
        using var content = new StringContent(body);
        content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(contentType);
        return await client.PostContentAsync(path, content, headers);
    }

    internal static async Task<HttpResponseMessage> PostContentAsync(this HttpClient client, string path, HttpContent content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await client.SendAsync(request).WaitAsync(Collector.Patience);
    }

    internal static async Task<(HttpStatusCode Status, string Body)> TextAsync(this Task<HttpResponseMessage> answer)
    {
        using var response = await answer;
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    internal static async Task<HttpStatusCode> StatusAsync(this Task<HttpResponseMessage> answer) => (await answer.TextAsync()).Status;

    /// <summary>Sends bytes as they are, and reads until the server has closed or has answered with what ends the wait.</summary>
    internal static async Task<string> RawAsync(Uri address, string request, string until = "\r\n\r\n")
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (!text.ToString().Contains(until, StringComparison.Ordinal))
        {
            int read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Collector.Patience);
            if (read == 0)
            {
                break;
            }

            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        return text.ToString();
    }
}
