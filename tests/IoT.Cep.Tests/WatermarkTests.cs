using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Watermark strategies. Values are their own times, in seconds; half seconds are markers.</summary>
public class WatermarkTests
{
    private static readonly Watermarks<double> _markers = Watermarks.Punctuated((double x) => IsMarker(x) ? Time(x - 0.5) : null);

    private static readonly Watermarks<double> _thirdLatest = Watermarks.From(() => new ThirdLatest());

    [Fact]
    public void Monotonic_closes_a_window_at_its_end() =>
        Of(3, 9, 10, 9).Through(Counts(Watermarks.Monotonic)).Expect((10, 2L));

    [Fact]
    public void Bounded_disorder_is_what_max_disorder_says() =>
        Of(3, 12, 9, 4, 13, 25, 11, 12, 30, 35).Through(Counts(Watermarks.BoundedDisorder(Seconds(2)))).Expect((10, 1L), (20, 2L), (30, 1L));

    [Fact]
    public void Marker_closes_what_lies_before_it_and_nothing_else_does() =>
        Of(3, 100, 9, 10.5, 9, 200).Through(Counts(_markers)).Expect((10, 2L));

    [Fact]
    public void Marker_is_not_late_by_what_it_says_itself()
    {
        var outcome = Timeline.Of<double>().At(0, 3).At(0, 9).At(0, 4).Through(s =>
            Counts(Watermarks.Punctuated((double x) => x == 9 ? Time(20) : null))(s)).Expect((10, 2L));
        Assert.Equal(1, outcome.LateEvents);
    }

    [Fact]
    public void Marker_that_goes_back_changes_nothing() =>
        Of(3, 20.5, 11, 5.5, 21, 30.5).Through(Counts(_markers)).Expect((10, 1L), (30, 2L));

    [Fact]
    public void Strategy_of_ones_own_is_saved_with_the_query() =>
        Of(1, 12, 3, 14, 11, 25, 24, 26).Through(Counts(_thirdLatest)).Expect((10, 2L), (20, 3L));

    [Property(MaxTest = 60)]
    public void Strategies_give_the_same_as_one_event_at_a_time(int seed)
    {
        var random = new Random(seed);
        double[] times = [.. Enumerable.Range(0, 60).Select(i => (i / 2) + random.Next(-12, 3) + (random.Next(5) == 0 ? 0.5 : 0))];
        Check(times, Watermarks.Monotonic, seen => seen.Max());
        Check(times, Watermarks.BoundedDisorder(Seconds(4)), seen => seen.Max() - 4);
        Check(times, _markers, seen => seen.Where(IsMarker).Select(x => x - 0.5).DefaultIfEmpty(double.MinValue).Max());
        Check(times, _thirdLatest, seen => seen.Count < 3 ? double.MinValue : seen.OrderDescending().ElementAt(2));
    }

    [Fact]
    public void Strategy_that_throws_costs_the_event_alone()
    {
        var outcome = Of(1, 2, -7, 3, 12).End().Through(Counts(Watermarks.From(() => new Failing()))).Skipping().Expect((10, 3L), (20, 1L));
        Assert.Single(outcome.DeadLetters);
    }

    [Theory]
    [InlineData("tumbling", 1)]
    [InlineData("hopping", 2)]
    [InlineData("session", 1)]
    [InlineData("calendar", 1)]
    [InlineData("around", 2)]
    public async Task Strategy_that_says_nothing_comes_any_more_makes_all_that_follows_late(string windows, int results)
    {
        WindowSpec spec = windows switch
        {
            "tumbling" => Window.Tumbling(Seconds(10)),
            "hopping" => Window.Hopping(Seconds(20), Seconds(10)),
            "session" => Window.Session(TimeWindows.Longest),
            "calendar" => Window.Calendar(CalendarUnit.Year, TimeZoneInfo.Utc),
            _ => Window.Around(TimeWindows.Longest, TimeWindows.Longest),
        };
        IEventStream<long> Query(IEventStream<double> stream) =>
            stream.WithEventTime(x => Time(x), Watermarks.From(() => new Last())).Window(spec).Select(w => w.Count());
        var outcome = Of(1, 2, 50, 3, 60).End().Through(Query).Run();
        Assert.Equal((results, 3L), (outcome.Results.Count(), outcome.LateEvents));
        var sink = new Collecting<long>();
        await using var engine = new CepEngine();
        var query = Query(engine.From(Source.FromMemory<double>(new double[] { 1, 2, 50, 3, 60 }, new long[5]))).To(sink);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal((outcome.Results.Sum(r => r.Value), 3L), (sink.Results.Sum(), query.LateEvents));
    }

