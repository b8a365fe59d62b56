using System.Buffers;
using System.Text;
using System.Threading.Channels;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace IoT.Reference.Bus;

/// <summary>What an MQTT client got.</summary>
internal sealed record Arrived(string Topic, string Body, string? ContentType, string? Trace, bool IsRetained);

/// <summary>An MQTT 5 client of a test.</summary>
internal sealed class MqttPeer : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly Channel<Arrived> _arrived = Channel.CreateUnbounded<Arrived>();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MqttPeer()
    {
        _client.ApplicationMessageReceivedAsync += e =>
        {
            var message = e.ApplicationMessage;
            string? trace = message.UserProperties?.Find(p => p.Name == "traceparent") is { } property ? Encoding.UTF8.GetString(property.ValueBuffer.Span) : null;
            _arrived.Writer.TryWrite(new Arrived(message.Topic, Encoding.UTF8.GetString(message.Payload.ToArray()), message.ContentType, trace, message.Retain));
            return Task.CompletedTask;
        };
        _client.DisconnectedAsync += _ =>
        {
            _gone.TrySetResult();
            return Task.CompletedTask;
        };
    }

    /// <summary>Complete when the connection is over.</summary>
    internal Task Gone => _gone.Task;

    internal static async Task<MqttPeer> ConnectAsync(Uri bus, string id, string secret = "secret", string? clientId = null)
    {
        var peer = new MqttPeer();
        Assert.Equal(MqttClientConnectResultCode.Success, await peer.TryConnectAsync(bus, id, secret, clientId ?? id));
        return peer;
    }

    internal static async Task<bool> MayConnectAsync(Uri bus, string id, string secret = "secret")
    {
        await using var peer = new MqttPeer();
        return await peer.TryConnectAsync(bus, id, secret, id) == MqttClientConnectResultCode.Success;
    }

    internal async Task<bool> TrySubscribeAsync(string filter)
    {
        var result = await _client.SubscribeAsync(new MqttClientSubscribeOptionsBuilder().WithTopicFilter(filter, MqttQualityOfServiceLevel.AtLeastOnce).Build());
        return result.Items.All(i => i.ResultCode <= MqttClientSubscribeResultCode.GrantedQoS2);
    }

    internal async Task<bool> TryPublishAsync(string topic, string body, string contentType = "application/json", string? trace = null, bool isRetained = false)
    {
        var message = new MqttApplicationMessageBuilder().WithTopic(topic).WithPayload(body).WithContentType(contentType)
            .WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce).WithRetainFlag(isRetained);
        if (trace is not null)
        {
            message.WithUserProperty("traceparent", Encoding.UTF8.GetBytes(trace));
        }

        return (await _client.PublishAsync(message.Build())).IsSuccess;
    }

    internal Task<Arrived> NextAsync() => _arrived.Reader.ReadAsync().AsTask().WaitAsync(_patience);

    internal bool HasNone => !_arrived.Reader.TryPeek(out _);

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<MqttClientConnectResultCode> TryConnectAsync(Uri bus, string id, string secret, string clientId)
    {
        var options = new MqttClientOptionsBuilder().WithClientId(clientId).WithCredentials(id, secret).WithProtocolVersion(MqttProtocolVersion.V500).WithTimeout(_patience);
        options = bus.Scheme == "ws" ? options.WithWebSocketServer(web => web.WithUri(bus.ToString())) : options.WithTcpServer(bus.Host, bus.Port);
        return (await _client.ConnectAsync(options.Build())).ResultCode;
    }
}
