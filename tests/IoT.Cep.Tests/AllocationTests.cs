using System.Runtime.CompilerServices;
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
    public void Aggregates_of_order_and_spread_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Tumbling(Seconds(1))).Select(w =>
            w.First(e => e.Value) + w.Last(e => e.Value) + w.MinBy(e => e.Value).Device + w.Max(e => e.Ticks) + w.Variance(e => e.Value)
            + w.Correlation(e => e.Value, e => e.Ticks) + w.Trend(e => e.Value).Slope + w.ExponentialAverage(e => e.Value, Seconds(1))));

    [Fact]
    public void Aggregates_that_keep_values_and_sketches_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Tumbling(Seconds(1))).Select(w =>
            w.Median(e => e.Value) + w.TimeWeightedAverage(e => e.Value) + w.Increase(e => e.Value) + w.DurationWhere(e => e.Value > 100).Ticks
            + w.ApproximateQuantile(e => e.Value, 0.9) + w.ApproximateDistinctCount(e => e.Value) + w.DistinctCount(e => e.Value)));

    [Fact]
    public void Dead_band_allocates_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).DeadBand(e => e.Value, band: 100).Select(e => e.Value));

    [Fact]
    public void Filling_gaps_allocates_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).FillGaps(Seconds(0.02), e => e.Value, Seconds(1), Interpolation.Linear).Select(e => e.Value));

    [Fact]
    public void Windows_per_event_with_coming_and_going_keys_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.Sliding(Seconds(0.5))).Select(w => w.Sum(e => e.Value) + w.Max(e => e.Device)));

    [Fact]
    public void Windows_per_event_of_one_selector_allocate_nothing()
    {
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Window(Window.Sliding(Seconds(0.5))).Select(w => w.Sum(e => e.Value)));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Window(Window.Sliding(Seconds(0.5))).Select(w => w.Max(e => e.Value) - w.Min(e => e.Value)));
    }

    [Fact]
    public void Windows_around_events_with_accumulators_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Around(Seconds(0.5), Seconds(0.2))).Select(w => w.Average(e => e.Value) + w.Aggregate(default(Last), e => e.Value).Value));

    [Fact]
    public void Sessions_with_coming_and_going_keys_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.Session(TimeSpan.FromMilliseconds(60))).Select(w => w.Sum(e => e.Value) + w.Count()));

    [Fact]
    public void Sessions_of_streams_in_order_allocate_nothing() =>
        AllocatesNothing(
            s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
                .Window(Window.Session(TimeSpan.FromMilliseconds(60))).Select(w => w.Sum(e => e.Value) + w.Count()),
            inOrder: true);

    [Fact]
    public void Batches_by_time_or_count_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => (e.Device * 31) + (int)(e.Ticks / TimeSpan.TicksPerSecond % 50))
            .Window(Window.TimeOrCount(TimeSpan.FromMilliseconds(60), 10)).Select(w => w.Sum(e => e.Value) + w.Count()));

    [Fact]
    public void Windows_of_the_last_events_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Count(10, 4)).Select(w => w.Sum(e => e.Value) + w.Count()));

    [Fact]
    public void Corrected_sessions_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(e => e.Device).Window(Window.Session(TimeSpan.FromMilliseconds(30)).AllowLate(Seconds(1)))
            .Select(w => w.Sum(e => e.Value) + w.Count()));

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
    public void Patterns_of_coming_and_going_keys_without_matches_allocate_nothing()
    {
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out _, e => e.Device % 3 == 0).FollowedByAny(out _, e => e.Value > 100).FollowedBy(out _, e => e.Value < 0).Within(Seconds(2))).Select(m => 0.0));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 1000).FollowedBy(out _, (e, m) => e.Value < 0 && m[a].Value > 0).Within(Seconds(2))).Select(m => 0.0));
    }

    [Fact]
    public void Patterns_with_a_callback_allocate_nothing_for_a_match()
    {
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3000).FollowedBy(out var b, e => e.Value < 1500).Within(Seconds(2)), m => m[a].Value + m[b].Value));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3000).FollowedBy(out var b, (e, m) => e.Value < m[a].Value - 1000).Within(Seconds(2)), m => m[a].Value + m[b].Value));
    }

    [Fact]
    public void Repetitions_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3400)
                .FollowedBy(out _, Times.OneOrMore, (e, m) => e.Value < 1500)
                .FollowedBy(out var b, e => e.Value is > 2000 and < 3000).Within(Seconds(2)), m => m[a].Value + m[b].Value));

    [Fact]
    public void Running_values_of_repetitions_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3400)
                .FollowedBy(out _, Times.OneOrMore, (e, m) => e.Value < 1500 && m.Taken.Sum(x => x.Value) < 4000)
                .FollowedBy(out var b, e => e.Value is > 2000 and < 3000).Within(Seconds(2)), m => m[a].Value + m[b].Value));

    [Fact]
    public void Match_is_at_most_one_allocation()
    {
        // An array of two events, with their times and labels.
        int bytes = 24 + (2 * (Unsafe.SizeOf<Event>() + 16));
        AllocatesForEach(bytes, s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3000).FollowedBy(out var b, e => e.Value < 1500).Within(Seconds(2))).Select(m => m[a].Value + m[b].Value), isShared: true);
        AllocatesForEach(bytes, s => s.KeyBy(ComingAndGoing).Match(
            Pattern.Begin<Event>(out var a, e => e.Value > 3000).FollowedBy(out var b, (e, m) => e.Value < m[a].Value - 1000).Within(Seconds(2))).Select(m => m[a].Value + m[b].Value));
    }

    [Fact]
    public void Absence_allocates_nothing() =>
        AllocatesNothing(s => s.KeyBy(ComingAndGoing)
            .Silent(Seconds(1), forgetAfter: Seconds(3)).Select(x => (double)x.Key));

    [Fact]
    public void Split_allocates_nothing() =>
        AllocatesNothing(s => s.Split(e => e.Value > 1000, out var rest).Union(rest).Select(e => e.Value));

    [Fact]
    public void Running_states_allocate_nothing() => AllocatesNothing(s => s.KeyBy(ComingAndGoing)
        .Scan((Count: 0, Sum: 0.0), (a, e) => (a.Count + 1, a.Sum + e.Value), (e, a) => a.Sum / a.Count, forgetAfter: Seconds(2)));

    [Fact]
    public void Previous_events_allocate_nothing()
    {
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).WithPrevious((previous, current) => current.Value - previous.Value, forgetAfter: Seconds(2)));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).WithPrevious(4, (previous, current) => previous.Length + current.Value, forgetAfter: Seconds(2)));
    }

    [Fact]
    public void Changes_allocate_nothing() =>
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).DistinctUntilChanged(e => (int)e.Value / 1000, forgetAfter: Seconds(2)).Select(e => e.Value));

    [Fact]
    public void Deduplication_allocates_nothing()
    {
        AllocatesNothing(s => s.KeyBy(e => e.Device).Deduplicate(e => e.Ticks / 100_000, Seconds(2)).Select(e => e.Value));
        AllocatesNothing(s => s.Deduplicate(e => e.Ticks / 1_000, Seconds(2)).Select(e => e.Value));
    }

    [Fact]
    public void Thinning_out_allocates_nothing()
    {
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).AtMostOncePer(Seconds(1)).Select(e => e.Value));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).AtMostOncePer(Seconds(1), Keep.Last).Select(e => e.Value));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Sample(Seconds(1)).Select(e => e.Value));
        AllocatesNothing(s => s.KeyBy(ComingAndGoing).Debounce(Seconds(1)).Select(e => e.Value));
    }

    [Fact]
    public void Reordering_allocates_nothing()
    {
        AllocatesNothing(s => s.Reorder().Select(e => e.Value));
        AllocatesNothing(s => s.Reorder(maxEvents: 1000).Select(e => e.Value));
    }

    private static int ComingAndGoing(Event e) => e.Device % 7 == (int)(e.Ticks / TimeSpan.TicksPerSecond % 7) ? 1000 + e.Device : e.Device;

    private static void AllocatesNothing(Func<IEventStream<Event>, IEventStream<double>> query, bool inOrder = false) => AllocatesForEach(0, query, inOrder);

    private static void AllocatesForEach(int bytes, Func<IEventStream<Event>, IEventStream<double>> query, bool inOrder = false, bool isShared = false)
    {
        var input = new Input<Event>(IsInOrder: inOrder);
        var sink = new Summing();
        var context = new QueryContext("test", ErrorPolicy.Stop, null);
        using var plan = new Plan(context, new StageSet(1), TimeProvider.System);
        plan.Compile(query(input.ToStream()).Node, new InlineSinkOperator<double>(sink, context, error => throw error, () => { }), "Sum");
        var feed = new Feed(input);
        feed.Run(3000);
        long before = sink.Count;
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        feed.Run(1500);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Assert.InRange(allocated, isShared ? 1 : bytes * (sink.Count - before), bytes * (sink.Count - before));
        Assert.True(sink.Count > before || query.Method.Name.Contains("Pattern", StringComparison.Ordinal), "Nothing came out.");
    }

    private record struct Last : IAccumulator<double, Last>
    {
        internal double Value;

        public void Add(in double value) => Value = value;

        public void Merge(in Last other) => Value = other.Value;
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
