using System.Globalization;
using System.Text;
using MQTTnet;
using MQTTnet.Protocol;

namespace IoT.Cep.EndToEnd.Tests;

/// <summary>Publishes readings as devices do, QoS 1, and publishes again what was not acknowledged.</summary>
internal sealed class Publisher(int port) : IAsyncDisposable
{
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();

    /// <summary>Reading number i: its temperature is its number, so that each can be told apart in the database.</summary>
    internal static (string Topic, string Payload) Reading(int i)
    {
        string sensor = $"s{i % 10}";
        var time = _start.AddMilliseconds(i * 100);
        return i % 2 == 0
            ? ($"city/{sensor}/json", string.Create(CultureInfo.InvariantCulture, $$"""{"time":"{{time:O}}","sensor":"{{sensor}}","temperature":{{i}},"humidity":40}"""))
            : ($"city/{sensor}/senml", string.Create(CultureInfo.InvariantCulture, $$"""[{"bn":"{{sensor}}","bt":{{time.ToUnixTimeMilliseconds() / 1000.0}},"n":"temperature","v":{{i}}},{"n":"humidity","v":41}]"""));
    }

    internal Task PublishAsync(int i)
    {
        var (topic, payload) = Reading(i);
        return PublishAsync(topic, Encoding.UTF8.GetBytes(payload));
    }

    internal async Task PublishAsync(string topic, byte[] payload)
    {
        while (true)
        {
            try
            {
                if (!_client.IsConnected)
                {
                    await _client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", port).Build());
                }

                var result = await _client.PublishAsync(new MqttApplicationMessageBuilder()
                    .WithTopic(topic).WithPayload(payload).WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce).Build());
                if (result.IsSuccess)
                {
                    return;
                }
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                // The broker is away: the same reading again, until it is acknowledged.
                await Task.Yield();
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }
}
