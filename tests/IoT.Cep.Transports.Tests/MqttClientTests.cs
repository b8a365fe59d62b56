using System.Buffers;
using IoT.Cep.Extensibility;
using MQTTnet.Exceptions;
using MQTTnet.Packets;

namespace IoT.Cep;

public sealed class MqttClientTests
{
    [MosquittoFact]
    public async Task Programs_of_a_group_share_the_messages()
    {
        await using var broker = await Mosquitto.StartAsync();
        await using var one = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(broker.Port, o => o.ClientId = "one"), "$share/group/plant/{line}/{sensor}");
        await using var two = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(broker.Port, o => o.ClientId = "two"), "$share/group/plant/{line}/{sensor}");
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        await sink.SendAsync([.. Enumerable.Range(0, 200).Select(i => ("plant/1/t", $"{i}"))]);

        var texts = new HashSet<string>();
        var (first, second) = (one.Collector.NextAsync(), two.Collector.NextAsync());
        int fromOne = 0;
        while (texts.Count < 200)
        {
            bool isOne = await Task.WhenAny(first, second) == first;
            var message = await (isOne ? first : second);
            Assert.Equal(("plant/1/t", "plant/{line}/{sensor}"), (message.Topic, message.Template));
            Assert.True(texts.Add(message.Text), "A message came twice.");
            fromOne += isOne ? 1 : 0;
            if (texts.Count < 200)
            {
                _ = isOne ? first = one.Collector.NextAsync() : second = two.Collector.NextAsync();
            }
        }

        Assert.InRange(fromOne, 1, 199);
    }

    [Theory]
    [Brokers(embedded: true)]
    [Brokers(embedded: false)]
    public async Task The_broker_says_the_will_of_a_connection_that_is_lost(bool embedded, MqttProtocol protocol, MqttQualityOfService qualityOfService)
    {
        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        await using var watcher = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(broker.Port), "status/+", qualityOfService);
        await using var cable = new CuttableProxy(broker.Port);
        await using (await Publisher.OpenAsync(Willing("orderly")))
        {
        }

        await using var sink = await Publisher.OpenAsync(Willing("lost"));
        cable.Cut();
        var said = await watcher.Collector.NextAsync();
        Assert.Equal(("status/lost", "offline"), (said.Topic, said.Text));

        Connections Willing(string name) => RunningTransport.To(cable.Port, o =>
        {
            o.ProtocolVersion = protocol;
            o.Will = new MqttWill { Topic = "status/" + name, Payload = "offline"u8.ToArray(), QualityOfService = qualityOfService, Retained = false };
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Headers_and_media_type_reach_the_subscriber(bool embedded)
    {
        if (!embedded && Needs.WithoutMosquitto is not null)
        {
            return;
        }

        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "a/{x}");
        await using var sink = await Publisher.OpenAsync(connections, new MqttPublishOptions<(string Topic, string Text)>
        {
            ContentType = "text/plain",
            Expiry = TimeSpan.FromMinutes(1),
            Headers = m => [new("unit", "°C"), new("of", m.Text), new("unit", "K")],
        });
        await sink.SendAsync(("a/b", "7"));

        var message = await source.Collector.NextAsync();
        Assert.Equal("text/plain", message.ContentType);
        Assert.Equal([new("unit", "°C"), new("of", "7"), new("unit", "K")], message.Headers);
    }

    [Theory]
    [InlineData(MqttQualityOfService.AtMostOnce)]
    [InlineData(MqttQualityOfService.AtLeastOnce)]
    public async Task Long_topics_are_sent_once_for_each_connection(MqttQualityOfService qualityOfService)
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var cable = new CuttableProxy(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(broker.Port), "#", qualityOfService);
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(cable.Port, o => o.TopicAliasMaximum = 2), qualityOfService);
        (string, string)[] messages = [.. Enumerable.Range(0, 300).Select(i => ($"a/rather/long/topic/{i % 3}", $"{i}"))];
        await sink.SendAsync(messages);
        Assert.Equal(messages, (await source.Collector.TakeAsync(300)).Select(m => (m.Topic, m.Text)));

        // On the next connection the broker knows no number: the first message says its topic again.
        cable.Cut();
        bool isSent = false;
        while (!isSent)
        {
            var failure = await Record.ExceptionAsync(() => sink.SendAsync(("a/rather/long/topic/1", "again")));
            isSent = failure is null && (qualityOfService != MqttQualityOfService.AtMostOnce || !source.Collector.IsEmpty);
            Assert.True(failure is null || MqttFailure.IsTransient(failure));
            await Task.Yield();
        }

        Assert.Equal(("a/rather/long/topic/1", "again"), await source.Collector.NextAsync() is var m ? (m.Topic, m.Text) : default);
    }

    [Fact]
    public void A_topics_number_stands_for_it_from_the_second_message_on()
    {
        var aliases = new TopicAliases();
        aliases.Clear(1);
        Assert.Equal(("plant/one", 1), Shorten("plant/one"));
        Assert.Equal(("", 1), Shorten("plant/one"));
        Assert.Equal(("plant/two", 0), Shorten("plant/two"));
        aliases.Clear(0);
        Assert.Equal(("plant/one", 0), Shorten("plant/one"));

        (string, int) Shorten(string topic) => aliases.Shorten(new MQTTnet.MqttApplicationMessage { Topic = topic }) is var m ? (m.Topic, m.TopicAlias) : default;
    }

    [Fact]
    public async Task The_brokers_numbers_are_replaced_by_their_topics_and_unknown_ones_end_the_connection()
    {
        var collector = new Collector();
        var session = new InboundSession(collector) { TopicAliasMaximum = 2 };
        session.Connected(null!, null!, sessionPresent: false);
        await session.Receive(Packet("plant/one", 2));
        await session.Receive(Packet("", 2));
        await session.Receive(Packet("plant/two", 2));
        await session.Receive(Packet("", 2));
        Assert.Equal(["plant/one", "plant/one", "plant/two", "plant/two"], (await collector.TakeAsync(4)).Select(m => m.Topic));
        await Assert.ThrowsAsync<MqttProtocolViolationException>(() => session.Receive(Packet("", 1)).AsTask());
        await Assert.ThrowsAsync<MqttProtocolViolationException>(() => session.Receive(Packet("a", 3)).AsTask());
        await Assert.ThrowsAsync<MqttProtocolViolationException>(() => session.Receive(Packet("", 0)).AsTask());
        session.Connected(null!, null!, sessionPresent: true);
        await Assert.ThrowsAsync<MqttProtocolViolationException>(() => session.Receive(Packet("", 2)).AsTask());

        static MqttPublishPacket Packet(string topic, ushort alias) => new() { Topic = topic, TopicAlias = alias, Payload = new ReadOnlySequence<byte>("x"u8.ToArray()) };
    }

    [Theory]
    [InlineData(MqttProtocol.V5, MqttRetained.WhenNew, true, true, false)]
    [InlineData(MqttProtocol.V5, MqttRetained.Always, true, true, true)]
    [InlineData(MqttProtocol.V5, MqttRetained.Never, true, false, false)]
    [InlineData(MqttProtocol.V311, MqttRetained.WhenNew, true, true, true)]
    [InlineData(MqttProtocol.V311, MqttRetained.Never, true, false, false)]
    [InlineData(MqttProtocol.V5, MqttRetained.WhenNew, false, true, false)]
    [InlineData(MqttProtocol.V5, MqttRetained.Always, false, true, true)]
    [InlineData(MqttProtocol.V5, MqttRetained.Never, false, false, false)]
    public async Task Retained_messages_come_as_the_source_wants_them(MqttProtocol protocol, MqttRetained retained, bool embedded, bool atFirst, bool atSecond)
    {
        if (!embedded && Needs.WithoutMosquitto is not null)
        {
            return;
        }

        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        var connections = RunningTransport.To(broker.Port, o => (o.ProtocolVersion, o.ClientId) = (protocol, "one"));
        await using var keeper = await Publisher.OpenAsync(connections, retained: true);
        await keeper.SendAsync(("a", "kept"));
        await using var sink = await Publisher.OpenAsync(connections);
        foreach (bool comes in new[] { atFirst, atSecond })
        {
            await using var source = await RunningTransport.StartAsync(new Collector(), connections, "a", new MqttSubscribeOptions { Retained = retained });
            await sink.SendAsync(("a", "live"));
            var texts = new List<string> { (await source.Collector.NextAsync()).Text };
            if (texts[0] == "kept")
            {
                texts.Add((await source.Collector.NextAsync()).Text);
            }

            Assert.Equal(comes ? ["kept", "live"] : (string[])["live"], texts);
        }
    }

    [Theory]
    [InlineData("$share/group")]
    [InlineData("$share//a")]
    [InlineData("$share/a+b/c")]
    [InlineData("a/{x}y")]
    [InlineData("a/{*x}/b")]
    [InlineData("a+")]
    public void A_malformed_filter_is_refused(string filter) => Assert.Throws<ArgumentException>(() => new MqttTransport([filter]));

    [Fact]
    public void A_shared_subscription_cannot_leave_out_local_messages() =>
        Assert.Throws<ArgumentException>(() => new MqttTransport(["$share/g/a"], new MqttSubscribeOptions { NoLocal = true }));

    [MosquittoFact]
    public async Task A_session_survives_the_restart_of_program_and_broker()
    {
        var folder = Directory.CreateTempSubdirectory("mosquitto-data");
        string settings = $"allow_anonymous true\npersistence true\nautosave_interval 1\nautosave_on_changes true\npersistence_location {folder.FullName}/";
        int port = Mosquitto.FreePort();
        var connections = RunningTransport.To(port, o => o.ClientId = "unit");
        var broker = await Mosquitto.StartAsync(settings, port, isKept: true);
        var held = new Collector { AcknowledgeAtOnce = false };
        await using (await RunningTransport.StartAsync(held, connections, "a"))
        {
            await using var sink = await Publisher.OpenAsync(connections);
            await sink.SendAsync(("a", "1"), ("a", "2"), ("a", "3"));
            (await held.NextAsync()).Acknowledge();
            await held.TakeAsync(2);
        }

        await broker.StopAsync();
        broker = await Mosquitto.StartAsync(settings, port, isKept: true);
        await using (var source = await RunningTransport.StartAsync(new Collector(), connections, "a"))
        {
            Assert.Equal(["2", "3"], (await source.Collector.TakeAsync(2)).Select(m => m.Text));
        }

        await broker.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [MosquittoFact]
    public async Task Mosquitto_checks_the_password()
    {
        string file = Path.GetTempFileName();
        using (var process = System.Diagnostics.Process.Start("mosquitto_passwd", ["-c", "-b", file, "unit", "right"]))
        {
            await process.WaitForExitAsync();
        }

        await using var broker = await Mosquitto.StartAsync($"allow_anonymous false\npassword_file {file}");
        Connections With(string password) => RunningTransport.To(broker.Port, o => (o.UserName, o.Password, o.AllowPlainTextPassword) = ("unit", password, true));
        await using (var sink = await Publisher.OpenAsync(With("right")))
        {
            await sink.SendAsync(("a", "1"));
        }

        await Assert.ThrowsAnyAsync<Exception>(() => Publisher.OpenAsync(With("wrong")));
        File.Delete(file);
    }
}
