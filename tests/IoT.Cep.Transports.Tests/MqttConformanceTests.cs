namespace IoT.Cep;

/// <summary>What the protocol forbids, byte by byte: the broker closes the connection, and others go on. Named by the statements of docs/mqtt-conformance.md.</summary>
public sealed class MqttConformanceTests
{
    private static readonly byte[] _subscribe = [0, 1, .. RawMqtt.Text("a"), 1];

    /// <summary>Version, statement, whether the client connects first, the packet's first byte and body.</summary>
    public static TheoryData<int, string, bool, byte, byte[]> Forbidden
    {
        get
        {
            var data = new TheoryData<int, string, bool, byte, byte[]>();
            foreach (int version in new[] { 4, 5 })
            {
                byte[] none = version == 5 ? [0] : [];
                byte[] connect = RawMqtt.Connect(version);
                Add("MQTT-3.1.0-1", false, 0xC0);
                Add("MQTT-3.1.0-1", false, 0x30, [.. RawMqtt.Text("a"), .. none]);
                Add("MQTT-3.1.0-2", true, 0x10, connect);
                Add("MQTT-3.1.2-1", false, 0x10, [.. RawMqtt.Text("MQTX"), .. connect[6..]]);
                Add("MQTT-3.1.2-2", false, 0x10, [.. RawMqtt.Text("MQTT"), 9, .. connect[7..]]);
                Add("MQTT-2.1.3-1 reserved type", true, 0x00);
                Add("MQTT-2.1.3-1 CONNACK flags", true, 0xC1);
                Add("MQTT-3.3.1-2", true, 0x38, [.. RawMqtt.Text("a"), .. none]);
                Add("MQTT-3.3.1-4", true, 0x36, [.. RawMqtt.Text("a"), 0, 1, .. none]);
                Add("MQTT-3.3.2-2", true, 0x30, [.. RawMqtt.Text("a/+"), .. none]);
                Add("MQTT-3.3.2-2 #", true, 0x30, [.. RawMqtt.Text("a/#"), .. none]);
                Add("MQTT-4.7.3-1", true, 0x30, [0, 0, .. none]);
                Add("MQTT-4.7.3-2", true, 0x30, [.. RawMqtt.Text("a\0b"), .. none]);
                Add("MQTT-2.2.1-3", true, 0x32, [.. RawMqtt.Text("a"), 0, 0, .. none]);
                Add("MQTT-3.6.1-1", true, 0x60, [0, 1]);
                Add("MQTT-3.8.1-1", true, 0x80, version == 5 ? [0, 1, 0, .. _subscribe[2..]] : _subscribe);
                Add("MQTT-3.8.3-2", true, 0x82, [0, 1, .. none]);
                Add("MQTT-4.7.1-1", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a/#/b"), 1]);
                Add("MQTT-4.7.1-2", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a+/b"), 1]);
                Add("MQTT-4.7.3-1 filter", true, 0x82, [0, 1, .. none, 0, 0, 1]);
                Add("MQTT-3.10.1-1", true, 0xA0, [0, 1, .. none, .. RawMqtt.Text("a")]);
                Add("MQTT-3.10.3-2", true, 0xA2, [0, 1, .. none]);
                Add("MQTT-3.14.1-1", true, 0xE1);

                void Add(string statement, bool isConnected, byte head, byte[]? body = null) => data.Add(version, statement, isConnected, head, body ?? []);
            }

            // Without the answer that the standard asks for, but refused.
            data.Add(4, "MQTT-3.1.3-8", false, 0x10, RawMqtt.Connect(4, clientId: "", clean: false));

            // In MQTT 5 MQTTnet does not look at it.
            data.Add(4, "MQTT-3.1.2-3", false, 0x10, [.. RawMqtt.Connect(4)[..7], 3, .. RawMqtt.Connect(4)[8..]]);
            data.Add(5, "MQTT-3.3.2-9 alias past the maximum", true, 0x30, [.. RawMqtt.Text("a"), 3, 0x23, 0, 65]);
            data.Add(5, "MQTT-3.3.2-7 alias never said", true, 0x30, [0, 0, 3, 0x23, 0, 5]);
            data.Add(5, "MQTT-4.8.2-1", true, 0x82, [0, 1, 0, .. RawMqtt.Text("$share//a"), 1]);
            data.Add(5, "MQTT-4.8.2-2", true, 0x82, [0, 1, 0, .. RawMqtt.Text("$share/a+/b"), 1]);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Forbidden))]
    public async Task What_the_protocol_forbids_ends_the_connection(int version, string statement, bool isConnected, byte head, byte[] body)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = isConnected ? (await RawMqtt.ConnectAsync(broker.Port, version)).Client : await RawMqtt.OpenAsync(broker.Port);
        await client.SendAsync(head, body);
        while (await client.ReadAsync() is { } packet)
        {
            bool isRefusal = packet.Kind == RawMqtt.Disconnect || (packet.Kind == RawMqtt.ConnAck && packet.Body[1] != 0);
            Assert.True(isRefusal, $"{statement}: {packet}");
        }
    }

