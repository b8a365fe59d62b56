using System.Buffers;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>Messages' bytes in, events in a batch out, and nothing behind that; beside it the bare reader that only looks at each value of the same bytes.</summary>
internal static class Decoding
{
    internal const string Prefix = "decode-";

    // As many messages as a second of a busy gateway has; more would measure the memory that they stand in.
    private const int MostMessages = 1_000_000;

    internal static Workload Make(PayloadFormat format, int events, int devices)
    {
        var payloads = Payloads.Make(format, Math.Min(events, MostMessages), devices);
        return new Workload(
            Prefix + format.ToString().ToLowerInvariant(), payloads.Count,
            new Contender("IoT.Cep", count => new Run(payloads, PayloadsToWindows.DecoderOf(format), count)),
            null,
            new Contender("bare reader", count => Prepared.Of(() => PayloadsToWindows.Read(format, payloads, count))));
    }

    private sealed class Run(Payloads payloads, Decoder<SensorReading> decoder, int count) : Prepared
    {
        private readonly EventBuffer<SensorReading> _buffer = new(new StringPool());

        internal override ValueTask<Outcome> RunAsync()
        {
            double celsius = 0;
            long events = 0;
            for (int first = 0; first < count; first += EventBuffer<SensorReading>.DefaultCapacity)
            {
                Decode(first, Math.Min(count, first + EventBuffer<SensorReading>.DefaultCapacity));
                foreach (ref readonly var reading in _buffer.Events)
                {
                    celsius += reading.Celsius;
                }

                events += _buffer.Count;
                _buffer.Clear();
            }

            return new(new Outcome(events, celsius));
        }

        public override ValueTask DisposeAsync()
        {
            _buffer.Dispose();
            return ValueTask.CompletedTask;
        }

        private void Decode(int first, int end)
        {
            for (int i = first; i < end; i++)
            {
                int start = i == 0 ? 0 : payloads.Ends[i - 1];
                _buffer.BeginMessage(1);
                decoder.Decode(new Payload(new ReadOnlySequence<byte>(payloads.Bytes, start, payloads.Ends[i] - start), "weather", 1), _buffer);
            }
        }
    }
}
