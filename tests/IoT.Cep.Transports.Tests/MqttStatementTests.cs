using System.Text;
using IoT.Cep.Ingest;

namespace IoT.Cep;

/// <summary>What the protocol demands of a server, packet by packet; named in docs/mqtt-conformance.md.</summary>
public sealed class MqttStatementTests
{
    private static readonly byte[] _anHour = [17, 0, 0, 0x0E, 0x10];

    /// <summary>MQTT-3.3.1-5 to -8, -12 and -13: what is kept for later subscribers.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task The_last_retained_message_of_a_topic_is_kept_and_an_empty_one_removes_it(int version)
    {
        var level = (Level)version;
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var live = await Device.ConnectAsync(broker.Port, level, "live");
        await live.SendAsync(Packets.Subscribe(level, 1, ("#", 1)));
        await live.NextAsync(0x90);
        using var publisher = await Device.ConnectAsync(broker.Port, level, "publisher");
        (string Topic, string Text, bool Retained)[] messages = [("t/1", "one", true), ("t/1", "two", true), ("t/2", "gone", true), ("t/2", "", true), ("t/3", "live", false)];
        for (int i = 0; i < messages.Length; i++)
        {
            await publisher.SendAsync(Packets.Publish(level, messages[i].Topic, messages[i].Text, 1, i + 1, retained: messages[i].Retained));
            await publisher.NextAsync(0x40);

            // What is forwarded at once does not say that it is retained.
            byte[] forwarded = await live.NextAsync(0x32);
            Assert.EndsWith(Convert.ToHexString(Encoding.UTF8.GetBytes(messages[i].Text)), Convert.ToHexString(forwarded), StringComparison.Ordinal);
        }

        using var later = await Device.ConnectAsync(broker.Port, level, "later");
        await later.SendAsync(Packets.Subscribe(level, 1, ("t/+", 1)), Packets.Ping);
        var retained = new List<string>();
        for (int answers = 0; answers < 2;)
        {
            var (first, body) = (await later.ReadAsync())!.Value;
            answers += first is 0x90 or 0xD0 ? 1 : 0;
            if ((first & 0xF0) == 0x30)
            {
                Assert.Equal(0x33, first);
                retained.Add(Encoding.UTF8.GetString(body.AsSpan(^3)));
            }
        }

        if (retained.Count == 0)
        {
            Assert.Equal("two", Encoding.UTF8.GetString((await later.NextAsync(0x33)).AsSpan(^3)));
        }
        else
        {
            Assert.Equal(["two"], retained);
        }

        if (version == 5)
        {
            // As published, where that is asked for.
            await live.SendAsync(Packets.Subscribe(level, 2, ("#", 1 | 8 | 0x20)));
            await live.NextAsync(0x90);
            await publisher.SendAsync(Packets.Publish(level, "t/4", "x", 1, 9, retained: true));
            await live.NextAsync(0x33);
        }
    }

