using System.Buffers;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep;

public sealed class MqttContractTests
{
    public static TheoryData<string> TransportRules => [.. TransportContract.Rules];

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_subscription_with_acknowledgements_keeps_the_rule(string rule) =>
        TransportContract.CheckAsync(rule, () => new SubscriptionFixture(MqttQualityOfService.AtLeastOnce));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_subscription_without_acknowledgements_keeps_the_rule(string rule) =>
        TransportContract.CheckAsync(rule, () => new SubscriptionFixture(MqttQualityOfService.AtMostOnce));

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_publishing_sink_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new PublishFixture());

    private sealed class SubscriptionFixture(MqttQualityOfService qualityOfService) : TransportFixture
    {
        private EmbeddedBroker? _broker;
        private LoopbackProxy? _proxy;
        private IAsyncSink<(string Topic, byte[] Body)>? _device;

        public override LoopbackProxy? Proxy => _proxy;

        public override bool Acknowledges => qualityOfService != MqttQualityOfService.AtMostOnce;

        public override bool Redelivers => Acknowledges;

        public override async ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _broker = await EmbeddedBroker.StartAsync(o => o.MaxPendingMessagesPerClient = 5000);
            _proxy = new LoopbackProxy(_broker.Port);
            Connections.Set(new MqttOptions { Host = "127.0.0.1", Port = _proxy.Port, ClientId = "contract", ReconnectMin = TimeSpan.FromMilliseconds(100), ReconnectMax = TimeSpan.FromSeconds(5) });
            _device = (IAsyncSink<(string Topic, byte[] Body)>)Mqtt.Publish<(string Topic, byte[] Body)>(m => m.Topic, (m, output) => output.Write(m.Body), MqttQualityOfService.AtLeastOnce);
            await _device.OpenAsync(RunningTransport.Context(RunningTransport.To(_broker.Port)), stop);
            return new MqttTransport(["contract/#"], qualityOfService);
        }

        public override ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop) =>
            _device!.WriteAsync(new SinkBatch<(string, byte[])> { Events = new[] { (topic, payload.ToArray()) }, Ticks = new long[1] }, stop);

        public override async ValueTask DisposeAsync()
        {
            await _device!.DisposeAsync();
            await _proxy!.DisposeAsync();
            await _broker!.DisposeAsync();
        }
    }

    private sealed class PublishFixture : SinkFixture<(string Topic, string Text)>
    {
        private EmbeddedBroker? _broker;
        private LoopbackProxy? _proxy;
        private RunningTransport? _application;

        public override bool HasBadRow => true;

        public override bool CanBreak => true;

        public override async ValueTask<IAsyncSink<(string Topic, string Text)>> StartAsync(CancellationToken stop)
        {
            _broker = await EmbeddedBroker.StartAsync();
            _proxy = new LoopbackProxy(_broker.Port);
            _application = await RunningTransport.StartAsync(new Collector(), RunningTransport.To(_broker.Port), "rows/#");
            Connections.Set(new MqttOptions { Host = "127.0.0.1", Port = _proxy.Port, ConnectTimeout = TimeSpan.FromSeconds(5) });
            return (IAsyncSink<(string Topic, string Text)>)Mqtt.Publish<(string Topic, string Text)>(m => m.Topic, m => m.Text);
        }

        public override (string Topic, string Text) Row(int i) => ($"rows/{i % 3}", $"{i}");

        public override (string Topic, string Text) BadRow() => ("rows/+/\u001b", "bad");

        public override ValueTask BreakAsync()
        {
            _proxy!.Cut();
            return ValueTask.CompletedTask;
        }

        public override ValueTask RepairAsync()
        {
            _proxy!.Restore();
            return ValueTask.CompletedTask;
        }

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            while (_rows.Distinct().Count() < count && !stop.IsCancellationRequested)
            {
                _rows.Add(int.Parse((await _application!.Collector.NextAsync()).Text, null));
            }

            return _rows;
        }

        private readonly List<int> _rows = [];

        public override async ValueTask DisposeAsync()
        {
            await _application!.DisposeAsync();
            await _proxy!.DisposeAsync();
            await _broker!.DisposeAsync();
        }
    }
}
