using System.Buffers;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

internal sealed record Received(string Topic, string Text, IAcknowledger? Acknowledger, object? Delivery)
{
    internal string? Template { get; init; }

    internal string? ContentType { get; init; }

    internal string? Sender { get; init; }

    internal KeyValuePair<string, string>[] Headers { get; init; } = [];

    internal void Acknowledge() => Acknowledger?.Acknowledge(Delivery!);
}

/// <summary>A receiver that gathers messages and lets a test wait for what happens.</summary>
internal sealed class Collector : IPayloadReceiver
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Channel<Received> _messages = Channel.CreateUnbounded<Received>();
    private readonly Channel<(bool Up, string? Detail)> _connections = Channel.CreateUnbounded<(bool, string?)>();
    private readonly Channel<bool> _duplicates = Channel.CreateUnbounded<bool>();

    /// <summary>Whether messages are acknowledged as they come.</summary>
    internal bool AcknowledgeAtOnce { get; init; } = true;

    /// <summary>Awaited before the next message is taken; null: never.</summary>
    internal Func<ValueTask>? Gate { get; init; }

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        var headers = payload.Headers;
        var message = new Received(payload.Topic, Encoding.UTF8.GetString(payload.Bytes.ToArray()), acknowledger, delivery)
        {
            Template = payload.Template?.ToString(),
            ContentType = payload.ContentType,
            Sender = payload.Sender,
            Headers = [.. Enumerable.Range(0, headers.Count).Select(i => headers[i])],
        };
        if (AcknowledgeAtOnce)
        {
            message.Acknowledge();
        }

        _messages.Writer.TryWrite(message);
        return Gate?.Invoke() ?? ValueTask.CompletedTask;
    }

    /// <summary>What became of messages that the transport itself refused; null: none may be.</summary>
    internal Channel<DeadLetterReason>? Rejected { get; init; }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail)
    {
        if (Rejected?.Writer.TryWrite(reason) != true)
        {
            throw new NotSupportedException($"{reason}: {detail}");
        }
    }

    public void CountDuplicate() => _duplicates.Writer.TryWrite(true);

    public void ConnectionChanged(bool connected, string? detail = null) => _connections.Writer.TryWrite((connected, detail));

    internal Task<Received> NextAsync() => _messages.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    internal async Task<Received[]> TakeAsync(int count)
    {
        var taken = new Received[count];
        for (int i = 0; i < count; i++)
        {
            taken[i] = await NextAsync();
        }

        return taken;
    }

    internal bool IsEmpty => !_messages.Reader.TryPeek(out _);

    internal Task DuplicateAsync() => _duplicates.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    internal async Task<string?> UntilAsync(bool connected)
    {
        while (true)
        {
            var (up, detail) = await _connections.Reader.ReadAsync().AsTask().WaitAsync(Patience);
            if (up == connected)
            {
                return detail;
            }
        }
    }
}

/// <summary>A transport that runs while a test uses it.</summary>
internal sealed class RunningTransport : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    private RunningTransport(Collector collector, Connections connections, string[] filters, MqttSubscribeOptions options)
    {
        Collector = collector;
        _run = new MqttTransport(filters, options).RunAsync(collector, Context(connections), _stop.Token);
    }

    internal Collector Collector { get; }

    internal static SinkContext Context(Connections connections) => new(TimeProvider.System, connections, NullLogger.Instance, HasIdentity: false);

    internal static Connections To(int port, Action<MqttOptions>? configure = null)
    {
        var options = new MqttOptions { Host = "127.0.0.1", Port = port, ReconnectMin = TimeSpan.FromMilliseconds(50), ReconnectMax = TimeSpan.FromMilliseconds(200), StopTimeout = TimeSpan.FromMilliseconds(100) };
        configure?.Invoke(options);
        var connections = new Connections();
        connections.Set(options);
        return connections;
    }

    internal static async Task<RunningTransport> StartAsync(
        Collector collector, Connections connections, string filter, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce)
    {
        return await StartAsync(collector, connections, filter, new MqttSubscribeOptions { QualityOfService = qualityOfService });
    }

    internal static async Task<RunningTransport> StartAsync(Collector collector, Connections connections, string filter, MqttSubscribeOptions options)
    {
        var running = new RunningTransport(collector, connections, [filter], options);
        await await Task.WhenAny(collector.UntilAsync(connected: true), running._run);
        return running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.WaitAsync(Collector.Patience);
        _stop.Dispose();
    }
}

/// <summary>A sink of texts, opened.</summary>
internal static class Publisher
{
    internal static async Task<IAsyncSink<(string Topic, string Text)>> OpenAsync(
        Connections connections, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce, bool retained = false)
    {
        var sink = (IAsyncSink<(string Topic, string Text)>)Mqtt.Publish<(string Topic, string Text)>(m => m.Topic, m => m.Text, qualityOfService, retained);
        await sink.OpenAsync(RunningTransport.Context(connections), CancellationToken.None);
        return sink;
    }

    internal static async Task<IAsyncSink<(string Topic, string Text)>> OpenAsync(Connections connections, MqttPublishOptions<(string Topic, string Text)> options)
    {
        var sink = (IAsyncSink<(string Topic, string Text)>)Mqtt.Publish<(string Topic, string Text)>(m => m.Topic, (m, output) => Encoding.UTF8.GetBytes(m.Text, output), options);
        await sink.OpenAsync(RunningTransport.Context(connections), CancellationToken.None);
        return sink;
    }

    internal static Task SendAsync(this IAsyncSink<(string Topic, string Text)> sink, params (string Topic, string Text)[] messages) =>
        sink.WriteAsync(new SinkBatch<(string, string)> { Events = messages, Ticks = new long[messages.Length] }, CancellationToken.None)
            .AsTask().WaitAsync(Collector.Patience);
}