    /// <summary>MQTT-3.3.4-2 to -4, 3.3.5-1, 3.8.4-3 and -8, 3.3.2-3.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Overlapping_subscriptions_give_one_copy_of_the_highest_QoS_and_an_equal_filter_replaces(int version)
    {
        var level = (Level)version;
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await Device.ConnectAsync(broker.Port, level, "c");
        await SubscribeAsync("a/+", 0, 1);
        await SubscribeAsync("a/#", 2, 2);
        await SubscribeAsync("other", 2, 3);
        await broker.PublishAsync("a/x", "one"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        byte[] message = await client.NextAsync(0x32);
        if (version == 5)
        {
            // Both identifiers in the one copy, in either order.
            Assert.Equal(4, message[7]);
            Assert.Equal([1, 2], new[] { message[9], message[11] }.Order().ToArray());
        }

        await SubscribeAsync("a/#", 0, 2);
        await broker.PublishAsync("a/x", "two"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        await client.NextAsync(0x30);
        await client.SendAsync(Packets.Ping);
        await client.NextAsync(0xD0);

        async Task SubscribeAsync(string filter, int quality, byte identifier)
        {
            byte[] properties = version == 5 ? [2, 11, identifier] : [];
            await client.SendAsync(Packets.Packet(0x82, [0, identifier, .. properties, .. Packets.Text(filter), (byte)quality]));
            Assert.Equal((byte)quality, (await client.NextAsync(0x90))[^1]);
        }
    }

    /// <summary>MQTT-3.8.3-3.</summary>
    [Fact]
    public async Task A_client_that_does_not_want_its_own_messages_gets_those_of_others()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await Device.ConnectAsync(broker.Port, Level.V5, "c");
        await client.SendAsync(Packets.Subscribe(Level.V5, 1, ("t", 5)));
        await client.NextAsync(0x90);
        await client.SendAsync(Packets.Publish(Level.V5, "t", "own", 1, 1));
        await client.NextAsync(0x40);
        await broker.PublishAsync("t", "another's"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        Assert.EndsWith(Convert.ToHexString("another's"u8), Convert.ToHexString(await client.NextAsync(0x32)), StringComparison.Ordinal);
    }

    /// <summary>MQTT-3.10.4-1 to -6 and 3.11.3-1, -2: and what was under way is still acknowledged, or repeated.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task What_is_under_way_is_finished_after_its_subscription_has_gone(int version)
    {
        var level = (Level)version;
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        byte[] first;
        using (var client = await Device.ConnectAsync(broker.Port, level, "c", clean: false, properties: _anHour))
        {
            await client.SendAsync(Packets.Subscribe(level, 1, ("a", 1), ("b", 1)));
            await client.NextAsync(0x90);
            await broker.PublishAsync("a", "kept"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
            first = await client.NextAsync(0x32);
            await client.SendAsync(Packets.Unsubscribe(level, 2, "a", "never", "b"));
            Assert.Equal(version == 5 ? [0, 2, 0, 0, 0x11, 0] : (byte[])[0, 2], await client.NextAsync(0xB0));
            await broker.PublishAsync("a", "new"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        }

        using var back = await Device.ConnectAsync(broker.Port, level, "c", clean: false, properties: _anHour);
        Assert.Equal(first, await back.NextAsync(0x3A));
        await back.SendAsync(Packets.Packet(0x40, first[3], first[4]), Packets.Ping);
        await back.NextAsync(0xD0);
    }

    /// <summary>MQTT-3.3.2-4, -15 to -18 and -20, 3.1.3-10.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Properties_of_a_message_and_of_a_will_reach_the_subscriber_as_they_were(bool isWill)
    {
        byte[] properties =
        [
            1, 1, 3, .. Packets.Text("text/plain"), 8, .. Packets.Text("answers"), 9, 0, 2, 1, 2,
            38, .. Packets.Text("b"), .. Packets.Text("1"), 38, .. Packets.Text("a"), .. Packets.Text("2"), 38, .. Packets.Text("b"), .. Packets.Text("3"),
        ];
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await MqttBrokerProtocolTests.SubscribedAsync(broker, "c", "t", 1);
        using var publisher = await Device.OpenAsync(broker.Port);
        byte[] will = [(byte)properties.Length, .. properties, .. Packets.Text("t"), .. Packets.Text("x")];
        await publisher.SendAsync(Packets.Connect(Level.V5, "publisher", will: isWill ? will : null, willFlags: 8));
        await publisher.NextAsync(0x20);
        if (isWill)
        {
            publisher.Cut();
        }
        else
        {
            await publisher.SendAsync(Packets.Publish(Level.V5, "t", "x", 1, 1, properties: properties));
        }

        string came = Convert.ToHexString(await client.NextAsync(0x32));
        byte[][] parts = [[1, 1], [3, .. Packets.Text("text/plain")], [8, .. Packets.Text("answers")], [9, 0, 2, 1, 2], properties[^21..]];
        Assert.All(parts, part => Assert.Contains(Convert.ToHexString(part), came, StringComparison.Ordinal));
    }

    /// <summary>MQTT-3.1.2-14 and -15: and its QoS.</summary>
    [Theory]
    [InlineData(4, true)]
    [InlineData(4, false)]
    [InlineData(5, true)]
    [InlineData(5, false)]
    public async Task A_will_is_retained_where_it_says_so(int version, bool isRetained)
    {
        var level = (Level)version;
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var live = await Device.ConnectAsync(broker.Port, level, "live");
        await live.SendAsync(Packets.Subscribe(level, 1, ("will", 1)));
        await live.NextAsync(0x90);
        using var going = await Device.OpenAsync(broker.Port);
        await going.SendAsync(Packets.Connect(level, "going", will: [.. version == 5 ? (byte[])[0] : [], .. Packets.Text("will"), .. Packets.Text("x")], willFlags: isRetained ? 0x28 : 8));
        await going.NextAsync(0x20);
        going.Cut();
        await live.NextAsync(0x32);
        using var later = await Device.ConnectAsync(broker.Port, level, "later");
        await later.SendAsync(Packets.Subscribe(level, 1, ("will", 1)));
        byte[] kinds = isRetained ? [(await later.ReadAsync())!.Value.First, (await later.ReadAsync())!.Value.First] : [(await later.ReadAsync())!.Value.First];
        Assert.Equal(isRetained ? [0x33, 0x90] : [0x90], kinds.Order().ToArray());
    }

    /// <summary>MQTT-3.1.2-22 (3.1.1: -24).</summary>
    [Theory]
    [InlineData("broker", 4)]
    [InlineData("broker", 5)]
    [InlineData("ingest", 4)]
    [InlineData("ingest", 5)]
    public async Task A_client_that_is_silent_for_too_long_is_disconnected(string server, int version)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using var client = await Device.ConnectAsync(listening.Port, (Level)version, "c", keepAlive: 1);
        while (await client.ReadAsync() is { } packet)
        {
            Assert.Equal(0xE0, packet.First);
        }
    }

    /// <summary>MQTT-1.5.4-3, 4.7.3-4: a byte order mark is part of a topic, and two ways to write one letter are two topics.</summary>
    [Theory]
    [InlineData("\uFEFFa", "a")]
    [InlineData("\u00E9", "e\u0301")]
    [InlineData("/a", "a")]
    [InlineData("A", "a")]
    public async Task Topics_are_compared_as_they_are(string topic, string other)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await Device.ConnectAsync(broker.Port, Level.V5, "c");
        await client.SendAsync(Packets.Subscribe(Level.V5, 1, (topic, 1)));
        await client.NextAsync(0x90);
        await client.SendAsync(Packets.Publish(Level.V5, other, "no", 1, 1), Packets.Publish(Level.V5, topic, "yes", 0));

        // The acknowledgement and the message may come in either order.
        var packets = new[] { (await client.ReadAsync())!.Value, (await client.ReadAsync())!.Value };
        byte[] expected = [.. Packets.Text(topic), 0, .. "yes"u8];
        Assert.Contains(packets, static p => p.First == 0x40);
        Assert.Equal(expected, packets.Single(static p => p.First == 0x30).Body);
    }

    /// <summary>MQTT-1.5.4-3 at the ingest endpoint.</summary>
    [Fact]
    public async Task A_byte_order_mark_stays_in_a_topic()
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        using var client = await Device.ConnectAsync(server.Port, Level.V5, "c");
        await client.SendAsync(Packets.Publish(Level.V5, "\uFEFFa", "x"));
        Assert.Equal("\uFEFFa", (await collector.NextAsync()).Topic);
    }

    /// <summary>MQTT-4.6.0-4, 4.3.3-4.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Releases_come_in_the_order_of_the_receipts(int version)
    {
        var level = (Level)version;
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await Device.ConnectAsync(broker.Port, level, "c");
        await client.SendAsync(Packets.Subscribe(level, 1, ("t", 2)));
        await client.NextAsync(0x90);
        var ids = new List<byte[]>();
        for (int i = 0; i < 3; i++)
        {
            await broker.PublishAsync("t", new[] { (byte)i }, MqttQualityOfService.ExactlyOnce);
            ids.Add((await client.NextAsync(0x34))[3..5]);
        }

        foreach (byte[] id in ids)
        {
            await client.SendAsync(Packets.Packet(0x50, id));
        }

        foreach (byte[] id in ids)
        {
            Assert.Equal(id, (await client.NextAsync(0x62))[..2]);
        }
    }

    /// <summary>MQTT-3.3.2-12, 3.3.2-7 and 4.1.0-1: an alias and a clean session last as long as the connection.</summary>
    [Theory]
    [InlineData("broker")]
    [InlineData("ingest")]
    public async Task An_alias_ends_with_its_connection_and_a_session_that_is_not_kept_too(string server)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using (var client = await Device.ConnectAsync(listening.Port, Level.V5, "c"))
        {
            await client.SendAsync(Packets.Publish(Level.V5, "t", "x", 1, 1, properties: [35, 0, 3]), Packets.Publish(Level.V5, "", "x", 1, 2, properties: [35, 0, 3]));
            await client.NextAsync(0x40);
            await client.NextAsync(0x40);
            await client.SendAsync(Packets.Disconnect);
            Assert.Null(await client.ReadAsync());
        }

        using var back = await Device.ConnectAsync(listening.Port, Level.V5, "c", clean: false);
        Assert.Equal(0, back.Accepted[0]);
        await back.SendAsync(Packets.Publish(Level.V5, "", "x", 1, 1, properties: [35, 0, 3]));
        Assert.Equal([0x82], await back.NextAsync(0xE0));
    }

