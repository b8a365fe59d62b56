namespace IoT.Cep;

/// <summary>What the protocol forbids, byte by byte: the server closes the connection, and others go on. Named by the statements of docs/mqtt-conformance.md.</summary>
public sealed class MqttConformanceTests
{
    private static readonly byte[] _subscribe = [0, 1, .. RawMqtt.Text("a"), 1];

    /// <summary>A half of a surrogate pair, an overlong form, and a byte that no text has.</summary>
    private static readonly byte[][] _illFormed = [[0, 3, 0xED, 0xA0, 0x80], [0, 2, 0xC1, 0x81], [0, 1, 0xFF]];

    /// <summary>Server, version, statement, whether the client connects first, the packet's first byte and body.</summary>
    public static TheoryData<string, int, string, bool, byte, byte[]> Forbidden
    {
        get
        {
            var data = new TheoryData<string, int, string, bool, byte, byte[]>();
            foreach (string server in new[] { "broker", "ingest" })
            {
                foreach (int version in new[] { 4, 5 })
                {
                    AddCommon((statement, isConnected, head, body) => data.Add(server, version, statement, isConnected, head, body), version);
                    AddConnect((statement, flags, rest) => data.Add(server, version, statement, false, 0x10, [.. RawMqtt.Connect(version)[..7], flags, .. RawMqtt.Connect(version)[8..], .. rest]), version);
                }

                // 3.1.1: code 2, and a password needs a user name.
                data.Add(server, 4, "MQTT-3.1.3-8", false, 0x10, RawMqtt.Connect(4, clientId: "", clean: false));
                data.Add(server, 4, "MQTT-3.1.2-22", false, 0x10, RawMqtt.Connect(4, password: "p"));
                AddVersion5((statement, head, body) => data.Add(server, 5, statement, true, head, body));
            }

            return data;
        }
    }

