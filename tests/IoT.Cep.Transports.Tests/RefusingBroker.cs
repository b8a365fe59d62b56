using System.Collections.Concurrent;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>A broker that answers as a test says, and remembers every message that it was sent.</summary>
internal sealed class RefusingBroker : IAsyncDisposable
{
    private readonly MqttServer _server;
    private readonly ConcurrentQueue<string> _received = new();

    private RefusingBroker(MqttServer server, int port)
    {
        _server = server;
        Port = port;
    }

    internal int Port { get; }

    /// <summary>The topics of the messages that came, refused ones included.</summary>
    internal IReadOnlyCollection<string> Received => _received;

    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync(new MqttServerStopOptions());
        _server.Dispose();
    }

    /// <param name="answer">The answer to a message of a topic that came for the n-th time; <c>UnspecifiedError</c> ends the connection instead.</param>
    internal static async Task<RefusingBroker> StartAsync(Func<string, int, MqttPubAckReasonCode> answer)
    {
        int port = Mosquitto.FreePort();
        var server = new MqttServerFactory().CreateMqttServer(
            new MqttServerOptionsBuilder().WithDefaultEndpoint().WithDefaultEndpointPort(port).Build());
        var broker = new RefusingBroker(server, port);
        server.InterceptingPublishAsync += e =>
        {
            string topic = e.ApplicationMessage.Topic;
            broker._received.Enqueue(topic);
            e.Response.ReasonCode = answer(topic, broker._received.Count(t => t == topic));
            e.ProcessPublish = e.Response.ReasonCode == MqttPubAckReasonCode.Success;
            e.CloseConnection = e.Response.ReasonCode == MqttPubAckReasonCode.UnspecifiedError;
            return Task.CompletedTask;
        };
        await server.StartAsync();
        return broker;
    }
}
