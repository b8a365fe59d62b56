using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.Ingestion.Tests;

public sealed class LinesTests
{
    [Fact]
    public async Task A_file_is_a_bounded_source_of_one_event_a_line()
    {
        string path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, "timestamp,value\n2026-01-01 00:00:00,1\r\nbroken\n2026-01-01 00:00:01,2");
            var source = Lines.FromFile(path, Csv.Decode<MachineReading>(columns: ["timestamp", "value"]), new LineOptions(SkipLines: 1));
            using var writer = new Writer();
            await source.RunAsync(writer, new ConnectionContext(new FakeTimeProvider(), new Connections(), NullLogger.Instance), CancellationToken.None);
            Assert.True(source.IsBounded);
            Assert.Equal([new MachineReading(Decoding.Received, 1), new MachineReading(Decoding.Received + 10_000_000, 2)], writer.Events.Events.ToArray());
            Assert.Equal(1, writer.Rejected);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_file_can_not_be_connected_to_again() => Assert.Throws<ArgumentException>(
        () => Lines.FromFile("x", Json.Decode<Reading>(), new LineOptions(ReconnectDelay: TimeSpan.FromSeconds(1))));

    private sealed class Writer : SourceWriter<MachineReading>, IPayloadReceiver, IDisposable
    {
        private Decoder<MachineReading>? _decoder;

        internal EventBuffer<MachineReading> Events { get; } = new(new StringPool());

        internal int Rejected { get; private set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<MachineReading> events, ReadOnlyMemory<long> ticks) => throw new NotSupportedException();

        public override IPayloadReceiver Decode(Decoder<MachineReading> decoder)
        {
            _decoder = decoder;
            return this;
        }

        public override SourceWriter<MachineReading> OpenPartition(string name) => throw new NotSupportedException();

        public override ValueTask ClosePartitionAsync() => throw new NotSupportedException();

        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
        {
            Events.BeginMessage(Decoding.Received);
            _decoder!.Decode(in payload, Events);
            Rejected += Events.Rejection is null ? 0 : 1;
            return ValueTask.CompletedTask;
        }

        public void Reject(in Payload payload, DeadLetterReason reason, string detail) => Rejected++;

        public void CountDuplicate() => throw new NotSupportedException();

        public void ConnectionChanged(bool connected, string? detail = null)
        {
        }

        public void Dispose() => Events.Dispose();
    }
}
