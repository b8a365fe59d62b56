namespace IoT.Cep.Ingest;

public sealed class MqttIngestSessionTests
{
    [Fact]
    public async Task A_will_is_published_when_its_client_goes_without_a_word()
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        await using var _ = await GoAsync(server, "one", device => device.Cut());
        Assert.Equal(("status/one", "gone"), await TextAsync(collector));
        await using var __ = await GoAsync(server, "two", device => device.SendAsync(Packets.Disconnect).Wait());
        await using var ___ = await GoAsync(server, "three", device => device.SendAsync(Packets.Packet(0xE0, 4)).Wait());
        Assert.Equal(("status/three", "gone"), await TextAsync(collector));
    }

    [Fact]
    public async Task A_delayed_will_is_not_published_when_its_client_comes_back_in_time()
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        byte[] will = [5, 24, 0, 0, 0, 60, .. Packets.Text("status"), .. Packets.Text("gone")];
        using (var device = await Device.OpenAsync(server.Port))
        {
            await device.SendAsync(Packets.Connect(Level.V5, "c", clean: false, properties: [17, 0, 0, 1, 0], will: will));
            await device.NextAsync(0x20);
            device.Cut();
        }

        using var again = await Device.ConnectAsync(server.Port, Level.V5, "c", clean: false);
        Assert.Equal(1, again.Accepted[0]);
        await again.SendAsync(Packets.Publish(Level.V5, "a", "alive", 1, 1));
        await again.NextAsync(0x40);
        Assert.Equal(("a", "alive"), await TextAsync(collector));
        Assert.True(collector.IsEmpty);
    }

    [Fact]
    public async Task A_message_of_qos_2_that_is_sent_again_by_the_next_connection_is_taken_once()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector);
        using var first = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        await first.SendAsync(Packets.Publish(Level.V311, "a", "once", 2, 9));
        var message = await collector.NextAsync();
        first.Cut();

        using var second = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        Assert.Equal(1, second.Accepted[0]);
        await second.SendAsync(Packets.Publish(Level.V311, "a", "once", 2, 9, repeated: true));
        await collector.DuplicateAsync();
        message.Acknowledge();
        Assert.Equal([0, 9], await second.NextAsync(0x50));
        second.Cut();

        using var third = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        await third.SendAsync(Packets.Publish(Level.V311, "a", "once", 2, 9, repeated: true));
        Assert.Equal([0, 9], await third.NextAsync(0x50));
        await third.SendAsync(Packets.Release(9));
        Assert.Equal([0, 9], await third.NextAsync(0x70));
        Assert.True(collector.IsEmpty);
        Assert.Equal(2, server.Endpoint.Statistics.Duplicates);
    }

    [Fact]
    public async Task A_message_of_qos_1_that_the_engine_still_has_is_not_decoded_again()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector);
        using var first = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        await first.SendAsync(Packets.Publish(Level.V311, "a", "x", 1, 9));
        var message = await collector.NextAsync();
        first.Cut();
        using var second = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        await second.SendAsync(Packets.Publish(Level.V311, "a", "x", 1, 9, repeated: true));
        await collector.DuplicateAsync();
        message.Acknowledge();
        Assert.Equal([0, 9], await second.NextAsync(0x40));
    }

    [Fact]
    public async Task A_client_that_comes_back_takes_its_session_over_and_the_older_connection_is_told()
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        using var first = await Device.ConnectAsync(server.Port, Level.V5, "c");
        await first.SendAsync(Packets.Publish(Level.V5, "a", "from the first"));
        using var second = await Device.ConnectAsync(server.Port, Level.V5, "c");
        Assert.Equal([0x8E], await first.NextAsync(0xE0));
        Assert.Null(await first.ReadAsync());
        Assert.Equal(("a", "from the first"), await TextAsync(collector));
        Assert.Equal(1, server.Endpoint.Statistics.Connections);
    }

    [Fact]
    public async Task A_client_id_of_another_identity_is_refused()
    {
        var security = new ListenerSecurity { Password = (user, _) => new(new Identity(user, AuthenticationMethod.Password)) };
        await using var server = IngestServer.Start(new Collector(), o => o.Security = security);
        using var first = await Device.OpenAsync(server.Port);
        await first.SendAsync(Packets.Connect(Level.V5, "c", user: "ann", password: "x"));
        Assert.Equal(0, (await first.NextAsync(0x20))[1]);
        using var second = await Device.OpenAsync(server.Port);
        await second.SendAsync(Packets.Connect(Level.V5, "c", user: "bob", password: "x"));
        Assert.Equal(0x85, (await second.NextAsync(0x20))[1]);
        await first.SendAsync(Packets.Ping);
        await first.NextAsync(0xD0);
    }

    [Fact]
    public async Task A_device_may_send_only_what_it_may_speak_for_and_what_is_authorized()
    {
        var collector = new Collector();
        var security = new ListenerSecurity
        {
            Password = (user, _) => new(new Identity(user, AuthenticationMethod.Password)),
            DevicePlace = "sensor",
            Authorize = (_, action, resource) => new(action != AccessAction.Publish || resource.StartsWith("plant/", StringComparison.Ordinal)),
        };
        await using var server = IngestServer.Start([("plant/{line}/{sensor}", collector), ("+", collector)], o => o.Security = security);
        using var device = await Device.OpenAsync(server.Port);
        await device.SendAsync(Packets.Connect(Level.V5, "c", user: "s1", password: "x"));
        await device.NextAsync(0x20);
        await device.SendAsync(Packets.Publish(Level.V5, "plant/1/s1", "mine", 1, 1), Packets.Publish(Level.V5, "plant/1/s2", "another's", 1, 2), Packets.Publish(Level.V5, "other", "no", 2, 3));
        Assert.Equal([0, 1], await device.NextAsync(0x40));
        Assert.Equal([0, 2, 0x87], await device.NextAsync(0x40));
        Assert.Equal([0, 3, 0x87], await device.NextAsync(0x50));
        Assert.Equal(("plant/1/s1", "mine"), await TextAsync(collector));
        Assert.True(collector.IsEmpty);
    }

    private static async Task<(string Topic, string Text)> TextAsync(Collector collector)
    {
        var message = await collector.NextAsync();
        return (message.Topic, message.Text);
    }

    private static async Task<IAsyncDisposable> GoAsync(IngestServer server, string name, Action<Device> go)
    {
        var device = await Device.OpenAsync(server.Port);
        byte[] will = [0, .. Packets.Text($"status/{name}"), .. Packets.Text("gone")];
        await device.SendAsync(Packets.Connect(Level.V5, name, will: will));
        await device.NextAsync(0x20);
        go(device);
        return new Closing(device);
    }

    private sealed class Closing(Device device) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            device.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
