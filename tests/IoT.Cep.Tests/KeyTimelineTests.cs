using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Keys with a time of their own. The source's watermark only says when results go out.</summary>
public class KeyTimelineTests
{
    private static readonly KeyTimelineSpec _spec = new(Seconds(2), Seconds(10), Seconds(60));

    [Fact]
    public void Key_time_follows_its_own_events_and_its_silence()
    {
        KeyTimeline time = default;
        Assert.Equal(long.MinValue, time.Watermark);
        Assert.Equal(TicksAt(98), time.Observe(TicksAt(100), TicksAt(5), TicksAt(2)));
        Assert.Equal(TicksAt(98), time.Observe(TicksAt(99), TicksAt(6), TicksAt(2)));
        Assert.False(time.Advance(TicksAt(15.9), _spec));
        Assert.True(time.Advance(TicksAt(16), _spec));
        Assert.Equal(TicksAt(108), time.Watermark);
        Assert.Equal(TicksAt(108), time.Observe(TicksAt(101), TicksAt(17), TicksAt(2)));
        Assert.Equal(TicksAt(118), time.Observe(TicksAt(120), TicksAt(18), TicksAt(2)));
    }

    [Fact]
    public void Key_time_is_the_same_after_it_was_saved()
    {
        KeyTimeline time = default;
        time.Observe(TicksAt(100), TicksAt(5), TicksAt(2));
        time.Advance(TicksAt(20), _spec);
        var writer = new Extensibility.StateWriter();
        time.Save(writer);
        default(KeyTimeline).Save(writer);
        var reader = new Extensibility.StateReader(writer.Written);
        Assert.Equal(time, KeyTimeline.Load(reader));
        Assert.False(KeyTimeline.Load(reader).HasBegun);
    }

    [Fact]
    public void Key_that_is_behind_closes_its_own_windows_and_is_not_late() =>
        Timeline.Keyed()
            .At(7200, "a", 1).Watermark(7200)
            .At(1, "b", 2).At(12, "b", 3).At(25, "b", 4).Watermark(7200).At(7211, "a", 5).Watermark(7211)
            .Through(Windows())
            .Expect((10, "b 2"), (20, "b 3"), (7210, "a 1"));

    [Fact]
    public void Key_that_is_ahead_makes_no_other_late() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(5000, "b", 2).Watermark(5000).At(2, "a", 3).At(12, "a", 4).Watermark(5000).End()
            .Through(Windows())
            .ExpectSet((10, "a 4"), (20, "a 4"), (5010, "b 2"));

    [Fact]
    public void Two_hours_uploaded_at_once_are_all_their_windows()
    {
        var timeline = Timeline.Keyed().At(9000, "live", 1).Watermark(9000);
        for (int i = 0; i < 720; i++)
        {
            timeline.At(1800 + (i * 10), "back", i);
        }

        var outcome = timeline.At(9001, "live", 1).Watermark(9001).End().Through(Windows()).Run();
        Assert.Equal(721, outcome.Rows.Count);
        Assert.Equal(0, outcome.LateEvents);
    }

    [Fact]
    public void Event_late_by_its_own_key_is_late() =>
        Assert.Equal(1, Timeline.Keyed()
            .At(1, "a", 1).At(13, "a", 2).At(2, "a", 99).At(9, "b", 3).Watermark(0).End()
            .Through(Windows()).ExpectSet((10, "a 1"), (10, "b 3"), (20, "a 2")).LateEvents);

    [Fact]
    public void Disorder_is_that_of_the_key() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(11.9, "a", 2).At(3, "a", 4).Watermark(0).At(12, "a", 8).At(4, "a", 99).Watermark(0).End()
            .Through(Windows(Seconds(2)))
            .Expect((10, "a 5"), (20, "a 10"));

