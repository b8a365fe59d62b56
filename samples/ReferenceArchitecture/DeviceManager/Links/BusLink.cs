using System.Reactive.Subjects;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;

using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Links;

/// <summary>What the layer says on the bus and hears there, by MQTT only: it is a client like any other.</summary>
internal sealed class BusLink : IAsyncDisposable
{
    private const int MaxMessageBytes = 64 * 1024, MaxWaiting = 65_536;

    private readonly DeviceManagerOptions _options;
    private readonly CepEngine _engine;
    private readonly Subject<Message> _messages = new(), _retained = new();
    private readonly Channel<(Message Message, bool IsRetained)> _waiting =
        Channel.CreateBounded<(Message, bool)>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private Task _telling = Task.CompletedTask;

    public BusLink(DeviceManagerOptions options)
    {
        _options = options;
        _engine = new CepEngine(new CepEngineOptions
        {
            DrainTimeout = TimeSpan.FromSeconds(5),
            LoggerFactory = options.Logging,

            // One message that can't be dealt with (the disk is full, say) is a dead letter, and the next one is heard.
            ErrorPolicy = ErrorPolicy.Skip,
        });
    }

    /// <summary>Connects; goes on without the bus after some seconds, and connects when it is there. What is given is called one after the other, for each kind of message.</summary>
    public async Task StartAsync(
        Action<string, CommandAck> acked, Action<string, ReportedState> reported, Action<Presence> changed, Action<string> heard, CancellationToken stop)
    {
        _engine.Mqtt(o =>
        {
            (o.Host, o.Port, o.ClientId) = (_options.Bus.Host, _options.Bus.Port, AuditLog.Layer);
            (o.UserName, o.Password) = (_options.Service.Id, _options.Service.Secret);
            o.AllowPlainTextPassword = _options.Bus.IsLoopback;
            o.Tls = _options.Bus.Scheme == "mqtts" ? new MqttTlsOptions { CaFile = _options.BusCaFile } : null;
        });
        Hear(Topics.Acks, WireJson.Default.CommandAck, acked);
        Hear(Topics.Reported, WireJson.Default.ReportedState, reported);
        Hear(Topics.Presence, WireJson.Default.Presence, (device, presence) => changed(presence with { Device = device }));
        _engine.From(Mqtt.Subscribe(Topics.Filter(Topics.Telemetry), Message.Decode(MaxMessageBytes), MqttQualityOfService.AtMostOnce)).Subscribe(m => heard(DeviceOf(m)));
        _engine.From(Source.FromObservable(_messages, "messages")).To(Mqtt.PublishMessages(), name: "messages");
        _engine.From(Source.FromObservable(_retained, "retained")).To(Mqtt.PublishMessages(retained: true), name: "retained");
        await _engine.StartAsync(stop);
        await _engine.ConnectedAsync(stop);
        _telling = Task.Run(TellAsync, CancellationToken.None);
    }

    /// <summary>Says something; false: too much waits already, since the bus is away.</summary>
    public bool TrySend<T>(string topic, T body, JsonTypeInfo<T> json, bool isRetained = false) =>
        _waiting.Writer.TryWrite((new Message(topic, JsonSerializer.SerializeToUtf8Bytes(body, json)) { ContentType = "application/json" }, isRetained));

    /// <summary>Takes back what was retained.</summary>
    public bool TryForget(string topic) => _waiting.Writer.TryWrite((new Message(topic, ReadOnlyMemory<byte>.Empty), true));

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();

        // Where the bus is away this waits for nobody: commands are in the store, and go out after the next start.
        await Task.WhenAny(_telling, Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System));
        await _engine.DisposeAsync();
        await _telling;
        _messages.Dispose();
        _retained.Dispose();
    }

    private static string DeviceOf(Message message) => message.Topic[(message.Topic.IndexOf('/', StringComparison.Ordinal) + 1)..];

    private void Hear<T>(string topic, JsonTypeInfo<T> json, Action<string, T> heard) =>
        _engine.From(Mqtt.Subscribe(Topics.Filter(topic), Message.Decode(MaxMessageBytes))).Subscribe(message =>
        {
            if (Read(message, json) is { } body && DeviceIds.IsValid(DeviceOf(message)))
            {
                heard(DeviceOf(message), body);
            }
        });

    private static T? Read<T>(Message message, JsonTypeInfo<T> json)
    {
        try
        {
            return message.Body.IsEmpty ? default : JsonSerializer.Deserialize(message.Body.Span, json);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    // On a thread of its own: the engine slows it down by blocking it, and the engine's own threads may ask for something to be said.
    private async Task TellAsync()
    {
        await foreach (var (message, isRetained) in _waiting.Reader.ReadAllAsync())
        {
            (isRetained ? _retained : _messages).OnNext(message);
        }
    }
}
