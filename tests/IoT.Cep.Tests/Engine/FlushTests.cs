using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

public sealed class FlushTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_transport_flushes_does_not_wait_for_a_batch_and_is_acknowledged_within_the_call(bool flushes)
    {
        await using var engine = new CepEngine();
        var transport = new AskedTransport();
        var decoder = Csv.Decode((ref row) => row.Number(0));
        engine.From(Source.FromTransport(transport, decoder), o => o.MaxBatchDelay = TimeSpan.FromHours(1)).WithArrivalTime().Subscribe(_ => { });
        await engine.StartAsync();
        var receiver = await transport.Receiver;

        await receiver.ReceiveAsync(new Payload(new ReadOnlySequence<byte>("1"u8.ToArray()), "t"), transport, transport);
        if (flushes)
        {
            receiver.Flush();
        }

        Assert.Equal(flushes ? 1 : 0, transport.Acknowledged);
    }

    [Fact]
    public async Task Nothing_to_flush_is_no_error()
    {
        await using var engine = new CepEngine();
        var transport = new AskedTransport();
        engine.From(Source.FromTransport(transport, Csv.Decode((ref row) => row.Number(0)))).WithArrivalTime().Subscribe(_ => { });
        await engine.StartAsync();

        (await transport.Receiver).Flush();

        Assert.Equal(0, engine.Sources[0].Received);
    }

    private sealed class AskedTransport : ITransport, IAcknowledger
    {
        private readonly TaskCompletionSource<IPayloadReceiver> _receiver = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => "asked";

        internal Task<IPayloadReceiver> Receiver => _receiver.Task;

        internal int Acknowledged { get; private set; }

        public Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
        {
            _receiver.SetResult(receiver);
            return Task.Delay(Timeout.InfiniteTimeSpan, context.TimeProvider, stop);
        }

        public void Acknowledge(object delivery) => Acknowledged++;
    }
}