    [Fact]
    public void Silence_of_a_key_closes_its_windows_in_running_time() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).Running(8).Watermark(0).At(3, "b", 4).Running(9.5).Watermark(0).Running(11).Watermark(0).Running(19).Watermark(0)
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey(idleAfter: Seconds(9)).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}"))
            .Expect((10, "a 1"), (10, "b 6"));

    [Fact]
    public void Event_after_a_silence_is_late_by_it_whether_or_not_anybody_looked() =>
        Assert.Equal(1, Timeline.Keyed()
            .At(1, "a", 1).Running(10).At(2, "a", 2).Watermark(0).End()
            .Through(Windows()).Expect((10, "a 1")).LateEvents);

    [Fact]
    public void Late_event_that_is_allowed_corrects_its_keys_window() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(11, "a", 2).At(3, "a", 4).Watermark(0).At(13, "a", 8).Watermark(0).At(4, "a", 99).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(3))).Select(w => $"{w.Sum(r => r.Value)} {w.IsUpdate}"))
            .Expect((10, "1 False"), (10, "5 True"), (20, "10 False"));

    [Fact]
    public void Late_events_of_a_key_come_out_beside() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(5000, "b", 2).At(2, "a", 3).At(12, "a", 4).At(3, "a", 5).At(4999, "b", 6).At(4989, "b", 7).Watermark(5000).End()
            .Through(s =>
            {
                s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Tumbling(Seconds(10))).Late(out var late);
                return late;
            })
            .Expect((3, new Reading("a", 5)), (4989, new Reading("b", 7)), (4999, new Reading("b", 6)));

    [Fact]
    public void Key_that_was_silent_for_long_begins_anew() =>
        Timeline.Keyed()
            .At(100, "a", 1).Running(59).Watermark(0).Running(60).At(3, "a", 2).At(14, "a", 3).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey(forgetAfter: Seconds(60)).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}"))
            .Expect((110, "a 1"), (10, "a 2"), (20, "a 3"));

    [Fact]
    public void Keys_that_come_once_make_room_for_others()
    {
        var timeline = Timeline.Keyed();
        for (int i = 0; i < 300; i++)
        {
            timeline.At(i, $"key {i}", 1).Running(i * 10).Watermark(i);
        }

        var outcome = timeline.End().Through(s => s.KeyBy(r => r.Key, maxKeys: 20).TimelinePerKey(forgetAfter: Seconds(30))
            .Window(Window.Tumbling(Seconds(10))).Select(w => w.Count())).WithoutSaving().Run();
        Assert.Equal(300, outcome.Rows.Count);
    }

    [Fact]
    public void Projection_that_throws_costs_its_result_alone()
    {
        var outcome = Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).At(3, "a", 1).At(11, "a", 3).At(12, "b", 4).Watermark(0).At(21, "a", 5).At(22, "a", 5).At(23, "b", 6).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value) is var sum && w.Count() > 1
                ? throw new InvalidOperationException("no") : sum))
            .Skipping().ExpectSet((10, 2), (20, 3), (20, 4), (30, 6));
        Assert.Equal(2, outcome.DeadLetters.Count);
    }

    /// <summary>Each key alone, through windows that go by its own events, must give the same as all keys together.</summary>
    [Property(MaxTest = 60)]
    public void Keys_together_are_each_key_alone(int seed)
    {
        var random = new Random(seed);
        string[] keys = ["a", "b", "c", "d"];
        double watermark = -100;
        double[] skew = [0, -3600, 250, -17];
        var events = Enumerable.Range(0, 120).Select(i => (Key: random.Next(4), At: (i * 0.5) + random.Next(-8, 8), Value: (double)i)).ToList();
        var together = Timeline.Keyed();
        foreach (var (key, at, value) in events)
        {
            together.At(at + skew[key], keys[key], value);
            if (random.Next(4) == 0)
            {
                together.Watermark(watermark = Math.Max(watermark, at));
            }
        }

        var outcome = together.Watermark(1000).End().Through(Windows(Seconds(5))).Run();
        var expected = new List<(double, string)>();
        long late = 0;
        for (int key = 0; key < 4; key++)
        {
            var alone = Timeline.Keyed();
            foreach (var (_, at, value) in events.Where(e => e.Key == key))
            {
                alone.At(at + skew[key], keys[key], value);
            }

            var one = alone.End().Through(s => s.WithEventTime(r => Time(events[(int)r.Value].At + skew[events[(int)r.Value].Key]), Seconds(5))
                .KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}")).Run();
            expected.AddRange(one.Results);
            late += one.LateEvents;
        }

        Assert.Equal(expected.Order(), outcome.Results.Order());
        Assert.Equal(late, outcome.LateEvents);
    }

    /// <summary>The reference asks a key's time at each event, as no loop over a batch does.</summary>
    [Property(MaxTest = 60)]
    public void Keys_close_windows_by_their_events_and_their_silence(int seed)
    {
        var random = new Random(seed);
        var spec = new KeyTimelineSpec(Seconds(random.Next(3) * 7), Seconds(random.Next(1, 12)), Seconds(3600));
        var timeline = Timeline.Keyed();
        var times = new KeyTimeline[4];
        var counts = new SortedDictionary<(double End, int Key), long>();
        double running = 0;
        long late = 0;
        for (int i = 0; i < 150; i++)
        {
            if (random.Next(3) == 0)
            {
                timeline.Running(running += random.Next(5) * 0.75).Watermark(0);
            }

            int key = random.Next(random.Next(1, 5));
            double at = (i * 0.4) + random.Next(-9, 4) + (key * 500), end = (Math.Floor(at / 10) + 1) * 10;
            timeline.At(at, $"{key}", key);
            times[key].Advance(TicksAt(running), spec);
            bool isLate = TicksAt(end) <= times[key].Watermark;
            late += isLate ? 1 : 0;
            counts[(end, key)] = counts.GetValueOrDefault((end, key)) + (isLate ? 0 : 1);
            times[key].Observe(TicksAt(at), TicksAt(running), spec.MaxDisorder.Ticks);
        }

        var outcome = timeline.End().Through(s => s.KeyBy(r => (int)r.Value).TimelinePerKey(spec.MaxDisorder, spec.IdleAfter)
            .Window(Window.Tumbling(Seconds(10))).Select(w => (long)(w.Key * 1000) + w.Count())).Run();
        Assert.Equal(counts.Where(c => c.Value > 0).Select(c => (c.Key.End, (c.Key.Key * 1000) + c.Value)).Order(), outcome.Results.Order());
        Assert.Equal(late, outcome.LateEvents);
    }

    /// <summary>More than a core's second cache holds: selectors run ahead then, and an event that fails among them costs itself alone.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Many_keys_are_each_in_its_own_time(bool byNumber)
    {
        const int Keys = 6_000;
        var timeline = Timeline.Keyed();
        for (int i = 0; i < Keys * 3; i++)
        {
            int key = i * 7 % Keys;
            timeline.At(key + (i / Keys * 6), $"{key}", i % 1000 == 17 ? -1 : 1);
            if (i % 2_500 == 0)
            {
                timeline.Watermark(0);
            }
        }

        var scenario = byNumber
            ? timeline.Watermark(0).End().Through(s => Sums(s.KeyBy(r => int.Parse(r.Key, System.Globalization.CultureInfo.InvariantCulture))))
            : timeline.Watermark(0).End().Through(s => Sums(s.KeyBy(r => r.Key)));
        var outcome = scenario.Skipping().WithoutSaving().Run();
        Assert.Equal(Keys * 3 / 1000, outcome.DeadLetters.Count);
        Assert.Equal(Keys * 2.997, outcome.Results.Sum(result => result.Value), 1e-6);
        Assert.Equal(0, outcome.LateEvents);
        Assert.InRange(outcome.Rows.Count, Keys * 2 - 18, Keys * 2.5);
    }

    [Fact]
    public void Results_have_the_sources_time()
    {
        var stream = new Input<Reading>().ToStream().KeyBy(r => r.Key).TimelinePerKey();
        var windows = stream.Window(Window.Tumbling(Seconds(10))).Select(w => new Reading(w.Key, w.Sum(r => r.Value)));
        Assert.False(windows.Node.IsOrdered);
        Assert.Contains("in its own time, disorder 00:00:00, idle after 00:00:10", windows.Node.Text, StringComparison.Ordinal);
        Assert.Contains("begins at one source", Assert.Throws<ArgumentException>(() => windows.KeyBy(r => r.Key).TimelinePerKey()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Input<Reading>().ToStream().Union(new Input<Reading>().ToStream()).KeyBy(r => r.Key).TimelinePerKey());
        Assert.Throws<ArgumentOutOfRangeException>(() => new Input<Reading>().ToStream().KeyBy(r => r.Key).TimelinePerKey(Seconds(-1)));
        Assert.Contains(
            "leave 'expected' out", Assert.Throws<NotSupportedException>(() => stream.Silent(Seconds(10), expected: ["a"])).Message, StringComparison.Ordinal);
    }

    private static IEventStream<double> Sums<TKey>(IKeyedStream<TKey, Reading> stream)
        where TKey : notnull => stream.TimelinePerKey().Window(Window.Tumbling(Seconds(10)))
            .Select(w => w.Sum(r => r.Value < 0 ? throw new InvalidOperationException("no") : r.Value));

    private static Func<IEventStream<Reading>, IEventStream<string>> Windows(TimeSpan maxDisorder = default) =>
        s => s.KeyBy(r => r.Key).TimelinePerKey(maxDisorder).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}");
}
