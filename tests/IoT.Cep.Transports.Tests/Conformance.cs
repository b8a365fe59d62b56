using IoT.Cep.Ingest;

namespace IoT.Cep;

/// <summary>The two that listen for MQTT: what the protocol says of a server holds for both.</summary>
internal sealed class ListeningServer : IAsyncDisposable
{
    private readonly IAsyncDisposable _server;

    private ListeningServer(IAsyncDisposable server, int port) => (_server, Port) = (server, port);

    internal int Port { get; }

    internal static async Task<ListeningServer> StartAsync(string which)
    {
        if (which == "broker")
        {
            var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
            return new ListeningServer(broker, broker.Port);
        }

        var ingest = IngestServer.Start(new Collector());
        return new ListeningServer(ingest, ingest.Port);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
