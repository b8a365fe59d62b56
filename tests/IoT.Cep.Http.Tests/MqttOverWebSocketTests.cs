using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using MQTTnet;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>MQTT at a path of a web application.</summary>
public sealed class MqttOverWebSocketTests
{
    [Fact]
    public async Task The_embedded_broker_serves_clients_that_come_by_websocket()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await using var app = await StartAsync(a => a.MapMqtt("/mqtt", broker));
        using var client = await ConnectAsync(app);
        var got = new TaskCompletionSource<string>();
        client.ApplicationMessageReceivedAsync += e =>
        {
            got.TrySetResult(e.ApplicationMessage.ConvertPayloadToString());
            return Task.CompletedTask;
        };
        await client.SubscribeAsync("plant/+", MqttQualityOfServiceLevel.AtLeastOnce);
        await client.PublishStringAsync("plant/1", "21.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal("21.5", await got.Task.WaitAsync(Collector.Patience));
    }

    [Fact]
    public async Task The_ingest_endpoint_takes_messages_that_come_by_websocket()
    {
        var endpoint = new MqttIngestEndpoint(new MqttIngestOptions { Port = 0 });
        var got = new TaskCompletionSource<Sample>();
        await using var engine = new CepEngine(cep =>
            cep.From(endpoint.Subscribe("t/{sensor}", Json.Decode<Sample>())).WithArrivalTime().Subscribe(s => got.TrySetResult(s)));
        await engine.StartAsync();
        await using var app = await StartAsync(a => a.MapMqtt("/mqtt", endpoint));
        using var client = await ConnectAsync(app);
        await client.PublishStringAsync("t/a", """{"v":1}""", MqttQualityOfServiceLevel.ExactlyOnce);
        Assert.Equal(new Sample("a", 1), await got.Task.WaitAsync(Collector.Patience));
    }

    [Fact]
    public async Task Other_requests_and_pages_of_elsewhere_are_refused()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await using var app = await StartAsync(a => a.MapMqtt("/mqtt", broker, "https://portal.example"));
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        Assert.Equal(400, (int)(await http.GetAsync(new Uri("/mqtt", UriKind.Relative))).StatusCode);
        Assert.Equal(101, await StatusAsync(app, "https://portal.example"));
        Assert.Equal(403, await StatusAsync(app, "https://elsewhere.example"));
    }

    private static async Task<int> StatusAsync(WebApplication app, string origin)
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("mqtt");
        socket.Options.SetRequestHeader("Origin", origin);
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(Address(app), CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // Its status says why.
        }

        return (int)socket.HttpStatusCode;
    }

    private static async Task<IMqttClient> ConnectAsync(WebApplication app)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithWebSocketServer(o => o.WithUri(Address(app).ToString())).Build());
        return client;
    }

    private static Uri Address(WebApplication app) => new(app.Urls.First().Replace("http://", "ws://", StringComparison.Ordinal) + "/mqtt");

    private static async Task<WebApplication> StartAsync(Action<WebApplication> map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.Listen(System.Net.IPAddress.Loopback, 0));
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return app;
    }
}
