using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using IoT.Reference.Contracts;
using MQTTnet;
using MQTTnet.Protocol;

namespace IoT.Reference.DeviceManager.Tests;

/// <summary>Any number of devices on one connection: they answer each command as they are told to.</summary>
internal sealed class FakeFleet : IAsyncDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly Func<DeviceCommand, CommandAck?> _answer;

    private FakeFleet(Func<DeviceCommand, CommandAck?> answer) => _answer = answer;

    /// <summary>All that came.</summary>
    public ConcurrentQueue<DeviceCommand> Commands { get; } = new();

    public static async Task<FakeFleet> StartAsync(Uri bus, Func<DeviceCommand, CommandAck?>? answer = null, string devices = "+")
    {
        var fleet = new FakeFleet(answer ?? (c => new CommandAck(c.Id, CommandOutcome.Done)));
        fleet._client.ApplicationMessageReceivedAsync += fleet.ObeyAsync;
        await fleet._client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer(bus.Host, bus.Port).WithClientId("fleet-" + devices.Length).WithCredentials("fleet", "any").Build());
        await fleet._client.SubscribeAsync(new MqttClientSubscribeOptionsBuilder()
            .WithTopicFilter(Topics.Of(Topics.Commands, devices), MqttQualityOfServiceLevel.AtLeastOnce)
            .WithTopicFilter(Topics.Of(Topics.Desired, devices), MqttQualityOfServiceLevel.AtLeastOnce).Build());
        return fleet;
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisconnectAsync();
        _client.Dispose();
    }

    private Task ObeyAsync(MqttApplicationMessageReceivedEventArgs e)
    {
        if (!e.ApplicationMessage.Topic.StartsWith("commands/", StringComparison.Ordinal))
        {
            return Task.CompletedTask;
        }

        var command = JsonSerializer.Deserialize(e.ApplicationMessage.Payload.ToArray(), WireJson.Default.DeviceCommand)!;
        Commands.Enqueue(command);
        if (_answer(command) is { } ack)
        {
            // At most once, and not awaited here: the connection's own loop has to read the acknowledgement of one that is sent at least once.
            return _client.PublishAsync(new MqttApplicationMessage
            {
                Topic = Topics.Of(Topics.Acks, command.Device),
                Payload = new ReadOnlySequence<byte>(JsonSerializer.SerializeToUtf8Bytes(ack, WireJson.Default.CommandAck)),
            });
        }

        return Task.CompletedTask;
    }
}