    /// <summary>MQTT-3.1.3-6 to 8: what command-line clients do that are given no name.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_client_without_a_name_is_given_one(int version)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var (one, first) = await RawMqtt.ConnectAsync(broker.Port, version, clientId: "");
        var (two, second) = await RawMqtt.ConnectAsync(broker.Port, version, clientId: "");
        using (one)
        using (two)
        {
            Assert.Equal((0, 0), (first.Body[1], second.Body[1]));
            await one.SendAsync(0xC0);
            Assert.Equal(RawMqtt.PingResp, (await one.ReadAsync())!.Kind);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_ping_a_subscription_and_its_end_are_answered(int version)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var (client, accepted) = await RawMqtt.ConnectAsync(broker.Port, version);
        using var _ = client;
        Assert.Equal((0, 0), (accepted.Body[0], accepted.Body[1]));
        await client.SendAsync(0xC0);
        Assert.Empty(await client.NextAsync(RawMqtt.PingResp));
        await client.SubscribeAsync(version, "a/#", options: 2);
        byte[] granted = await client.NextAsync(RawMqtt.SubAck);
        Assert.Equal((0, 7, 2), (granted[0], granted[1], granted[^1]));
        await client.PublishAsync(version, "a", "x", qualityOfService: 1, packetId: 9);
        int publishes = 0, acknowledgements = 0;
        while (publishes + acknowledgements < 2)
        {
            var packet = (await client.ReadAsync())!;
            publishes += packet.Kind == RawMqtt.Publish && (packet.Head & 0b110) == 0b010 ? 1 : 0;
            acknowledgements += packet.Kind == RawMqtt.PubAck && packet.Body[1] == 9 ? 1 : 0;
        }

        await client.SendAsync(0xA2, [0, 8, .. version == 5 ? (byte[])[0] : [], .. RawMqtt.Text("a/#")]);
        Assert.Equal((0, 8), await client.NextAsync(RawMqtt.UnsubAck) is var u ? (u[0], u[1]) : default);
        await client.PublishAsync(version, "a", "x", packetId: 10);
        Assert.Equal(10, (await client.NextAsync(RawMqtt.PubAck))[1]);
    }

    [Fact]
    public async Task A_shared_subscription_is_refused_and_the_client_was_told_so()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var (client, accepted) = await RawMqtt.ConnectAsync(broker.Port);
        using var _ = client;

        // 0x2A: shared subscriptions available.
        Assert.Contains("2A00", Convert.ToHexString(accepted.Body), StringComparison.Ordinal);
        await client.SubscribeAsync(5, "$share/g/a");
        Assert.Equal(0x9E, (await client.NextAsync(RawMqtt.SubAck))[^1]);
    }

    [Fact]
    public async Task A_client_without_a_name_gets_one()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var (client, accepted) = await RawMqtt.ConnectAsync(broker.Port, clientId: "");
        using var _ = client;
        Assert.Equal(0, accepted.Body[1]);

        // 0x12: the name that the broker gave.
        Assert.Contains("auto-", System.Text.Encoding.ASCII.GetString(accepted.Body), StringComparison.Ordinal);
    }
}
