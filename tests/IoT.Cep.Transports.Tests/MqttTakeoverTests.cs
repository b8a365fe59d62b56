namespace IoT.Cep;

/// <summary>A client that comes back while the embedded broker still has its earlier connection.</summary>
public sealed class MqttTakeoverTests
{
    [Fact]
    public async Task What_a_client_acknowledged_before_it_left_is_not_repeated_although_the_broker_had_not_read_it_yet()
    {
        var returns = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int connections = 0;
        await using var broker = await EmbeddedBroker.StartAsync(o =>
        {
            o.MaxPendingMessagesPerClient = 2;
            o.Security = new ListenerSecurity
            {
                DecisionLifetime = TimeSpan.Zero,
                Authorize = (_, action, client) =>
                {
                    if (action == AccessAction.Connect && client == "raw" && Interlocked.Increment(ref connections) == 2)
                    {
                        returns.TrySetResult();
                    }

                    return ValueTask.FromResult(true);
                },
            };
        });
        await using var slow = await RunningTransport.StartAsync(new Collector { AcknowledgeAtOnce = false }, RunningTransport.To(broker.Port), "slow");
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        using var first = await RawClient.ConnectAsync(broker.Port);
        await first.SubscribeAsync("a");
        await sink.SendAsync(("a", "one"), ("slow", "1"), ("slow", "2"));
        var taken = await slow.Collector.TakeAsync(2);

        // The broker reads no further than this message: nobody makes room for it yet.
        await first.PublishAsync("slow", "3", packetId: 1);
        while (broker.Broker.Waits == 0)
        {
            await Task.Yield();
        }

        await first.AcknowledgeAsync((await first.ReceiveAsync()).PacketId);
        await first.LeaveAsync();
        var returning = RawClient.ConnectAsync(broker.Port);
        await returns.Task.WaitAsync(Collector.Patience);
        taken[0].Acknowledge();
        taken[1].Acknowledge();
        using var second = await returning;
        await sink.SendAsync(("a", "two"));

        Assert.True(second.SessionPresent);
        Assert.Equal("two", (await second.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(MqttProtocol.V311)]
    [InlineData(MqttProtocol.V5)]
    public async Task What_was_not_acknowledged_is_repeated_on_the_new_connection_while_the_old_one_is_still_open(MqttProtocol protocol)
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        var client = await RawClient.ConnectAsync(broker.Port, protocol);
        await client.SubscribeAsync("a");
        await sink.SendAsync(("a", "one"), ("a", "two"));
        var one = await client.ReceiveAsync();
        var two = await client.ReceiveAsync();
        Assert.False(one.IsRepeated || two.IsRepeated);

        for (int i = 0; i < 20; i++)
        {
            using var earlier = client;
            client = await RawClient.ConnectAsync(broker.Port, protocol);
            Assert.True(client.SessionPresent);
            Assert.Equal(one with { IsRepeated = true }, await client.ReceiveAsync());
            Assert.Equal(two with { IsRepeated = true }, await client.ReceiveAsync());
            if (protocol == MqttProtocol.V5)
            {
                // Session taken over.
                Assert.Equal(0x8E, (await earlier.NextAsync(0xE0))[0]);
            }
        }

        client.Dispose();
    }
}
