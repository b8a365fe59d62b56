using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class PerEventWindowTests
{
    [Fact]
    public void Every_event_has_a_result_over_the_last_seconds() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 4).At(9, 8).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((1, 1), (2, 3), (3, 6), (9, 8));

    [Fact]
    public void Exactly_the_size_before_is_outside() =>
        Timeline.Of<double>().At(1, 1).At(2.9999, 2).At(3, 4).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => (w.Sum(x => x), w.Start > Time(1), w.End == Time(3).AddTicks(1) || w.End < Time(3))))
            .Expect((1, (1, false, true)), (3, (3, false, true)), (3, (6, true, true)));

    [Fact]
    public void Events_of_one_time_are_in_each_others_windows() =>
        Timeline.Keyed().At(5, "a", 1).At(5, "b", 10).At(5, "a", 2).At(6, "a", 4).Watermark(5.5).At(7, "b", 20).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(1))).Select(w => $"{w.Key} {w.Sum(r => r.Value)} {w.Max(r => r.Value)}"))
            .ExpectSet((5, "a 3 2"), (5, "a 3 2"), (5, "b 10 10"), (6, "a 4 4"), (7, "b 20 20"));

    [Fact]
    public void Event_at_the_watermark_is_on_time_and_joins_its_peers()
    {
        var outcome = Timeline.Of<double>().At(5, 1).Watermark(5).At(5, 2).At(4.9, 100).Watermark(5.1)
            .Through(s => s.Window(Window.Sliding(Seconds(1))).Select(w => w.Sum(x => x)))
            .Expect((5, 3), (5, 3));
        Assert.Equal(1, outcome.LateEvents);
    }

    [Fact]
    public void Disordered_events_are_taken_in_order_of_time() =>
        Timeline.Of<double>().At(3, 4).At(1, 1).At(2, 2).Watermark(2).At(2.5, 8).Watermark(9)
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((1, 1), (2, 3), (2.5, 11), (3, 14));

    [Fact]
    public void Result_comes_at_once_where_the_stream_is_in_order()
    {
        var input = new Input<double>(IsInOrder: true);
        using var run = new PlanRun<double, double>(input, input.ToStream().Window(Window.Sliding(Seconds(2))).Select(w => w.Sum(x => x)).Node, shards: 1);
        run.Push([1, 2, 4], [TicksAt(1), TicksAt(2), TicksAt(3)]);
        run.Advance(TicksAt(3));
        Assert.Equal([1, 3], run.Sink.Results.Select(r => r.Value));
    }

    [Fact]
    public void Look_ahead_waits_for_the_events_behind() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).Watermark(3).At(3, 4).Watermark(3.001).At(4, 8).Watermark(9).At(10, 16).End()
            .Through(s => s.Window(Window.Around(Seconds(1), Seconds(2))).Select(w => (w.Sum(x => x), w.Start, w.End.AddTicks(-1))))
            .Expect(
                (3, (7, Time(0), Time(3))), (4, (15, Time(1), Time(4))), (5, (14, Time(2), Time(5))), (6, (12, Time(3), Time(6))), (12, (16, Time(9), Time(12))));

    [Fact]
    public void Around_nothing_is_the_events_of_the_same_time() =>
        Timeline.Of<double>().At(1, 1).At(1, 2).At(2, 4).End()
            .Through(s => s.Window(Window.Around(TimeSpan.Zero, TimeSpan.Zero)).Select(w => w.Sum(x => x)))
            .Expect((1, 3), (1, 3), (2, 4));

    [Fact]
    public void Windows_before_1970_slide_like_those_after() =>
        Timeline.Of<double>().At(-3, 1).At(-1.5, 2).At(-0.5, 4).At(0.5, 8).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => (w.Sum(x => x), w.Max(x => -x))))
            .Expect((-3, (1, -1)), (-1.5, (3, -1)), (-0.5, (6, -2)), (0.5, (12, -4)));

    [Fact]
    public void Nan_leaves_the_window_and_nothing_of_it_stays() =>
        Timeline.Of<double>().At(1, 1e300).At(1.5, 1).At(2, double.NaN).At(2.5, 2).At(4, 3).At(4.2, double.PositiveInfinity).At(5.3, 0.5).End()
            .Through(s => s.Window(Window.Sliding(Seconds(1))).Select(w => (w.Sum(x => x), w.Min(x => x))))
            .Expect((1, (1e300, 1e300)), (1.5, (1e300, 1)), (2, (double.NaN, double.NaN)), (2.5, (double.NaN, double.NaN)), (4, (3, 3)),
                (4.2, (double.PositiveInfinity, 3)), (5.3, (0.5, 0.5)));

    [Fact]
    public void Large_value_that_has_left_takes_no_digits_along() =>
        Timeline.Of<double>().At(1, 1e300).At(1.1, 1e150).At(1.2, 1).At(2.05, 2).At(2.15, 3).End()
            .Through(s => s.Window(Window.Sliding(Seconds(1))).Select(w => (w.Sum(x => x), w.Average(x => x))))
            .Expect((1, (1e300, 1e300)), (1.1, (1e300, 5e299)), (1.2, (1e300, 1e300 / 3)), (2.05, (1e150, 1e150 / 3)), (2.15, (6, 2)));

    [Fact]
    public void Accumulators_that_can_not_be_inverted_slide() =>
        Timeline.Keyed().At(1, "a", 3).At(2, "a", 4).At(2, "b", 5).At(3, "a", 1).At(4, "a", 2).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(3))).Aggregate(new Product { Value = 1 }, (w, p) => $"{w.Key}{p.Value}"))
            .ExpectSet((1, "a3"), (2, "a12"), (2, "b5"), (3, "a12"), (4, "a8"));

    [Fact]
    public void Accumulators_in_a_projection_see_events_in_order_of_time() =>
        Timeline.Of<double>().At(2, 2).At(1, 1).At(3, 3).At(4, 4).At(8, 5).End()
            .Through(s => s.Window(Window.Around(Seconds(1), Seconds(1))).Select(w => w.Aggregate(default(Digits), x => x).Value + (w.Max(x => x) / 10)))
            .Expect((2, 12.2), (3, 123.3), (4, 234.4), (5, 34.4), (9, 5.5));

    [Fact]
    public void Equal_results_of_one_time_are_told_apart_by_their_ordinal()
    {
        var outcome = Timeline.Keyed().At(5, "a", 1).At(5, "b", 2).At(5, "a", 3).At(5, "a", 3).At(6, "a", 1).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Around(Seconds(1), Seconds(2))).Select(w => w.Count()))
            .WithIdentity().Run();
        Assert.Equal(
            [new ResultId("a", TicksAt(4), TicksAt(7) + 1, 0), new("a", TicksAt(4), TicksAt(7) + 1, 1), new("a", TicksAt(4), TicksAt(7) + 1, 2), new("a", TicksAt(5), TicksAt(8) + 1, 0)],
            outcome.Rows.Select(row => row.Id!.Value).Where(id => (string)id.Key! == "a"));
    }

    [Fact]
    public void Window_without_end_holds_all_events() =>
        Timeline.Of<double>().At(1, 1).At(1e6, 2).At(2e6, 4).End()
            .Through(s => s.Window(Window.Around(TimeWindows.Longest, TimeWindows.Longest)).Select(w => w.Sum(x => x)))
            .Run().Results.Select(r => r.Value).Order().ToList().ForEach(sum => Assert.Equal(7, sum));

    [Fact]
    public void Projection_that_throws_loses_its_result_and_nothing_else()
    {
        var outcome = Timeline.Of<double>().InOrder().At(1, 1).At(2, 2).At(3, 4).At(4, 8).Watermark(4).At(5, 16).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => w.Sum(x => x) is 3 or 12 ? throw new FormatException("no") : w.Sum(x => x)))
            .Skipping().Expect((1, 1), (3, 6), (5, 24));
        Assert.Equal(2, outcome.DeadLetters.Count);
    }

    [Fact]
    public void Selector_that_throws_loses_its_event_and_nothing_else() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 4).At(4, 8).Watermark(4).At(5, 16).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2))).Select(w => w.Sum(x => x == 4 ? throw new FormatException("no") : x)))
            .Skipping().Expect((1, 1), (2, 3), (4, 8), (5, 24));

    [Fact]
    public void More_events_of_a_key_than_allowed_fail_with_the_remedy()
    {
        var error = Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 4).End()
            .Through(s => s.Window(Window.Sliding(Seconds(9), maxEventsPerKey: 2)).Select(w => w.Sum(x => x)))
            .ExpectError();
        Assert.IsType<WindowLimitException>(error.InnerException);
        Assert.Contains("WindowOverflow.DropOldest", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Limit_counts_the_events_inside_the_window() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 4).At(4, 8).At(4, 16).End()
            .Through(s => s.Window(Window.Sliding(Seconds(2), maxEventsPerKey: 2)).Select(w => w.Sum(x => x)))
            .Skipping().Expect((1, 1), (2, 3), (3, 6), (4, 12));

    [Fact]
    public void Oldest_event_gives_way_at_the_limit()
    {
        var outcome = Timeline.Keyed().At(1, "a", 1).At(2, "a", 2).At(2, "b", 100).At(3, "a", 4).At(4, "a", 8).At(30, "a", 16).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(9), maxEventsPerKey: 2, whenFull: WindowOverflow.DropOldest)).Select(w => w.Sum(r => r.Value)))
            .ExpectSet((1, 1), (2, 100), (2, 3), (3, 6), (4, 12), (30, 16));
        Assert.Equal(2, outcome.DroppedWindowEvents);
    }

    [Fact]
    public void Events_that_gave_way_are_forgotten_before_their_time()
    {
        var input = new Input<Reading>(IsInOrder: true);
        using var run = new PlanRun<Reading, long>(input, input.ToStream().KeyBy(r => r.Key)
            .Window(Window.Sliding(Seconds(1e6), maxEventsPerKey: 10, whenFull: WindowOverflow.DropOldest)).Aggregate(new Counted(), (w, c) => c.Count).Node, shards: 1);
        for (int i = 0; i < 20_000; i++)
        {
            run.Push([new Reading($"k{i % 3}", 1)], [TicksAt(i)]);
            run.Advance(TicksAt(i));
        }

        var held = CountWindows(run.Plan).Held;
        Assert.Equal(3, held.Keys);
        Assert.InRange(held.Events, 30, 4_000);
        Assert.InRange(held.Blocks, 4, 9);
        Assert.All(run.Sink.Results.Skip(100), r => Assert.Equal(10, r.Value));
    }

    [Fact]
    public void Keys_and_events_are_forgotten_when_their_windows_have_passed()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, long>(
            input, input.ToStream().KeyBy(r => r.Key, maxKeys: 1000).Window(Window.Around(Seconds(1), Seconds(1))).Aggregate(new Counted(), (w, c) => c.Count).Node, shards: 1);
        var windows = CountWindows(run.Plan);
        for (int i = 0; i < 50_000; i++)
        {
            run.Push([new Reading($"k{i}", 1)], [TicksAt(i * 0.01)]);
            if (i % 50 == 0)
            {
                run.Advance(TicksAt(i * 0.01));
            }
        }

        Assert.InRange(windows.Held.Keys, 100, 400);
        run.Advance(TicksAt(503));
        Assert.Equal((0, 0, 0), windows.Held);
        Assert.Equal(50_000, run.Sink.Results.Count);
    }

    [Fact]
    public void More_keys_than_allowed_fail_with_the_remedy() =>
        Assert.IsType<KeyLimitException>(Timeline.Keyed().At(1, "a", 1).At(1.5, "b", 2).At(1.7, "c", 2).At(1.8, "d", 3).At(1.8, "e", 3).At(1.8, "f", 3).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Sliding(Seconds(1))).Select(w => w.Key)).ExpectError().InnerException);

    [Fact]
    public void Key_limit_counts_the_keys_with_an_open_window() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 2).At(3, "c", 4).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Sliding(Seconds(1))).Select(w => w.Key))
            .Expect((1, "a"), (2, "b"), (3, "c"));

    [Fact]
    public void Late_events_come_out_beside() =>
        Timeline.Of<double>().At(3, 10).Watermark(12).At(9, 30).At(12, 1).At(1, 2).Watermark(20)
            .Through(s =>
            {
                s.Window(Window.Sliding(Seconds(10))).Late(out var late);
                return late;
            })
            .Expect((9, 30), (1, 2));

    [Fact]
    public void Results_are_in_order_and_can_be_windowed_again() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(11, 4).Watermark(15).At(16, 8).End()
            .Through(s => s.Window(Window.Sliding(Seconds(5))).Select(w => w.Sum(x => x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)))
            .Expect((10, 3), (20, 8));

    [Fact]
    public void Misuse_is_refused_with_the_remedy()
    {
        Assert.Contains("maxDisorder", Assert.Throws<NotSupportedException>(() => Window.Sliding(Seconds(1)).AllowLate(Seconds(1))).Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.Zero, Window.Sliding(Seconds(1)).AllowLate(TimeSpan.Zero).AllowedLateness);
        Assert.Throws<ArgumentOutOfRangeException>("size", () => Window.Sliding(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>("before", () => Window.Around(Seconds(-1), TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>("after", () => Window.Around(TimeSpan.Zero, Seconds(-1)));
        Assert.Throws<ArgumentOutOfRangeException>("maxEventsPerKey", () => Window.Sliding(Seconds(1), maxEventsPerKey: 0));
        Assert.Throws<ArgumentOutOfRangeException>("whenFull", () => Window.Sliding(Seconds(1), whenFull: (WindowOverflow)7));
    }

    [Fact]
    public void Description_says_the_bounds() => Assert.Equal(
        ["sliding 00:00:02", "around, 00:00:01 before and 00:00:03 after, at most 5 events a key, then DropOldest"],
        new[] { Window.Sliding(Seconds(2)), Window.Around(Seconds(1), Seconds(3), 5, WindowOverflow.DropOldest) }.Select(w => w.ToString()));

    private static IPerEventWindows CountWindows(Plan plan) => (IPerEventWindows)plan.Operators.OfType<SortOperator<Reading>>().Single().Sorted;

    private struct Product : IAccumulator<Reading, Product>
    {
        internal double Value;

        public void Add(in Reading value) => Value *= value.Value;

        public void Merge(in Product other) => Value *= other.Value;
    }

    private struct Counted : IAccumulator<Reading, Counted>
    {
        internal long Count;

        public void Add(in Reading value) => Count++;

        public void Merge(in Counted other) => Count += other.Count;
    }

    /// <summary>The values as the digits of a number: an aggregate to which the order matters.</summary>
    private struct Digits : IAccumulator<double, Digits>
    {
        internal double Value;
        internal int Count;

        public void Add(in double value) => (Value, Count) = ((Value * 10) + value, Count + 1);

        public void Merge(in Digits other) => (Value, Count) = ((Value * Math.Pow(10, other.Count)) + other.Value, Count + other.Count);
    }
}
