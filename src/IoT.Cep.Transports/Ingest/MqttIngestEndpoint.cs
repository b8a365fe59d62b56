using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>
/// An MQTT server for one purpose: what devices publish goes straight into the engine, and commands go to the devices. MQTT 3.1, 3.1.1 and 5, QoS 0, 1 and 2. It is no broker: devices do not get
/// each other's messages, and nothing is retained.
/// </summary>
/// <remarks>
/// It listens while all sources that <see cref="Subscribe{T}"/> made are running, so that nothing arrives for a source that is not there yet. Thread-safe.
/// </remarks>
public sealed partial class MqttIngestEndpoint
{
    private readonly List<IngestSubscription> _subscriptions = [];
    private readonly Lock _gate = new();
    private TimeProvider _time = TimeProvider.System;

    /// <summary>Describes an endpoint; nothing listens before its sources run.</summary>
    /// <param name="options">How it listens; null: loopback, port 1883. Not changed afterwards.</param>
    /// <exception cref="InvalidOperationException">An option can't work, or the address is not safe; the message names it and the remedy.</exception>
    public MqttIngestEndpoint(MqttIngestOptions? options = null)
    {
        Options = options ?? new MqttIngestOptions();
        Options.Validate();
        CommandTemplates = [.. Options.CommandTemplates.Select(TopicTemplate.Parse)];
        Topics = new TopicPool(Options.MaxTopics, Options.MaxTopicBytes, _subscriptions);
    }

    /// <summary>The port that it listens on; 0 before it does.</summary>
    public int Port { get; private set; }

