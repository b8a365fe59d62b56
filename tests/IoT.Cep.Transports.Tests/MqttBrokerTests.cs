using System.Net;
using System.Net.Sockets;

namespace IoT.Cep;

public sealed class MqttBrokerTests
{
    [Theory]
    [InlineData(MqttQualityOfService.AtMostOnce)]
    [InlineData(MqttQualityOfService.AtLeastOnce)]
    public async Task Nothing_is_dropped_when_a_subscriber_is_slower_than_its_publishers(MqttQualityOfService qualityOfService)
    {
        const int Publishers = 4, Each = 5_000;
        await using var broker = await EmbeddedBroker.StartAsync(o => o.MaxPendingMessagesPerClient = 1_000);
        var connections = RunningTransport.To(broker.Port);
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var collector = new Collector { Gate = () => new ValueTask(ready.Task) };
        await using var source = await RunningTransport.StartAsync(collector, connections, "load/#", qualityOfService);

        var publishing = Enumerable.Range(0, Publishers).Select(p => PublishAsync(p)).ToArray();
        // The subscriber takes nothing until its publishers wait for it.
        while (broker.Broker.Waits == 0)
        {
            await Task.Yield();
        }

        ready.SetResult();
        await Task.WhenAll(publishing).WaitAsync(Collector.Patience);
        var received = await collector.TakeAsync(Publishers * Each);

        Assert.Equal(Publishers * Each, received.Select(r => r.Text).Distinct().Count());
        Assert.Equal(Publishers * Each, broker.Broker.Received);
        Assert.All(received.GroupBy(r => r.Topic), g => Assert.Equal(g.Select(r => r.Text).Order(StringComparer.Ordinal), g.Select(r => r.Text)));

        async Task PublishAsync(int publisher)
        {
            await using var sink = await Publisher.OpenAsync(connections, qualityOfService);
            await sink.SendAsync([.. Enumerable.Range(0, Each).Select(i => ($"load/{publisher}", $"{publisher}-{i:D6}"))]);
        }
    }

    [Fact]
    public async Task A_full_queue_of_an_absent_client_discards_its_session_and_says_so()
    {
        await using var broker = await EmbeddedBroker.StartAsync(o => o.MaxPendingMessagesPerClient = 100);
        var connections = RunningTransport.To(broker.Port, o => o.ClientId = "away");
        await using (await RunningTransport.StartAsync(new Collector(), connections, "a"))
        {
        }

        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync([.. Enumerable.Range(0, 200).Select(i => ("a", $"{i}"))]);

        Assert.Equal(1, broker.Broker.DiscardedSessions);
    }

    [Fact]
    public async Task Another_address_than_loopback_needs_authentication()
    {
        var options = new MqttBrokerOptions { Port = 0, Address = IPAddress.Any };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => MqttBroker.StartAsync(options));
        Assert.Contains("nothing proves who connects", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Authentication_decides_who_connects()
    {
        await using var broker = await EmbeddedBroker.StartAsync(o => o.Security = new ListenerSecurity
        {
            Password = (user, password) => new(password == "right" ? new Identity(user, AuthenticationMethod.Password) : null),
        });
        void Configure(MqttOptions o, string password) => (o.UserName, o.Password, o.AllowPlainTextPassword) = ("unit", password, true);
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port, o => Configure(o, "right")));
        await sink.SendAsync(("a", "1"));

        var error = await Assert.ThrowsAsync<MqttRefusedException>(
            () => Publisher.OpenAsync(RunningTransport.To(broker.Port, o => Configure(o, "wrong"))));
        Assert.Contains("BadUserNameOrPassword", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_frame_larger_than_the_limit_is_cut_before_it_is_read()
    {
        await using var broker = await EmbeddedBroker.StartAsync(o => o.MaxPacketBytes = 1024);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, broker.Port);

        // CONNECT that announces 256 MiB.
        await socket.SendAsync(new byte[] { 0x10, 0xFF, 0xFF, 0xFF, 0x7F });
        Assert.Equal(0, await ReadAsync(socket));
    }

    [Fact]
    public async Task One_client_more_than_the_limit_is_closed()
    {
        await using var broker = await EmbeddedBroker.StartAsync(o => o.MaxClients = 1);
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, broker.Port);
        Assert.Equal(0, await ReadAsync(socket));
        await sink.SendAsync(("a", "still here"));
    }

    [Fact]
    public async Task Garbage_from_a_client_does_not_hurt_the_others()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "#");
        var random = new Random(7);
        for (int i = 0; i < 200; i++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, broker.Port);
            byte[] garbage = new byte[random.Next(1, 200)];
            random.NextBytes(garbage);
            garbage[0] = (byte)(i % 2 == 0 ? 0x10 : garbage[0]);
            await socket.SendAsync(garbage);
        }

        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync(("a", "fine"));
        Assert.Equal("fine", (await source.Collector.NextAsync()).Text);
    }

    private static async Task<int> ReadAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1]).WaitAsync(Collector.Patience);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return 0;
        }
    }
}
