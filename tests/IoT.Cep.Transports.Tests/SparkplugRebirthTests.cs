using System.Collections.Concurrent;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

[Event]
internal readonly partial record struct Boiler([EventTime] DateTimeOffset Time, [EventKey] string Source, [Field("T")] double Celsius, [Field("$kind")] SparkplugKind Kind);

/// <summary>A Sparkplug source asks for a rebirth on its own connection; what is born again is read on.</summary>
public sealed class SparkplugRebirthTests
{
    [Fact]
    public async Task A_gap_asks_the_node_to_be_born_again_and_its_death_is_an_event()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var node = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(broker.Port), "spBv1.0/g/NCMD/n");
        await using var engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(1) });
        engine.Mqtt(o => (o.Host, o.Port, o.ReconnectMin) = ("127.0.0.1", broker.Port, TimeSpan.FromMilliseconds(50)));
        var seen = new ConcurrentQueue<string>();
        engine.From(Mqtt.Subscribe("spBv1.0/#", Sparkplug.Decode<Boiler>())).Subscribe(b => seen.Enqueue(FormattableString.Invariant($"{b.Kind} {b.Source} {b.Celsius}")));
        await engine.StartAsync();
        await Until(() => engine.Sources.All(s => s.IsConnected));

        await broker.Broker.PublishAsync("spBv1.0/g/NDATA/n", Payload(5, 1, name: false));
        Assert.Contains("Node Control/Rebirth", (await node.Collector.TakeAsync(1))[0].Text, StringComparison.Ordinal);
        await broker.Broker.PublishAsync("spBv1.0/g/NBIRTH/n", Payload(0, 20, name: true));
        await broker.Broker.PublishAsync("spBv1.0/g/NDATA/n", Payload(1, 21, name: false));
        await broker.Broker.PublishAsync("spBv1.0/g/NDATA/n", Payload(9, 22, name: false));
        Assert.Contains("Node Control/Rebirth", (await node.Collector.TakeAsync(1))[0].Text, StringComparison.Ordinal);
        await broker.Broker.PublishAsync("spBv1.0/g/NDEATH/n", new byte[] { 8, 1 });
        await Until(() => seen.Count == 4);
        Assert.Equal(["Birth g/n 20", "Data g/n 21", "Data g/n 22", "Death g/n 22"], seen);
    }

    [Fact]
    public async Task A_binary_CloudEvent_goes_in_user_properties_and_is_refused_where_there_are_none()
    {
        var sink = (IAsyncSink<Boiler>)Mqtt.Publish(_ => "alerts", CloudEvents.EncodeBinary(Json.Encode<Boiler>(), "/plant", "boiler", b => b.Source));
        var old = RunningTransport.To(1, o => o.ProtocolVersion = MqttProtocol.V311);

        await Assert.ThrowsAsync<SinkConfigurationException>(async () => await sink.CheckAsync(RunningTransport.Context(old), CancellationToken.None));
        await sink.CheckAsync(RunningTransport.Context(RunningTransport.To(1, o => o.ProtocolVersion = MqttProtocol.V5)), CancellationToken.None);
    }

    // sparkplug_b.proto: the sequence, and one metric of alias 1 with a double, in a birth with name and type.
    private static byte[] Payload(byte sequence, double value, bool name)
    {
        byte[] metric = [.. name ? (byte[])[0x0A, 1, (byte)'T', 0x20, 10] : [], 0x10, 1, 0x69, .. BitConverter.GetBytes(value)];
        return [0x08, 1, 0x12, (byte)metric.Length, .. metric, 0x18, sequence];
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
