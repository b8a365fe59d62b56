using System.Diagnostics;
using IoT.Cep.Benchmarks.Workloads;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// The command <c>latency</c>: 100,000 events a second, a hundred each millisecond whether or not the last ones are through, into an engine with one
/// shard; prints how long after its batch was due each result reached the sink. An event's time is the moment at which it is due.
/// </summary>
internal static class LatencyCommand
{
    internal const string Name = "latency";
    private const int BatchEvents = 100;
    private const int WarmUpMilliseconds = 3_000;
    private const int MeasuredMilliseconds = 10_000;
    private const int Devices = 1_000;

    internal static async Task<int> RunAsync()
    {
        Console.WriteLine($"100,000 events/s, {Devices:N0} devices, one shard, open loop, {MeasuredMilliseconds / 1000} s after {WarmUpMilliseconds / 1000} s of warm-up");
        await RunAsync("filter + project, each event", (readings, clock) => readings
            .Where(r => r.Value > 50).Select(r => new Late(r.DeviceId, r.Ts, (r.Value * 1.8) + 32)));
        await RunAsync("average, windows of 10 ms", (readings, clock) => readings.KeyBy(r => r.DeviceId)
            .Window(Window.Tumbling(TimeSpan.FromMilliseconds(10))).Select(w => new Late(w.Key, Micros(w.End), w.Average(r => r.Value))));

        // The window of an event is complete with the first event behind it, which is a millisecond later.
        await RunAsync("average, last second per event", (readings, clock) => readings.KeyBy(r => r.DeviceId)
            .Window(Window.Sliding(TimeSpan.FromSeconds(1))).Select(w => new Late(w.Key, Micros(w.End) + 1_000, w.Average(r => r.Value))));
        return 0;
    }

    private static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static async Task RunAsync(string name, Func<IEventStream<Reading>, Stopwatch, IEventStream<Late>> query)
    {
        var clock = new Stopwatch();
        var sink = new LatencySink(clock);
        await using var engine = new CepEngine(cep => query(cep.From(new Pacer(clock)), clock).To(sink));
        await engine.RunAsync();
        var latencies = sink.Latencies;
        Console.WriteLine(
            $"{name,-32} results {latencies.Count,9:N0}  p50 {Text(latencies.At(0.5))}  p99 {Text(latencies.At(0.99))}  p99.9 {Text(latencies.At(0.999))}  max {Text(latencies.Most)}");
    }

    private static string Text(long micros) => $"{micros / 1000.0:F3} ms";

    /// <summary>A result, and when the last event that it waits for was due, in microseconds.</summary>
    private readonly record struct Late(int DeviceId, long Due, double Value);

    /// <summary>Writes each millisecond's batch when its time has come, or as soon after it as it can.</summary>
    private sealed class Pacer(Stopwatch clock) : ISource<Reading>
    {
        public string Name => "pacer";

        public bool IsBounded => true;

        public async Task RunAsync(SourceWriter<Reading> writer, ConnectionContext context, CancellationToken stop)
        {
            await Task.Yield();
            var random = new SplitMix64(7);
            var events = new Reading[BatchEvents];
            long[] ticks = new long[BatchEvents];
            clock.Start();
            for (long due = 1_000; due < (WarmUpMilliseconds + MeasuredMilliseconds) * 1_000L; due += 1_000)
            {
                for (int i = 0; i < events.Length; i++)
                {
                    events[i] = new Reading { Ts = due, DeviceId = (int)(random.Next() % Devices), Value = random.Next() % 100 };
                    ticks[i] = due * TimeSpan.TicksPerMicrosecond;
                }

                while (clock.Elapsed.TotalMicroseconds < due)
                {
                    Thread.SpinWait(20);
                }

                await writer.WriteAsync(events, ticks);
            }
        }
    }

    private sealed class LatencySink(Stopwatch clock) : IInlineSink<Late>
    {
        public string Name => "latency";

        internal Histogram Latencies { get; } = new();

        public void Write(in Batch<Late> batch)
        {
            long now = (long)clock.Elapsed.TotalMicroseconds;
            foreach (ref readonly var result in batch.Events)
            {
                // What the end of the input gives out early is not measured.
                if (result.Due >= WarmUpMilliseconds * 1_000 && result.Due <= now)
                {
                    Latencies.Add(now - result.Due);
                }
            }
        }
    }
}
