using System.Reactive.Linq;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>W1: Value above 50 gives (DeviceId, Value * 1.8 + 32); both are summed.</summary>
internal static class FilterProject
{
    internal static Workload Make(ReadingData data) => new(
        "W1", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new Sink())),
        new Contender("Rx", count => Prepared.Of(() => Rx(data, count))),
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count)))));

    internal static IEventStream<Fahrenheit> Query(IEventStream<Reading> readings) => readings
        .Where(r => r.Value > 50)
        .Select(r => new Fahrenheit(r.DeviceId, (r.Value * 1.8) + 32));

    private static Outcome Rx(ReadingData data, int count)
    {
        long results = 0;
        double sum = 0;
        new ArrayObservable<Reading>(data.Events, count)
            .Where(r => r.Value > 50)
            .Select(r => new Fahrenheit(r.DeviceId, (r.Value * 1.8) + 32))
            .Subscribe(f =>
            {
                results++;
                sum += f.DeviceId + f.Value;
            }).Dispose();
        return new Outcome(results, sum);
    }

    private static Outcome Hand(ReadOnlySpan<Reading> events)
    {
        long results = 0, devices = 0;
        double sum = 0;
        foreach (ref readonly var r in events)
        {
            if (r.Value > 50)
            {
                results++;
                devices += r.DeviceId;
                sum += (r.Value * 1.8) + 32;
            }
        }

        return new Outcome(results, sum + devices);
    }

    internal readonly record struct Fahrenheit(int DeviceId, double Value);

    internal sealed class Sink : SummingSink<Fahrenheit>
    {
        public override void Write(in Batch<Fahrenheit> batch)
        {
            long devices = 0;
            double sum = 0;
            foreach (ref readonly var f in batch.Events)
            {
                devices += f.DeviceId;
                sum += f.Value;
            }

            Count += batch.Length;
            Sum += sum + devices;
        }
    }
}
