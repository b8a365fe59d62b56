using IoT.Cep.Extensibility;

namespace IoT.Cep;

public sealed class BridgeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bridge");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Messages_pass_from_broker_to_broker_with_new_topics_and_what_stands_beside_them()
    {
        await using var plant = await EmbeddedBroker.StartAsync();
        await using var cloud = await EmbeddedBroker.StartAsync();
        await using var engine = Engine(plant.Port, cloud.Port);
        var bridge = engine.Bridge(
            Mqtt.Subscribe("plant/#", Message.Decode(), connection: "a"), Mqtt.PublishMessages(connection: "b"),
            b => b.Map("plant/{line}/{sensor}", "factory/{sensor}/of-{line}").Where = m => m.Text != "no");
        await using var application = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(cloud.Port), "factory/#");
        await StartAsync(engine);
        await using var device = await Publisher.OpenAsync(RunningTransport.To(plant.Port));
        await device.SendAsync(("plant/7/temp", "1"), ("plant/7/temp", "no"), ("plant/other", "2"), ("plant/8/hum", "3"));

        Assert.Equal(["factory/temp/of-7=1", "factory/hum/of-8=3"], (await application.Collector.TakeAsync(2)).Select(r => $"{r.Topic}={r.Text}"));
        Assert.Equal((2, 2, 0), (bridge.Passed, bridge.Filtered, bridge.Returned));
    }

    [Fact]
    public async Task Two_bridges_of_one_name_pass_each_message_once()
    {
        await using var plant = await EmbeddedBroker.StartAsync();
        await using var cloud = await EmbeddedBroker.StartAsync();
        await using var engine = Engine(plant.Port, cloud.Port);
        var there = engine.Bridge(Mqtt.Subscribe("x/#", Message.Decode(), connection: "a"), Mqtt.PublishMessages(connection: "b"), b => b.Name = "pair");
        var back = engine.Bridge(Mqtt.Subscribe("x/#", Message.Decode(), connection: "b"), Mqtt.PublishMessages(connection: "a"), b => b.Name = "pair");
        await using var application = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(cloud.Port), "x/#");
        await StartAsync(engine);
        await using var device = await Publisher.OpenAsync(RunningTransport.To(plant.Port));
        await device.SendAsync(("x/1", "1"), ("x/2", "2"));
        await application.Collector.TakeAsync(2);
        await Until(() => back.Returned == 2);

        Assert.Equal((2, 0), (there.Passed, back.Passed));
        Assert.True(application.Collector.IsEmpty);
    }

    [Fact]
    public async Task Two_bridges_without_headers_pass_each_message_once_where_their_topics_say_where_it_is_from()
    {
        await using var plant = await EmbeddedBroker.StartAsync();
        await using var cloud = await EmbeddedBroker.StartAsync();
        await using var engine = Engine(plant.Port, cloud.Port, MqttProtocol.V311);
        var there = engine.Bridge(Mqtt.Subscribe("x/#", Message.Decode(), connection: "a"), Mqtt.PublishMessages(connection: "b"), b => b.Map("x/{*rest}", "from-a/{rest}"));
        var back = engine.Bridge(Mqtt.Subscribe("x/#", Message.Decode(), connection: "b"), Mqtt.PublishMessages(connection: "a"), b => b.Map("x/{*rest}", "from-b/{rest}"));
        await using var application = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(cloud.Port), "from-a/#");
        await StartAsync(engine);
        await using var device = await Publisher.OpenAsync(RunningTransport.To(plant.Port));
        await using var clerk = await Publisher.OpenAsync(RunningTransport.To(cloud.Port));
        await clerk.SendAsync(("x/order", "o"));
        await device.SendAsync(("x/1", "1"), ("x/2", "2"));
        await application.Collector.TakeAsync(2);
        await Until(() => back.Passed == 1);

        Assert.Equal((2, 0, 0), (there.Passed, there.Returned, back.Returned));
        Assert.True(application.Collector.IsEmpty);
    }

    [Fact]
    public async Task A_message_is_acknowledged_when_the_far_side_has_it()
    {
        await using var plant = await EmbeddedBroker.StartAsync();
        var cloud = await EmbeddedBroker.StartAsync();
        int port = cloud.Port;
        await using var engine = Engine(plant.Port, port);
        engine.Bridge(Mqtt.Subscribe("x/#", Message.Decode(), connection: "a"), Mqtt.PublishMessages(connection: "b"));
        await StartAsync(engine);
        await cloud.DisposeAsync();
        await using var device = await Publisher.OpenAsync(RunningTransport.To(plant.Port));
        await device.SendAsync(("x/1", "1"));
        await Until(() => engine.Sources[0].Received == 1 && engine.Queries[0].Sink!.Retries > 0);
        Assert.Equal(1, engine.Sources[0].Unacknowledged);

        await using var again = await EmbeddedBroker.StartAsync(o => o.Port = port);
        await Until(() => engine.Sources[0].Unacknowledged == 0);
        Assert.Equal(1, again.Broker.Received);
    }

    [Fact]
    public async Task A_message_waits_on_disk_while_the_far_side_is_away_and_its_sender_is_told_that_it_is_safe()
    {
        await using var plant = await EmbeddedBroker.StartAsync();
        var cloud = await EmbeddedBroker.StartAsync();
        int port = cloud.Port;
        await cloud.DisposeAsync();
        await using var engine = Engine(plant.Port, port);
        engine.Bridge(
            Mqtt.Subscribe("x/#", Message.Decode(), connection: "a"),
            Mqtt.PublishMessages(connection: "b").StoreAndForward(_folder.FullName, new StoreAndForwardOptions { DrainTimeout = TimeSpan.Zero }));
        await StartAsync(engine);
        await using var device = await Publisher.OpenAsync(RunningTransport.To(plant.Port));
        await device.SendAsync(("x/1", "1"), ("x/2", "2"));
        await Until(() => engine.Sources[0] is { Received: 2, Unacknowledged: 0 });

        await using var again = await EmbeddedBroker.StartAsync(o => o.Port = port);
        await Until(() => again.Broker.Received == 2);
    }

    [Fact]
    public async Task A_ring_of_bridges_ends_after_so_many_hops()
    {
        await using var engine = new CepEngine();
        var sink = new Observed<Message>();
        var message = new Message("a", "x"u8.ToArray()).WithHeader("cep-via", "b1,b2,b3");
        engine.Bridge(Source.FromMemory<Message>(new[] { message }, new long[1]), sink, b => b.MaxHops = 3);
        engine.Bridge(Source.FromMemory<Message>(new[] { message }, new long[1]), sink, b => b.MaxHops = 4);
        await engine.RunAsync();

        Assert.StartsWith("b1,b2,b3,", Assert.Single(sink.Results).Header("CEP-VIA"), StringComparison.Ordinal);
        Assert.Equal(1, engine.DeadLetters.CountOf(DeadLetterReason.QueryError));
    }

    [Theory]
    [InlineData("a/{x}", "b/{y}")]
    [InlineData("a/{x}", "b/+")]
    [InlineData("a/{x}", "b/{x")]
    [InlineData("a/{x", "b")]
    public void A_map_that_cannot_work_is_refused(string from, string to) => Assert.Throws<ArgumentException>(() => new BridgeOptions().Map(from, to));

    [Fact]
    public void A_message_survives_its_codec_and_shows_nothing_raw()
    {
        var message = new Message("a/\u001b", "\u001b[2J"u8.ToArray())
        {
            ContentType = "text/plain",
            Headers = [new("k", "v"), new("k", "w")],
            Received = DateTimeOffset.UnixEpoch,
            Sent = DateTimeOffset.UnixEpoch.AddSeconds(1),
            Sender = "me",
        };
        var writer = new StateWriter();
        StateCodec.Find<Message>()!.Write(writer, message);
        Assert.Equal(message, StateCodec.Find<Message>()!.Read(new StateReader(writer.Written)));
        Assert.Equal("v", message.Header("K"));
        Assert.DoesNotContain(message.ToString(), char.IsControl);
    }

    private static CepEngine Engine(int a, int b, MqttProtocol protocol = MqttProtocol.V5)
    {
        var engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(1) });
        engine.Mqtt(o => (o.Host, o.Port, o.ClientId, o.ReconnectMin, o.ProtocolVersion) = ("127.0.0.1", a, "bridge", TimeSpan.FromMilliseconds(50), protocol), "a");
        engine.Mqtt(
            o => (o.Host, o.Port, o.ClientId, o.ReconnectMin, o.ConnectTimeout, o.ProtocolVersion) = ("127.0.0.1", b, "bridge", TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2), protocol), "b");
        return engine;
    }

    private static async Task StartAsync(CepEngine engine)
    {
        await engine.StartAsync();
        await Until(() => engine.Sources.All(s => s.IsConnected));
    }

    private static async Task Until(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }
}