    /// <summary>MQTT-4.7.2-1: and a client of the broker may not publish there at all.</summary>
    [Theory]
    [InlineData("broker")]
    [InlineData("ingest")]
    public async Task What_begins_with_a_dollar_sign_matches_no_wildcard(string server)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using var client = await Device.ConnectAsync(listening.Port, Level.V5, "c");
        await client.SendAsync(Packets.Publish(Level.V5, "$SYS/x", "x", 1, 1));
        var answer = (await client.ReadAsync())!.Value;
        Assert.Equal(server == "ingest" ? ((byte)0x40, (byte)0x10) : ((byte)0xE0, (byte)0x80), (answer.First, answer.Body[server == "ingest" ? ^1 : 0]));
    }

    /// <summary>MQTT-4.12.0-1: no method of authentication is served.</summary>
    [Theory]
    [InlineData("broker")]
    [InlineData("ingest")]
    public async Task A_method_of_authentication_that_is_not_served_is_refused(string server)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using var client = await Device.OpenAsync(listening.Port);
        await client.SendAsync(Packets.Connect(Level.V5, "c", properties: [21, .. Packets.Text("SCRAM-SHA-1")]));
        Assert.Equal([0, 0x8C], (await client.NextAsync(0x20))[..2]);
        Assert.Null(await client.ReadAsync());
    }

    /// <summary>MQTT-3.1.4-3: in 3.1.1 the earlier connection is only closed.</summary>
    [Theory]
    [InlineData("broker", 4)]
    [InlineData("broker", 5)]
    [InlineData("ingest", 4)]
    [InlineData("ingest", 5)]
    public async Task The_same_client_id_ends_the_earlier_connection(string server, int version)
    {
        var level = (Level)version;
        await using var listening = await ListeningServer.StartAsync(server);
        using var earlier = await Device.ConnectAsync(listening.Port, level, "c");
        using var later = await Device.ConnectAsync(listening.Port, level, "c");
        if (version == 5)
        {
            Assert.Equal(0x8E, (await earlier.NextAsync(0xE0))[0]);
        }

        Assert.Null(await earlier.ReadAsync());
        await later.SendAsync(Packets.Ping);
        await later.NextAsync(0xD0);
    }

    /// <summary>MQTT-3.1.2-4 to -6, 3.2.2-2 and -3: a kept session is found again, and a clean start forgets it.</summary>
    [Theory]
    [InlineData("broker", 4)]
    [InlineData("broker", 5)]
    [InlineData("ingest", 4)]
    [InlineData("ingest", 5)]
    public async Task Session_present_tells_the_truth(string server, int version)
    {
        var level = (Level)version;
        await using var listening = await ListeningServer.StartAsync(server);
        (bool Clean, int Present)[] connections = [(false, 0), (false, 1), (true, 0)];
        foreach (var (clean, present) in connections)
        {
            using var client = await Device.ConnectAsync(listening.Port, level, "c", clean, properties: _anHour);
            Assert.Equal(present, client.Accepted[0]);
            await client.SendAsync(Packets.Disconnect);
            Assert.Null(await client.ReadAsync());
        }
    }

    /// <summary>MQTT-4.3.2-4, -5, 4.3.3-8, -11, -12, 2.2.1-5, 3.3.4-1: the answers carry the packet's id, and it is free afterwards.</summary>
    [Theory]
    [InlineData("broker", 4)]
    [InlineData("broker", 5)]
    [InlineData("ingest", 4)]
    [InlineData("ingest", 5)]
    public async Task Messages_are_answered_by_their_QoS_and_their_ids_are_free_afterwards(string server, int version)
    {
        var level = (Level)version;
        await using var listening = await ListeningServer.StartAsync(server);
        using var client = await Device.ConnectAsync(listening.Port, level, "c");
        for (int round = 0; round < 2; round++)
        {
            await client.SendAsync(Packets.Publish(level, "t", "0"), Packets.Publish(level, "t", "1", 1, 0x0102), Packets.Publish(level, "t", "2", 2, 0x0103));
            Assert.Equal([1, 2], (await client.NextAsync(0x40))[..2]);
            Assert.Equal([1, 3], (await client.NextAsync(0x50))[..2]);
            await client.SendAsync(Packets.Release(0x0103));
            Assert.Equal([1, 3], (await client.NextAsync(0x70))[..2]);
        }

        await client.SendAsync(Packets.Ping, Packets.Disconnect);
        await client.NextAsync(0xD0);
        Assert.Null(await client.ReadAsync());
    }
}
