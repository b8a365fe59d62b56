using System.Reflection;
using Xunit.Sdk;

namespace IoT.Cep;

public sealed class MqttTransportTests
{
    [Theory]
    [Brokers(embedded: true)]
    [Brokers(embedded: false)]
    [Trait("Requirement", "R54")]
    public async Task Messages_arrive_in_order_with_their_topics(bool embedded, MqttProtocol protocol, MqttQualityOfService qualityOfService)
    {
        await using (var broker = await StartAsync(embedded))
        {
            var connections = RunningTransport.To(broker.Port, o => o.ProtocolVersion = protocol);
            await using var source = await RunningTransport.StartAsync(new Collector(), connections, "city/+/temp", qualityOfService);
            await using var sink = await Publisher.OpenAsync(connections, qualityOfService);

            await sink.SendAsync([.. Enumerable.Range(0, 500).Select(i => ($"city/{i}/temp", $"{i}")), ("city/x/other", "no")]);

            var received = await source.Collector.TakeAsync(500);
            Assert.Equal(Enumerable.Range(0, 500).Select(i => $"city/{i}/temp={i}"), received.Select(r => $"{r.Topic}={r.Text}"));
            Assert.All(received, r => Assert.Equal(qualityOfService == MqttQualityOfService.AtMostOnce, r.Acknowledger is null));
            Assert.True(source.Collector.IsEmpty);
        }
    }

    [Theory]
    [Brokers(embedded: true, acknowledged: true)]
    [Brokers(embedded: false, acknowledged: true)]
    public async Task Unacknowledged_messages_return_to_a_restarted_source(bool embedded, MqttProtocol protocol, MqttQualityOfService qualityOfService)
    {
        await using (var broker = await StartAsync(embedded))
        {
            var connections = RunningTransport.To(broker.Port, o => (o.ProtocolVersion, o.ClientId) = (protocol, "unit"));
            await using var sink = await Publisher.OpenAsync(connections, qualityOfService);
            await using (var first = await RunningTransport.StartAsync(new Collector { AcknowledgeAtOnce = false }, connections, "a/#", qualityOfService))
            {
                await sink.SendAsync(("a/1", "one"), ("a/2", "two"), ("a/3", "three"));
                (await first.Collector.TakeAsync(3))[0].Acknowledge();
            }

            await sink.SendAsync(("a/4", "four"));
            await using var second = await RunningTransport.StartAsync(new Collector(), connections, "a/#", qualityOfService);

            Assert.Equal(["two", "three", "four"], (await second.Collector.TakeAsync(3)).Select(r => r.Text));
        }
    }

    [Theory]
    [Brokers(embedded: true, acknowledged: true)]
    [Brokers(embedded: false, acknowledged: true)]
    public async Task A_redelivery_of_what_was_taken_is_counted_and_acknowledged_later(bool embedded, MqttProtocol protocol, MqttQualityOfService qualityOfService)
    {
        await using (var broker = await StartAsync(embedded))
        {
            await using var proxy = new CuttableProxy(broker.Port);
            var connections = RunningTransport.To(proxy.Port, o => (o.ProtocolVersion, o.ClientId) = (protocol, "unit"));
            await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port), qualityOfService);
            await using (var source = await RunningTransport.StartAsync(new Collector { AcknowledgeAtOnce = false }, connections, "a/#", qualityOfService))
            {
                await sink.SendAsync(("a/1", "one"), ("a/2", "two"));
                var taken = await source.Collector.TakeAsync(2);

                proxy.Cut();
                await source.Collector.UntilAsync(connected: false);
                taken[0].Acknowledge();
                await source.Collector.UntilAsync(connected: true);
                await source.Collector.DuplicateAsync();
                await source.Collector.DuplicateAsync();
                taken[1].Acknowledge();

                await sink.SendAsync(("a/3", "three"));
                var next = await source.Collector.NextAsync();
                Assert.Equal("three", next.Text);
                next.Acknowledge();
            }

