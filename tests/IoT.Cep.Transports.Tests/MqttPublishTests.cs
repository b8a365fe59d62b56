using System.Text.Json.Serialization;
using IoT.Cep.Extensibility;
using MQTTnet.Protocol;

namespace IoT.Cep;

public sealed record Alert(string Building, double Value);

[JsonSerializable(typeof(Alert))]
public sealed partial class AlertJson : JsonSerializerContext;

[Event]
public readonly partial record struct Raised([EventTime] DateTimeOffset Time, [EventKey] string Sensor, double Value);

public sealed class MqttPublishTests
{
    [Theory]
    [InlineData(MqttProtocol.V5)]
    [InlineData(MqttProtocol.V311)]
    public async Task A_result_is_encoded_and_its_topic_filled_from_its_fields(MqttProtocol protocol)
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port, o => o.ProtocolVersion = protocol);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "alerts/{sensor}");
        await using var sink = (IAsyncSink<Raised>)Mqtt.Publish("alerts/{sensor}", Json.Encode<Raised>());
        await sink.OpenAsync(RunningTransport.Context(connections), CancellationToken.None);
        await sink.WriteAsync(new SinkBatch<Raised> { Events = new[] { new Raised(DateTimeOffset.UnixEpoch, "s1", 80.5) } }, CancellationToken.None);
        var unfit = new SinkBatch<Raised> { Events = new[] { new Raised(DateTimeOffset.UnixEpoch, "s/1", 80.5) } };

        var received = await source.Collector.NextAsync();
        Assert.Equal(("alerts/s1", """{"time":"1970-01-01T00:00:00Z","sensor":"s1","value":80.5}"""), (received.Topic, received.Text));
        Assert.Equal(protocol == MqttProtocol.V5 ? "application/json" : null, received.ContentType);
        Assert.Equal("alerts/{sensor}", received.Template);
        await Assert.ThrowsAsync<SinkRejectedException>(() => sink.WriteAsync(unfit, CancellationToken.None).AsTask());
    }

    [Fact]
    public async Task Results_are_written_as_json_by_generated_code()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "alerts/#");
        await using var sink = (IAsyncSink<Alert>)Mqtt.Publish(a => $"alerts/{a.Building}", AlertJson.Default.Alert);
        await sink.OpenAsync(RunningTransport.Context(connections), CancellationToken.None);
        await sink.WriteAsync(new SinkBatch<Alert> { Events = new[] { new Alert("7", 80.5) } }, CancellationToken.None);

        var received = await source.Collector.NextAsync();
        Assert.Equal(("alerts/7", """{"Building":"7","Value":80.5}"""), (received.Topic, received.Text));
        Assert.True(sink.IsDurable);
    }

    [Fact]
    public async Task Two_queries_may_end_in_one_sink()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "alerts/#");
        await using var sink = (IAsyncSink<Alert>)Mqtt.Publish(a => $"alerts/{a.Building}", AlertJson.Default.Alert);
        await sink.OpenAsync(RunningTransport.Context(connections), CancellationToken.None);
        await Task.WhenAll(Enumerable.Range(0, 2).Select(query => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
            {
                await sink.WriteAsync(new SinkBatch<Alert> { Events = new[] { new Alert($"{query}", i) } }, CancellationToken.None);
            }
        })));

        var received = await source.Collector.TakeAsync(200);
        foreach (var one in received.GroupBy(r => r.Topic))
        {
            Assert.Equal(Enumerable.Range(0, 100).Select(i => $$"""{"Building":"{{one.Key[^1]}}","Value":{{i}}}"""), one.Select(r => r.Text));
        }
    }

    [Theory]
    [InlineData("alerts/+")]
    [InlineData("alerts/#")]
    [InlineData("alerts/\0")]
    [InlineData("alerts/\u001B[2J")]
    [InlineData("$SYS/broker")]
    [InlineData("")]
    public async Task A_hostile_topic_is_rejected_and_the_rows_before_it_are_not_sent_twice(string topic)
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => sink.SendAsync(("a", "1"), (topic, "2"), ("a", "3")));

        Assert.Equal(1, error.Row);
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.Equal(0, broker.Broker.Received);
        await sink.SendAsync(("a", "1"), ("a", "3"));
        Assert.Equal(2, broker.Broker.Received);
    }

    [Fact]
    public async Task A_connection_that_was_never_declared_fails_the_start_and_a_broker_that_is_away_does_not()
    {
        var alert = new[] { new Alert("7", 1) };
        await using var wrong = new CepEngine();
        wrong.From(Source.FromMemory<Alert>(alert, new long[1])).To(Mqtt.Publish(a => a.Building, AlertJson.Default.Alert, connection: "plant"));
        var error = await Assert.ThrowsAsync<SinkConfigurationException>(() => wrong.StartAsync());
        Assert.Contains("Query 'mqtt plant' can't write to its sink 'mqtt plant'. There is no MQTT connection 'plant'; declare it", error.Message, StringComparison.Ordinal);

        await using var away = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromMilliseconds(1) });
        away.Mqtt(o => o.Port = 1);
        away.From(Source.FromMemory<Alert>(alert, new long[1])).To(Mqtt.Publish(a => a.Building, AlertJson.Default.Alert));
        await away.StartAsync();
    }

    [Theory]
    [InlineData(MqttPubAckReasonCode.NotAuthorized, 1, 1)]
    [InlineData(MqttPubAckReasonCode.QuotaExceeded, 0, 2)]
    [InlineData(MqttPubAckReasonCode.UnspecifiedError, 0, 2)]
    public async Task What_the_broker_acknowledged_is_not_sent_again_when_another_message_fails(MqttPubAckReasonCode answer, int deadLetters, int sent)
    {
        // The 21st: in the second window, behind messages of its own window.
        await using var broker = await RefusingBroker.StartAsync(
            (topic, time) => topic == "t/20" && (time == 1 || deadLetters > 0) ? answer : MqttPubAckReasonCode.Success);
        await using var engine = new CepEngine();
        engine.Mqtt(o => o.Port = broker.Port);
        var query = engine.From(Source.FromMemory<int>(Enumerable.Range(0, 50).ToArray(), new long[50])).To(Mqtt.Publish<int>(i => $"t/{i}", i => $"{i}"));
        await engine.RunAsync().WaitAsync(Collector.Patience);

        Assert.Equal((50L - deadLetters, (long)deadLetters), (query.Sink!.Written, query.Sink.Rejected));
        Assert.Equal(sent, broker.Received.Count(topic => topic == "t/20"));
        var acknowledged = broker.Received.Where(topic => int.Parse(topic[2..], null) is < 16 or >= 32);
        Assert.Equal(acknowledged.Distinct(), acknowledged);
        Assert.Equal(50, broker.Received.Distinct().Count());
        if (answer != MqttPubAckReasonCode.UnspecifiedError)
        {
            // With the connection the acknowledgements of its own window are gone; else it alone goes again.
            Assert.Equal(49 + sent, broker.Received.Count);
        }
    }

    [Fact]
    public async Task A_result_that_was_taken_back_is_not_published()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port));
        await sink.WriteAsync(
            new SinkBatch<(string, string)>
            {
                Events = new[] { ("a", "1"), ("a", "2"), ("a", "3") },
                Ticks = new long[3],
                Kinds = new[] { EventKind.Insert, EventKind.Retract, EventKind.Update },
            }, CancellationToken.None);
        Assert.Equal(2, broker.Broker.Received);
    }

    [Fact]
    public async Task A_payload_above_the_limit_is_rejected()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(broker.Port, o => o.MaxPayloadBytes = 10));
        Assert.Equal(0, (await Assert.ThrowsAsync<SinkRejectedException>(() => sink.SendAsync(("a", "12345678901")))).Row);
    }

    [Fact]
    public async Task A_retained_message_waits_for_later_subscribers()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var connections = RunningTransport.To(broker.Port);
        await using var sink = await Publisher.OpenAsync(connections, retained: true);
        await sink.SendAsync(("state", "old"), ("state", "new"));
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "state");
        Assert.Equal("new", (await source.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_sink_connects_again_when_its_broker_comes_back()
    {
        var broker = await EmbeddedBroker.StartAsync();
        int port = broker.Port;
        await using var sink = await Publisher.OpenAsync(RunningTransport.To(port));
        await broker.DisposeAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => sink.SendAsync(("a", "1")));

        await using var again = await EmbeddedBroker.StartAsync(o => o.Port = port);
        await sink.SendAsync(("a", "1"));
        Assert.Equal(1, again.Broker.Received);
    }
}
