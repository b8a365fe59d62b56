using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>In steady state nothing is allocated, however many events pass. Counted on this thread, over whole plans.</summary>
public class AllocationTests
{
    private const int BatchSize = 512;

    [Fact]
    public void Where_and_Select_allocate_nothing() =>
        AllocatesNothing(s => s.Where(e => e.Value > 1).Select(e => e.Value * 2));

    [Fact]
    public void Assigning_event_time_allocates_nothing() =>
        AllocatesNothing(s => s.WithEventTime(e => DateTimeOffset.UnixEpoch.AddTicks(e.Ticks - (e.Device % 3)), Seconds(1)).Select(e => e.Value));

    [Fact]
    public void Keyed_windows_with_coming_and_going_keys_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.Tumbling(Seconds(1))).Select(w => w.Sum(e => e.Value) + w.Max(e => e.Value)));

    [Fact]
    public void Windows_of_several_selectors_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Tumbling(Seconds(1)).AllowLate(Seconds(1)))
            .Select(w => w.Sum(e => e.Value) + w.Max(e => e.Device) + w.Count()));

    [Fact]
    public void Hopping_windows_with_coming_and_going_keys_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.Hopping(Seconds(2), Seconds(0.5))).Select(w => w.Sum(e => e.Value) + w.Max(e => e.Value)));

    [Fact]
    public void Corrected_windows_of_coming_and_going_keys_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.TumblingEach(Seconds(1), Seconds(3)).AllowLate(Seconds(1)).Early(every: 3)).Select(w => w.Sum(e => e.Value) + w.Max(e => e.Value)));

    [Fact]
    public void Enrichment_allocates_nothing()
    {
        var table = new Table<int, string>(Enumerable.Range(0, 50).Select(i => KeyValuePair.Create(i, $"room {i}")));
        AllocatesNothing(s => s.Enrich(table, e => e.Device, (e, room) => room is null ? e.Value : e.Value + room.Length));
    }

    [Fact]
    public void Enrichment_by_structs_allocates_nothing()
    {
        var table = new ValueTable<int, double>(Enumerable.Range(0, 40).Select(i => KeyValuePair.Create(i, i * 2.0)));
        AllocatesNothing(s => s.Enrich(table, e => e.Device, (e, factor) => e.Value * (factor ?? 1)));
    }

    [Fact]
    public void Pattern_without_matches_allocates_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Match(
            Pattern.Begin<Event>(out var a, e => e.Value % 100 == 91).FollowedBy(out _, (e, m) => e.Value > m[a].Value + 1_000_000).Within(Seconds(2))).Select(m => 0.0));

    [Fact]
    public void Absence_allocates_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device % 7 == (int)(e.Ticks / TimeSpan.TicksPerSecond % 7) ? 1000 + e.Device : e.Device)
            .Silent(Seconds(1), forgetAfter: Seconds(3)).Select(x => (double)x.Key));

    private static void AllocatesNothing(Func<IEventStream<Event>, IEventStream<double>> query)
    {
        var input = new Input<Event>(IsInOrder: false);
        var sink = new Summing();
        var context = new QueryContext("test", ErrorPolicy.Stop, null);
        using var plan = new Plan(context, new StageSet(1), TimeProvider.System);
        plan.Compile(query(input.ToStream()).Node, new InlineSinkOperator<double>(sink, context, error => throw error, () => { }), "Sum");
        var feed = new Feed(input);
        feed.Run(3000);
        double before = sink.Count;
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        feed.Run(1500);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Assert.Equal(0, allocated);
        Assert.True(sink.Count > before || query.Method.Name.Contains("Pattern", StringComparison.Ordinal), "Nothing came out.");
    }

    private readonly record struct Event(int Device, double Value, long Ticks);

    /// <summary>A batch is a tenth of a second of 50 devices; the watermark follows one second behind.</summary>
    private sealed class Feed(Input<Event> input)
    {
        private readonly Event[] _events = new Event[BatchSize];
        private readonly long[] _ticks = new long[BatchSize];
        private long _batch;

        internal void Run(int batches)
        {
            for (long end = _batch + batches; _batch < end; _batch++)
            {
                for (int i = 0; i < BatchSize; i++)
                {
                    _ticks[i] = (_batch * TimeSpan.TicksPerSecond / 10) + (i * 1000) - (i % 5 * 3000);
                    _events[i] = new Event(i % 50, (i * 7) + (_batch % 11) % 100, _ticks[i]);
                }

                input.Push(_events, _ticks);
                input.Advance((_batch * TimeSpan.TicksPerSecond / 10) - TimeSpan.TicksPerSecond);
            }
        }
    }

    private sealed class Summing : IInlineSink<double>
    {
        public string Name => "sum";

        internal double Sum { get; private set; }

        internal long Count { get; private set; }

        public void Write(in Batch<double> batch)
        {
            foreach (double value in batch.Events)
            {
                Sum += value;
            }

            Count += batch.Length;
        }
    }
}