    [Fact]
    public void Strategy_is_named_in_the_plan()
    {
        Assert.Contains("marker (double x) => x > 1 ? Time(x) : null", TextOf(Watermarks.Punctuated((double x) => x > 1 ? Time(x) : null)), StringComparison.Ordinal);
        Assert.Contains("watermarks () => new ThirdLatest()", TextOf(Watermarks.From(() => new ThirdLatest())), StringComparison.Ordinal);
        Assert.Contains("disorder 00:00:02, idle after never", TextOf(Watermarks.BoundedDisorder(Seconds(2)), Timeout.InfiniteTimeSpan), StringComparison.Ordinal);
    }

    [Fact]
    public void Misuse_throws_when_the_query_is_built()
    {
        var stream = new Input<double>().ToStream();
        Assert.Throws<ArgumentOutOfRangeException>(() => Watermarks.BoundedDisorder(Seconds(-1)));
        Assert.Throws<ArgumentNullException>(() => Watermarks.Punctuated<double>(null!));
        Assert.Throws<ArgumentNullException>(() => stream.WithEventTime(x => Time(x), (Watermarks<double>)null!));
        Assert.Throws<ArgumentOutOfRangeException>("idleAfter", () => stream.WithEventTime(x => Time(x), Watermarks.Monotonic, idleAfter: Seconds(0)));
        Assert.Throws<ArgumentOutOfRangeException>("maxFuture", () => stream.WithEventTime(x => Time(x), maxFuture: Seconds(-1)));
    }

    private static bool IsMarker(double x) => Math.Abs(x % 1) == 0.5;

    private static string TextOf(Watermarks<double> watermarks, TimeSpan? idleAfter = null) =>
        new Input<double>().ToStream().WithEventTime(x => Time(x), watermarks, idleAfter).Node.Text;

    private static Func<IEventStream<double>, IEventStream<long>> Counts(Watermarks<double> watermarks) =>
        s => s.WithEventTime(x => Time(x), watermarks).Window(Window.Tumbling(Seconds(10))).Select(w => w.Count());

    /// <summary>The reference: an event is late if its window's end is not above the watermark of the events before it.</summary>
    private static void Check(double[] times, Watermarks<double> watermarks, Func<IReadOnlyList<double>, double> watermarkOf)
    {
        var counts = new SortedDictionary<double, long>();
        var seen = new List<double>();
        double watermark = double.MinValue;
        long late = 0;
        foreach (double time in times)
        {
            // With marks no watermark stands before the first event; by times, that of the first event does, and can't make it late.
            double end = (Math.Floor(time / 10) + 1) * 10;
            if (end <= watermark)
            {
                late++;
            }
            else
            {
                counts[end] = counts.GetValueOrDefault(end) + 1;
            }

            seen.Add(time);
            watermark = Math.Max(watermark, watermarkOf(seen));
        }

        var outcome = Of(times).End().Through(Counts(watermarks)).Run();
        Assert.Equal(counts.Select(c => (c.Key, c.Value)), outcome.Results.Order());
        Assert.Equal(late, outcome.LateEvents);
    }

    private static Timeline<double> Of(params double[] seconds)
    {
        var timeline = Timeline.Of<double>();
        foreach (double time in seconds)
        {
            timeline.At(0, time);
        }

        return timeline;
    }

    /// <summary>Believes a time when it has seen two that are as late: one device whose clock is ahead closes nothing.</summary>
    internal sealed class ThirdLatest : WatermarkStrategy<double>
    {
        private readonly long[] _latest = [long.MinValue, long.MinValue, long.MinValue];

        public override void Observe(in Batch<double> batch, Span<long> watermarks)
        {
            for (int i = 0; i < batch.Length; i++)
            {
                if (batch.Ticks[i] > _latest[0])
                {
                    _latest[0] = batch.Ticks[i];
                    Array.Sort(_latest);
                }

                watermarks[i] = _latest[0];
            }
        }

        public override void Save(StateWriter writer)
        {
            foreach (long ticks in _latest)
            {
                writer.Int64(ticks);
            }
        }

        public override void Load(StateReader reader)
        {
            for (int i = 0; i < _latest.Length; i++)
            {
                _latest[i] = reader.Int64();
            }
        }
    }

    /// <summary>Says at 2 that nothing comes any more.</summary>
    private sealed class Last : WatermarkStrategy<double>
    {
        public override void Observe(in Batch<double> batch, Span<long> watermarks)
        {
            for (int i = 0; i < batch.Length; i++)
            {
                watermarks[i] = batch.Events[i] == 2 ? long.MaxValue : batch.Ticks[i];
            }
        }

        public override void Save(StateWriter writer)
        {
        }

        public override void Load(StateReader reader)
        {
        }
    }

    private sealed class Failing : WatermarkStrategy<double>
    {
        public override void Observe(in Batch<double> batch, Span<long> watermarks)
        {
            foreach (double value in batch.Events)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(value);
            }

            batch.Ticks.CopyTo(watermarks);
        }

        public override void Save(StateWriter writer)
        {
        }

        public override void Load(StateReader reader)
        {
        }
    }
}