            // An acknowledgement that is still on its way when the next connection is accepted has not reached the broker, and what it is for is rightly repeated.
            await proxy.EndedAsync();
            await sink.SendAsync(("a/4", "four"));
            await using var later = await RunningTransport.StartAsync(new Collector(), connections, "a/#", qualityOfService);

            Assert.Equal("four", (await later.Collector.NextAsync()).Text);
        }
    }

    [Fact]
    public async Task A_source_reconnects_when_its_broker_comes_back()
    {
        var broker = await EmbeddedBroker.StartAsync();
        int port = broker.Port;
        var connections = RunningTransport.To(port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "a");
        await broker.DisposeAsync();
        await source.Collector.UntilAsync(connected: false);

        await using var again = await EmbeddedBroker.StartAsync(o => o.Port = port);
        await source.Collector.UntilAsync(connected: true);
        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync(("a", "hello"));

        Assert.Equal("hello", (await source.Collector.NextAsync()).Text);
    }

    [MosquittoFact]
    public async Task A_source_reconnects_when_mosquitto_comes_back()
    {
        var broker = await Mosquitto.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "a");
        await using var sink = await Publisher.OpenAsync(connections);
        await broker.DisposeAsync();
        await source.Collector.UntilAsync(connected: false);

        await using var again = await Mosquitto.StartAsync(port: broker.Port);
        await source.Collector.UntilAsync(connected: true);
        await sink.SendAsync(("a", "hello"));

        Assert.Equal("hello", (await source.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_receiver_that_is_not_ready_is_given_nothing_more()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var connections = RunningTransport.To(broker.Port, o => o.KeepAlive = TimeSpan.FromSeconds(1));
        await using var source = await RunningTransport.StartAsync(new Collector { Gate = () => new ValueTask(ready.Task) }, connections, "a");
        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync(("a", "1"), ("a", "2"));
        Assert.Equal("1", (await source.Collector.NextAsync()).Text);

        // Longer than the keep-alive's own limit: the held-back connection must survive its pings.
        var lost = source.Collector.UntilAsync(connected: false);
        await Assert.ThrowsAsync<TimeoutException>(() => lost.WaitAsync(TimeSpan.FromSeconds(4)));
        Assert.True(source.Collector.IsEmpty);
        ready.SetResult();

        Assert.Equal("2", (await source.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_receiver_that_fails_ends_the_run_with_its_error()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        var collector = new Collector { Gate = () => throw new InvalidDataException("mine") };
        var run = new MqttTransport(["a"]).RunAsync(collector, RunningTransport.Context(connections), CancellationToken.None);
        await collector.UntilAsync(connected: true);
        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync(("a", "1"));

        Assert.Equal("mine", (await Assert.ThrowsAsync<InvalidDataException>(() => run.WaitAsync(Collector.Patience))).Message);
    }

    [Fact]
    public async Task Two_sources_of_one_connection_do_not_push_each_other_out()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port, o => o.ClientId = "unit");
        await using var one = await RunningTransport.StartAsync(new Collector(), connections, "a");
        await using var two = await RunningTransport.StartAsync(new Collector(), connections, "a");
        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync(("a", "1"));

        Assert.Equal("1", (await one.Collector.NextAsync()).Text);
        Assert.Equal("1", (await two.Collector.NextAsync()).Text);
    }

    private static async Task<IBroker> StartAsync(bool embedded) => embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
}

/// <summary>Each protocol and QoS at the embedded broker, or at mosquitto, which may not be there.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class BrokersAttribute : DataAttribute
{
    private readonly bool _embedded;
    private readonly bool _acknowledged;

    public BrokersAttribute(bool embedded, bool acknowledged = false)
    {
        _embedded = embedded;
        _acknowledged = acknowledged;
        Skip = embedded ? null : Needs.WithoutMosquitto;
    }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        from protocol in Enum.GetValues<MqttProtocol>()
        from qualityOfService in Enum.GetValues<MqttQualityOfService>()
        where !_acknowledged || qualityOfService != MqttQualityOfService.AtMostOnce
        select new object[] { _embedded, protocol, qualityOfService };
}
