using System.Buffers;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.CoapTests;

internal sealed record Received(string Topic, string Text, string? ContentType, string? Sender, string? Query, IAcknowledger? Acknowledger, object? Delivery);

/// <summary>A receiver that gathers messages and lets a test wait for what happens.</summary>
internal sealed class Collector : IPayloadReceiver
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Channel<Received> _messages = Channel.CreateUnbounded<Received>();
    private readonly Channel<(bool Up, string? Detail)> _connections = Channel.CreateUnbounded<(bool, string?)>();

    internal bool AcknowledgeAtOnce { get; init; } = true;

    /// <summary>What becomes a dead letter, and why.</summary>
    internal Func<string, (DeadLetterReason Reason, string Detail)?>? Reject { get; init; }

    /// <summary>Awaited before the next message is taken.</summary>
    internal Task? Gate { get; init; }

    public async ValueTask ReceiveAsync(Payload payload, IAcknowledger? acknowledger, object? delivery)
    {
        string text = Encoding.UTF8.GetString(payload.Bytes.ToArray());
        var message = new Received(payload.Topic, text, payload.ContentType, payload.Sender, payload.Headers.Count > 0 ? payload.Headers[0].Key + "=" + payload.Headers[0].Value : null, acknowledger, delivery);
        if (Reject?.Invoke(text) is { } rejection)
        {
            acknowledger?.Rejected(delivery!, rejection.Reason, rejection.Detail);
        }

        if (AcknowledgeAtOnce)
        {
            acknowledger?.Acknowledge(delivery!);
        }

        _messages.Writer.TryWrite(message);
        await (Gate ?? Task.CompletedTask);
    }

    ValueTask IPayloadReceiver.ReceiveAsync(in Payload payload, IAcknowledger? acknowledger, object? delivery) => ReceiveAsync(payload, acknowledger, delivery);

    void IPayloadReceiver.Reject(in Payload payload, DeadLetterReason reason, string detail) => throw new NotSupportedException();

    public void CountDuplicate() => throw new NotSupportedException();

    public void ConnectionChanged(bool connected, string? detail = null) => _connections.Writer.TryWrite((connected, detail));

    internal Task<Received> NextAsync() => _messages.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    internal bool IsEmpty => !_messages.Reader.TryPeek(out _);

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

/// <summary>A source that runs while a test uses it.</summary>
internal sealed class Running : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    private Running(ITransport transport, Collector collector, Connections connections)
    {
        Collector = collector;
        _run = transport.RunAsync(collector, Context(connections), _stop.Token);
    }

    internal Collector Collector { get; }

    internal static SinkContext Context(Connections connections) => new(TimeProvider.System, connections, NullLogger.Instance, HasIdentity: false);

    internal static async Task<Running> StartAsync(ITransport transport, Collector collector, Connections connections)
    {
        var running = new Running(transport, collector, connections);
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

/// <summary>Options for the loopback address.</summary>
internal static class Local
{
    internal static Connections Listener(Action<CoapListenerOptions>? configure = null, Action<CoapOptions>? client = null)
    {
        var options = new CoapListenerOptions { Port = 0 };
        configure?.Invoke(options);
        var connections = new Connections();
        connections.Set(options);
        var clientOptions = new CoapOptions { ReconnectMin = TimeSpan.FromMilliseconds(50), ReconnectMax = TimeSpan.FromMilliseconds(200) };
        client?.Invoke(clientOptions);
        connections.Set(clientOptions);
        return connections;
    }

    internal static CoapServer Server(this Connections connections) => connections.Find<CoapListenerOptions>()!.Server;

    internal static Task<Running> ListenAsync(this Connections connections, string template, Collector collector) =>
        Running.StartAsync(new CoapListenTransport(TopicTemplate.Parse(template), Connections.Default), collector, connections);

    internal static Task<Running> ObserveAsync(this Connections connections, string uri, Collector collector) =>
        Running.StartAsync(new CoapObserveTransport(CoapUri.Parse(uri), uri, Connections.Default), collector, connections);

    internal static async Task<IAsyncSink<T>> OpenAsync<T>(this Connections connections, ISink<T> sink)
    {
        var opened = (IAsyncSink<T>)sink;
        await opened.OpenAsync(Running.Context(connections), CancellationToken.None);
        return opened;
    }

    internal static Task WriteAsync<T>(this IAsyncSink<T> sink, params T[] results) =>
        sink.WriteAsync(new SinkBatch<T> { Events = results, Ticks = new long[results.Length] }, CancellationToken.None).AsTask().WaitAsync(Collector.Patience);

    internal static void Utf8((string Where, string What) result, IBufferWriter<byte> output) => output.Write(Encoding.UTF8.GetBytes(result.What));

    internal static void Utf8(string result, IBufferWriter<byte> output) => output.Write(Encoding.UTF8.GetBytes(result));
}