    /// <summary>Its counters.</summary>
    public MqttIngestStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new MqttIngestStatistics(
                    Volatile.Read(ref _open), _sessions.Count, _subscriptions.Sum(s => s.Received), Interlocked.Read(ref _duplicates), Interlocked.Read(ref _unmatched),
                    Interlocked.Read(ref _refused), Interlocked.Read(ref _cut), Interlocked.Read(ref _commandsAcknowledged), Interlocked.Read(ref _commandsDropped));
            }
        }
    }

    internal MqttIngestOptions Options { get; }

    internal IReadOnlyList<TopicTemplate> CommandTemplates { get; }

    internal TopicPool Topics { get; }

    internal TextPool Texts { get; } = new();

    internal BufferPool Buffers { get; } = new();

    internal ILogger Logger { get; private set; } = NullLogger.Instance;

    /// <summary>A source of the messages whose topics a template takes. Sources whose templates overlap get a message each.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="template">The template: <c>plant/{line}/{sensor}</c>. MQTT's <c>+</c> and <c>#</c> are places without a name.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <exception cref="FormatException">The template is not valid; the message says why.</exception>
    /// <exception cref="InvalidOperationException">The endpoint is listening.</exception>
    public ISource<T> Subscribe<T>(string template, Decoder<T> decoder)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        return Source.FromTransport(Add(template), decoder);
    }

    /// <summary>Sends each result as JSON, by generated code, to the devices that have subscribed to its topic.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Command</c>.</param>
    /// <param name="qualityOfService">QoS 0 or 1; a device that asked for less gets less.</param>
    public ISink<T> Publish<T>(Func<T, string> topic, JsonTypeInfo<T> json, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Publish(topic, Write, qualityOfService);

        void Write(T result, IBufferWriter<byte> output)
        {
            using var writer = new Utf8JsonWriter(output);
            JsonSerializer.Serialize(writer, result, json);
        }
    }

    /// <summary>Sends each result as JSON (camelCase), by reflection, to the devices that have subscribed to its topic.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic.</param>
    /// <param name="qualityOfService">QoS 0 or 1; a device that asked for less gets less.</param>
    [RequiresUnreferencedCode("JSON by reflection. Give a JsonTypeInfo<T>: endpoint.Publish(topic, MyJsonContext.Default.Command).")]
    [RequiresDynamicCode("JSON by reflection. Give a JsonTypeInfo<T>: endpoint.Publish(topic, MyJsonContext.Default.Command).")]
    public ISink<T> Publish<T>(Func<T, string> topic, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce) =>
        Publish(topic, (JsonTypeInfo<T>)JsonSerializerOptions.Web.GetTypeInfo(typeof(T)), qualityOfService);

    /// <summary>Sends each result as UTF-8 text to the devices that have subscribed to its topic.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic.</param>
    /// <param name="payload">Gives the text.</param>
    /// <param name="qualityOfService">QoS 0 or 1; a device that asked for less gets less.</param>
    public ISink<T> Publish<T>(Func<T, string> topic, Func<T, string> payload, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce)
    {
        ArgumentNullException.ThrowIfNull(payload);
        return Publish<T>(topic, (result, output) => Encoding.UTF8.GetBytes(payload(result), output), qualityOfService);
    }

    /// <summary>
    /// Sends each result, as bytes, to the devices that have subscribed to its topic. A result that no connected device and no kept session takes becomes a dead letter; so does one
    /// whose only devices have full queues. Commands wait in memory: the sink is not durable.
    /// </summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="qualityOfService">QoS 0 or 1; a device that asked for less gets less.</param>
    public ISink<T> Publish<T>(Func<T, string> topic, Action<T, IBufferWriter<byte>> encode, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(encode);
        return qualityOfService is MqttQualityOfService.AtMostOnce or MqttQualityOfService.AtLeastOnce
            ? new IngestCommandSink<T>(this, topic, encode, qualityOfService == MqttQualityOfService.AtLeastOnce)
            : throw new ArgumentOutOfRangeException(nameof(qualityOfService), qualityOfService, "Commands go out with QoS 0 or 1: make them safe to repeat instead.");
    }

    /// <summary>Serves a WebSocket that a web server has accepted, with the sub-protocol <c>mqtt</c>. Closes it at the end.</summary>
    /// <param name="socket">The WebSocket.</param>
    /// <param name="peer">Who is at the other side.</param>
    /// <returns>Completes when the connection has ended; it does not fail.</returns>
    public Task AcceptAsync(WebSocket socket, MqttIngestPeer peer)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ArgumentNullException.ThrowIfNull(peer);
        return ServeAsync(new WebSocketLink(socket), peer);
    }

    /// <summary>Serves a raw connection that a web server has accepted.</summary>
    /// <param name="pipe">The connection's bytes. The caller closes it when this completes.</param>
    /// <param name="peer">Who is at the other side.</param>
    /// <returns>Completes when the connection has ended; it does not fail.</returns>
    public Task AcceptAsync(IDuplexPipe pipe, MqttIngestPeer peer)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        ArgumentNullException.ThrowIfNull(peer);
        return ServeAsync(new PipeLink(pipe), peer);
    }

    internal IngestSubscription Add(string template)
    {
        var subscription = new IngestSubscription(this, TopicTemplate.Parse(template));
        lock (_gate)
        {
            if (_isListening)
            {
                throw new InvalidOperationException("The endpoint is listening: declare all its sources before the engine starts.");
            }

            _subscriptions.Add(subscription);
        }

        return subscription;
    }

    /// <summary>Completes when it listens.</summary>
    /// <param name="stop">Gives up waiting.</param>
    public Task WaitUntilListeningAsync(CancellationToken stop = default)
    {
        lock (_gate)
        {
            return _isListening ? Task.CompletedTask : _listening.Task.WaitAsync(stop);
        }
    }
}

/// <summary>MQTT sources that listen themselves: <c>cep.From(MqttIngest.Listen("plant/{line}/{sensor}", decoder, o =&gt; o.Port = 1884))</c>.</summary>
public static class MqttIngest
{
    /// <summary>
    /// A source that is an MQTT server of its own, to which devices publish. Several sources on one port, and commands to devices: make an <see cref="MqttIngestEndpoint"/>.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="template">The topics: <c>plant/{line}/{sensor}</c>. MQTT's <c>+</c> and <c>#</c> are places without a name.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="configure">Sets the options; null: loopback, port 1883.</param>
    /// <exception cref="FormatException">The template is not valid; the message says why.</exception>
    /// <exception cref="InvalidOperationException">An option can't work, or the address is not safe; the message names it and the remedy.</exception>
    public static ISource<T> Listen<T>(string template, Decoder<T> decoder, Action<MqttIngestOptions>? configure = null)
    {
        var options = new MqttIngestOptions();
        configure?.Invoke(options);
        return new MqttIngestEndpoint(options).Subscribe(template, decoder);
    }
}
