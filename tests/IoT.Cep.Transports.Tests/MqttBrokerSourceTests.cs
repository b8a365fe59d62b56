using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

public sealed class MqttBrokerSourceTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_publishers_acknowledgement_waits_for_the_source_and_keeps_its_order(int version)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await using var source = new Running(broker, "plant/{line}/{sensor}");
        using var publisher = await ConnectAsync(broker, version);
        for (ushort i = 1; i <= 3; i++)
        {
            await publisher.PublishAsync(version, "plant/1/a", $"{i}", qualityOfService: i == 2 ? 2 : 1, packetId: i);
        }

        await publisher.PublishAsync(version, "elsewhere", "4", packetId: 4);
        var taken = await source.Collector.TakeAsync(3);
        var answer = publisher.ReadAsync();
        taken[2].Acknowledge();
        taken[1].Acknowledge();
        await publisher.SendAsync(0xC0);
        Assert.Equal(RawMqtt.PingResp, (await answer)!.Kind);

        taken[0].Acknowledge();
        Assert.Equal(1, (await publisher.NextAsync(RawMqtt.PubAck))[1]);
        Assert.Equal(2, (await publisher.NextAsync(RawMqtt.PubRec))[1]);
        Assert.Equal(3, (await publisher.NextAsync(RawMqtt.PubAck))[1]);
        Assert.Equal(4, (await publisher.NextAsync(RawMqtt.PubAck))[1]);
    }

    [Fact]
    public async Task A_repeated_message_of_QoS_2_is_taken_once()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await using var source = new Running(broker, "#", acknowledge: true);
        using var publisher = await ConnectAsync(broker, 4);
        await publisher.PublishAsync(4, "a", "1", qualityOfService: 2);
        await publisher.NextAsync(RawMqtt.PubRec);
        await publisher.PublishAsync(4, "a", "1", qualityOfService: 2, dup: true);
        await publisher.NextAsync(RawMqtt.PubRec);
        await publisher.SendAsync(0x62, 0, 1);
        await publisher.NextAsync(RawMqtt.PubComp);
        await publisher.PublishAsync(4, "a", "2", qualityOfService: 2);
        await publisher.NextAsync(RawMqtt.PubRec);
        Assert.Equal(["1", "2"], (await source.Collector.TakeAsync(2)).Select(t => t.Text));
    }

    [Fact]
    public async Task A_source_that_is_not_ready_holds_its_publishers_up_and_no_others()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var source = new Running(broker, "slow", acknowledge: true, gate: () => new ValueTask(ready.Task));
        using var held = await ConnectAsync(broker, 5);
        await held.PublishAsync(5, "slow", "1");
        await held.PublishAsync(5, "slow", "2", packetId: 2);
        await source.Collector.TakeAsync(1);
        using var free = await ConnectAsync(broker, 5, "free");
        await free.PublishAsync(5, "fast", "1");
        await free.NextAsync(RawMqtt.PubAck);
        Assert.True(source.Collector.IsEmpty);
        ready.SetResult();
        await held.NextAsync(RawMqtt.PubAck);
        await held.NextAsync(RawMqtt.PubAck);
        Assert.Equal("2", (await source.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task Retained_messages_and_those_of_this_process_come_too()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        await broker.PublishAsync("a/1", "old"u8.ToArray(), retained: true);
        await broker.PublishAsync("b/1", "other"u8.ToArray(), retained: true);
        await using var source = new Running(broker, "a/{x}");
        Assert.Equal("old", (await source.Collector.NextAsync()).Text);
        await broker.PublishAsync("a/2", "new"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        Assert.Equal(("a/2", "new", null), await source.Collector.NextAsync() is var m ? (m.Topic, m.Text, m.Acknowledger) : default);
    }

    [Fact]
    public async Task A_retained_message_that_has_expired_is_not_given_to_a_source()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }, time);
        using var publisher = await Ingest.Device.ConnectAsync(broker.Port, Ingest.Level.V5, "publisher");
        await publisher.SendAsync(
            Ingest.Packets.Publish(Ingest.Level.V5, "t/1", "old", 1, 1, properties: [2, 0, 0, 0, 10], retained: true), Ingest.Packets.Publish(Ingest.Level.V5, "t/2", "kept", 1, 2, retained: true));
        await publisher.NextAsync(0x40);
        await publisher.NextAsync(0x40);
        time.Advance(TimeSpan.FromSeconds(11));
        await using var source = new Running(broker, "t/+", acknowledge: true);
        Assert.Equal("kept", (await source.Collector.NextAsync()).Text);
        Assert.True(source.Collector.IsEmpty);
    }

    [Fact]
    public async Task A_query_reads_the_broker_without_a_socket()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var results = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var engine = new CepEngine();
        engine.From(broker.Subscribe("plant/{line}/{sensor}", new TextDecoder())).Subscribe(new Enqueuing(results));
        await engine.StartAsync();
        using var publisher = await ConnectAsync(broker, 5);
        while (results.IsEmpty)
        {
            await publisher.PublishAsync(5, "plant/1/a", "hello");
            await publisher.NextAsync(RawMqtt.PubAck);
        }

        Assert.Equal("plant/1/a hello", results.First());
    }

    [Fact]
    public async Task A_client_that_comes_by_a_web_socket_is_served()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        var (near, far) = await PairAsync();
        using var server = WebSocket.CreateFromStream(far, new WebSocketCreationOptions { IsServer = true, SubProtocol = "mqtt" });
        using var client = WebSocket.CreateFromStream(near, new WebSocketCreationOptions { SubProtocol = "mqtt" });
        var serving = broker.ServeAsync(server, new IPEndPoint(IPAddress.Loopback, 1), isEncrypted: false);
        await using var stream = new WebSocketConnection(client);
        using var raw = new RawMqtt(stream);
        byte[] connect = RawMqtt.Connect();

        // One packet in two messages: borders of messages mean nothing.
        await raw.SendBytesAsync([0x10]);
        await raw.SendBytesAsync([(byte)connect.Length, .. connect]);
        await raw.NextAsync(RawMqtt.ConnAck);
        await raw.SubscribeAsync(5, "a");
        await raw.NextAsync(RawMqtt.SubAck);
        await broker.PublishAsync("a", "hello"u8.ToArray());
        await raw.NextAsync(RawMqtt.Publish);

        // MQTT-6.0.0-1: a text message ends it.
        await client.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        Assert.Null(await raw.ReadAsync());
        Assert.True(await serving.WaitAsync(Collector.Patience));
    }

    private static async Task<(Stream, Stream)> PairAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var near = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndpoint);
        return (new NetworkStream(near, ownsSocket: true), new NetworkStream(await listener.AcceptSocketAsync(), ownsSocket: true));
    }

    private static async Task<RawMqtt> ConnectAsync(MqttBroker broker, int version, string clientId = "raw")
    {
        var (client, answer) = await RawMqtt.ConnectAsync(broker.Port, version, clientId);
        Assert.Equal(0, answer.Body[1]);
        return client;
    }

    private sealed class Enqueuing(System.Collections.Concurrent.ConcurrentQueue<string> queue) : IObserver<string>
    {
        public void OnNext(string value) => queue.Enqueue(value);

        public void OnError(Exception error)
        {
        }

        public void OnCompleted()
        {
        }
    }

    private sealed class TextDecoder : Decoder<string>
    {
        public override void Decode(in Payload payload, EventBuffer<string> output) =>
            output.Add($"{payload.Topic} {System.Text.Encoding.UTF8.GetString(payload.Bytes.FirstSpan)}");
    }

    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal Running(MqttBroker broker, string template, bool acknowledge = false, Func<ValueTask>? gate = null)
        {
            Collector = new Collector { AcknowledgeAtOnce = acknowledge, Gate = gate };
            _run = new BrokerSource(broker, MqttFilter.Parse(template)).RunAsync(Collector, new ConnectionContext(TimeProvider.System, new Connections(), NullLogger.Instance), _stop.Token);
        }

        internal Collector Collector { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run.WaitAsync(Collector.Patience);
            _stop.Dispose();
        }
    }
}