    private static void AddCommon(Action<string, bool, byte, byte[]> add, int version)
    {
        byte[] none = version == 5 ? [0] : [];
        byte[] connect = RawMqtt.Connect(version);
        add("MQTT-3.1.0-1", false, 0xC0, []);
        add("MQTT-3.1.0-1", false, 0x30, [.. RawMqtt.Text("a"), .. none]);
        add("MQTT-3.1.0-2", true, 0x10, connect);
        add("MQTT-3.1.2-1", false, 0x10, [.. RawMqtt.Text("MQTX"), .. connect[6..]]);
        add("MQTT-3.1.2-2", false, 0x10, [.. RawMqtt.Text("MQTT"), 9, .. connect[7..]]);
        add("MQTT-2.1.3-1 reserved type", true, 0x00, []);
        add("MQTT-2.1.3-1 CONNACK flags", true, 0xC1, []);
        add("MQTT-3.3.1-2", true, 0x38, [.. RawMqtt.Text("a"), .. none]);
        add("MQTT-3.3.1-4", true, 0x36, [.. RawMqtt.Text("a"), 0, 1, .. none]);
        add("MQTT-3.3.2-2", true, 0x30, [.. RawMqtt.Text("a/+"), .. none]);
        add("MQTT-3.3.2-2 #", true, 0x30, [.. RawMqtt.Text("a/#"), .. none]);
        add("MQTT-4.7.3-1", true, 0x30, [0, 0, .. none]);
        add("MQTT-4.7.3-2", true, 0x30, [.. RawMqtt.Text("a\0b"), .. none]);
        add("MQTT-2.2.1-3", true, 0x32, [.. RawMqtt.Text("a"), 0, 0, .. none]);
        add("MQTT-2.2.1-3 SUBSCRIBE", true, 0x82, [0, 0, .. none, .. RawMqtt.Text("a"), 1]);
        add("MQTT-2.2.1-3 UNSUBSCRIBE", true, 0xA2, [0, 0, .. none, .. RawMqtt.Text("a")]);
        add("MQTT-3.6.1-1", true, 0x60, [0, 1]);
        add("MQTT-3.8.1-1", true, 0x80, version == 5 ? [0, 1, 0, .. _subscribe[2..]] : _subscribe);
        add("MQTT-3.8.3-2", true, 0x82, [0, 1, .. none]);
        add("MQTT-3.8.3-5 QoS 3", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a"), 3]);
        add("MQTT-3.8.3-5", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a"), 0xC1]);
        add("MQTT-4.7.1-1", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a/#/b"), 1]);
        add("MQTT-4.7.1-2", true, 0x82, [0, 1, .. none, .. RawMqtt.Text("a+/b"), 1]);
        add("MQTT-4.7.3-1 filter", true, 0x82, [0, 1, .. none, 0, 0, 1]);
        add("MQTT-3.10.1-1", true, 0xA0, [0, 1, .. none, .. RawMqtt.Text("a")]);
        add("MQTT-3.10.3-2", true, 0xA2, [0, 1, .. none]);
        add("MQTT-3.14.1-1", true, 0xE1, []);
        foreach (byte[] text in _illFormed)
        {
            add("MQTT-1.5.4-1 topic", true, 0x30, [.. text, .. none]);
            add("MQTT-1.5.4-1 filter", true, 0x82, [0, 1, .. none, .. text, 1]);
            add("MQTT-3.10.3-1", true, 0xA2, [0, 1, .. none, .. text]);
            add("MQTT-3.1.3-4", false, 0x10, [.. connect[..10], .. none, .. text]);
        }
    }

    /// <summary>CONNECT's flags, and what follows the client id.</summary>
    private static void AddConnect(Action<string, byte, byte[]> add, int version)
    {
        byte[] will = [.. version == 5 ? (byte[])[0] : [], .. RawMqtt.Text("w"), .. RawMqtt.Text("x")];
        add("MQTT-3.1.2-3", 3, []);
        add("MQTT-3.1.2-11", 0x0A, []);
        add("MQTT-3.1.2-12", 0x1E, will);
        add("MQTT-3.1.2-13", 0x22, []);
        add("MQTT-3.1.2-9", 0x06, []);
        add("MQTT-3.1.2-16", 0x02, RawMqtt.Text("user"));
        add("MQTT-3.1.2-17", 0x82, []);
        add("MQTT-3.1.2-18", 0x82, [.. RawMqtt.Text("user"), .. RawMqtt.Text("password")]);
        add("MQTT-3.1.2-19", 0xC2, RawMqtt.Text("user"));
        add("MQTT-3.1.3-11", 0x06, [.. version == 5 ? (byte[])[0] : [], .. _illFormed[0], .. RawMqtt.Text("x")]);
        add("MQTT-3.1.3-12", 0x82, _illFormed[0]);
    }

    private static void AddVersion5(Action<string, byte, byte[]> add)
    {
        byte[] topic = RawMqtt.Text("a");
        add("MQTT-1.5.5-1", 0x30, [.. topic, 0x80, 0x00]);
        add("MQTT-1.5.7-1", 0x30, [.. topic, 7, 0x26, .. _illFormed[2], .. RawMqtt.Text("x")]);
        add("MQTT-3.3.2-9 alias past the maximum", 0x30, [.. topic, 3, 0x23, 1, 65]);
        add("MQTT-3.3.2-8 alias 0", 0x30, [.. topic, 3, 0x23, 0, 0]);
        add("MQTT-3.3.2-7 alias never said", 0x30, [0, 0, 3, 0x23, 0, 5]);
        add("MQTT-3.3.2-13", 0x30, [.. topic, 6, 8, .. _illFormed[0]]);
        add("MQTT-3.3.2-14", 0x30, [.. topic, 6, 8, .. RawMqtt.Text("a/+")]);
        add("MQTT-3.3.2-19", 0x30, [.. topic, 6, 3, .. _illFormed[0]]);
        add("MQTT-3.3.4-6", 0x30, [.. topic, 2, 11, 1]);
        add("MQTT-3.3.2 a property twice", 0x30, [.. topic, 4, 1, 0, 1, 0]);
        add("MQTT-3.4.2-1", 0x40, [0, 1, 0x33, 0]);
        add("MQTT-3.5.2-1", 0x50, [0, 1, 0x33, 0]);
        add("MQTT-3.6.2-1", 0x62, [0, 1, 0x33, 0]);
        add("MQTT-3.7.2-1", 0x70, [0, 1, 0x33, 0]);
        add("MQTT-3.8.3-4", 0x82, [0, 1, 0, .. RawMqtt.Text("$share/g/a"), 5]);
        add("MQTT-4.8.2-1", 0x82, [0, 1, 0, .. RawMqtt.Text("$share//a"), 1]);
        add("MQTT-4.8.2-2", 0x82, [0, 1, 0, .. RawMqtt.Text("$share/a+/b"), 1]);
        add("MQTT-3.14.2-1", 0xE0, [0x33, 0]);
        add("MQTT-3.1.2-23 a session kept after all", 0xE0, [0, 5, 0x11, 0, 0, 0, 1]);
        add("MQTT-4.12.0-6 AUTH without a method", 0xF0, []);
        add("MQTT-3.15.1-1", 0xF1, []);
    }

    [Theory]
    [MemberData(nameof(Forbidden))]
    public async Task What_the_protocol_forbids_ends_the_connection(string server, int version, string statement, bool isConnected, byte head, byte[] body)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using var client = isConnected ? (await RawMqtt.ConnectAsync(listening.Port, version)).Client : await RawMqtt.OpenAsync(listening.Port);
        await client.SendAsync(head, body);
        bool isTold = false;
        while (await client.ReadAsync() is { } packet)
        {
            if (packet.Kind == RawMqtt.SubAck && packet.Body[^1] >= 0x80)
            {
                // A filter may also be refused alone.
                return;
            }

            bool isRefusal = packet.Kind == RawMqtt.Disconnect || (packet.Kind == RawMqtt.ConnAck && packet.Body[1] != 0);
            Assert.True(isRefusal, $"{statement}: {packet}");
            isTold = true;
        }

        // MQTT 5 has a reason for everything, where it is known that the client speaks it.
        Assert.True(isTold || version == 4 || !isConnected, statement);
    }

    /// <summary>MQTT 3.1.1, 3.1.2-2 and 3.1.3-8: with the codes that the standard names.</summary>
    [Theory]
    [InlineData("broker")]
    [InlineData("ingest")]
    public async Task A_client_of_version_3_is_told_why_it_is_refused_where_there_is_a_code(string server)
    {
        await using var listening = await ListeningServer.StartAsync(server);
        using var nameless = await RawMqtt.OpenAsync(listening.Port);
        await nameless.SendAsync(0x10, RawMqtt.Connect(4, clientId: "", clean: false));
        Assert.Equal([0, 2], await nameless.NextAsync(RawMqtt.ConnAck));
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
