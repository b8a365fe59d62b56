using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class TumblingTests
{
    [Fact]
    public void Late_event_within_the_allowance_corrects_the_window() =>
        Timeline.Of<double>()
            .At(3, 10).At(7, 20).Watermark(10)
            .At(9, 30).Watermark(12)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((10, 30), (10, 60));

    [Fact]
    public void Window_fires_when_the_watermark_reaches_its_end() =>
        Timeline.Of<double>()
            .At(3, 10).Watermark(9.999).At(9, 5).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)))
            .Expect((10, 15));

    [Fact]
    public void Start_is_inside_and_end_is_outside() =>
        Timeline.Of<double>()
            .At(0, 1).At(10, 2).At(19.999, 4).At(20, 8).Watermark(20).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)))
            .Expect((10, 1), (20, 6), (30, 8));

    [Fact]
    public void Windows_before_1970_are_cut_like_those_after() =>
        Timeline.Of<double>()
            .At(-0.001, 1).At(-10, 2).At(-10.001, 4).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)))
            .Expect((-10, 4), (0, 3));

    [Fact]
    public void Offset_moves_the_borders() =>
        Timeline.Of<double>()
            .At(2.999, 1).At(3, 2).At(12.999, 4).At(13, 8).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10), offset: Seconds(-7))).Select(w => w.Sum(x => x)))
            .Expect((3, 1), (13, 6), (23, 8));

    [Fact]
    public void Every_key_has_its_own_windows() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).At(3, "a", 3).At(4, "c", 4).Watermark(10).At(11, "a", 5).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)} {w.Count()}"))
            .ExpectSet((10, "a 4 2"), (10, "b 2 1"), (10, "c 4 1"), (20, "a 5 1"));

    [Fact]
    public void Late_event_in_a_window_that_had_no_events_gives_one_result() =>
        Timeline.Of<double>()
            .At(15, 1).Watermark(11)
            .At(9, 30).Watermark(11.5).At(8, 1).Watermark(12).At(9, 99).Watermark(20)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((10, 30), (10, 31), (20, 1));

    [Fact]
    public void Event_later_than_allowed_changes_nothing_and_is_counted()
    {
        var outcome = Timeline.Of<double>()
            .At(3, 10).Watermark(12).At(9, 30).Watermark(20)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((10, 10));
        Assert.Equal(1, outcome.LateEvents);
    }

    [Fact]
    public void Lateness_without_end_keeps_every_window_open() =>
        Timeline.Of<double>()
            .At(3, 10).Watermark(1000).At(9, 30).Watermark(1001)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(TimeSpan.MaxValue)).Select(w => w.Sum(x => x)))
            .Expect((10, 10), (10, 40));

    [Fact]
    public void Correction_tells_that_it_is_one_and_keeps_its_identity()
    {
        var outcome = Timeline.Keyed()
            .At(3, "a", 10).Watermark(10).At(9, "a", 30).At(9, "b", 1).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Select(w => w.IsUpdate))
            .WithIdentity().ExpectSet((10, false), (10, false), (10, true));
        Assert.Equal([EventKind.Insert, EventKind.Insert, EventKind.Update], outcome.Rows.Select(row => row.Kind).Order());
        var a = new ResultId("a", TicksAt(0), TicksAt(10), 0);
        Assert.Equal([a, a, a with { Key = "b" }], outcome.Rows.Select(row => row.Id!.Value).OrderBy(id => (string)id.Key!));
    }

    [Fact]
    public void Late_events_come_out_beside() =>
        Timeline.Of<double>()
            .At(3, 10).Watermark(12).At(9, 30).At(10, 1).At(1, 2).Watermark(20)
            .Through(s =>
            {
                s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Late(out var late);
                return late;
            })
            .Expect((9, 30), (1, 2));

    [Fact]
    public void Nan_makes_every_aggregate_of_its_window_nan() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, double.NaN).At(3, 2).At(11, 5).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => (w.Count(), w.Sum(x => x), w.Min(x => x), w.Max(x => x), w.Average(x => x))))
            .Expect((10, (3, double.NaN, double.NaN, double.NaN, double.NaN)), (20, (1, 5, 5, 5, 5)));

    [Fact]
    public void Infinities_of_both_signs_are_minimum_and_maximum() =>
        Timeline.Of<double>()
            .At(1, double.PositiveInfinity).At(2, double.NegativeInfinity).At(3, 2).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => (w.Sum(x => x), w.Min(x => x), w.Max(x => x))))
            .Expect((10, (double.NaN, double.NegativeInfinity, double.PositiveInfinity)));

    [Fact]
    public void Count_alone_needs_no_selector() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 1).At(11, 1).Watermark(10).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Count()))
            .Expect((10, 2L), (20, 1L));

    [Fact]
    public void Several_selectors_are_several_aggregates() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 5).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => (w.Sum(x => x), w.Min(x => -x), w.Max(x => x * 2), w.Average(x => x))))
            .Expect((10, (6, -5, 10, 3)));

    [Fact]
    public void More_than_four_selectors_are_aggregates_as_well() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 5).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10)))
                .Select(w => (w.Sum(x => x), w.Sum(x => x + 1), w.Sum(x => x + 2), w.Sum(x => x + 3), w.Sum(x => x + 4), w.Count())))
            .Expect((10, (6, 8, 10, 12, 14, 2)));

    [Fact]
    public void Seventeen_selectors_are_refused_with_a_remedy()
    {
        double[] offsets = [.. Enumerable.Range(0, 17)];
        var error = Timeline.Of<double>().At(1, 1).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w =>
            {
                double sum = 0;
                foreach (double offset in offsets)
                {
                    sum += w.Sum(x => x + offset, $"x + {offset}");
                }

                return sum;
            }))
            .ExpectError();
        Assert.Contains("Aggregate(accumulator", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Accumulator_takes_each_event() =>
        Timeline.Keyed()
            .At(1, "a", 3).At(2, "a", 4).At(3, "b", 5).Watermark(10).At(12, "a", 1).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Aggregate(new Product { Value = 1 }, (w, p) => $"{w.Key}{p.Value}"))
            .ExpectSet((10, "a12"), (10, "b5"), (20, "a1"));

    [Fact]
    public void Aggregate_asked_only_sometimes_stops_with_the_remedy()
    {
        var error = Timeline.Of<double>()
            .At(1, 1).At(2, 5).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Count() > 1 ? w.Sum(x => x) : 0))
            .ExpectError();
        Assert.Contains("not inside ?:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_keys_than_allowed_stop_the_query_with_the_remedy()
    {
        var error = Timeline.Keyed()
            .At(1, "a", 3).At(2, "b", 4).At(3, "c", 5).At(4, "d", 5).At(5, "e", 5).At(6, "f", 5).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Tumbling(Seconds(10))).Select(w => w.Key))
            .ExpectError();
        Assert.IsType<KeyLimitException>(error.InnerException);
        Assert.Contains("maxKeys:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Key_limit_counts_the_keys_of_one_window() =>
        Timeline.Keyed()
            .At(1, "a", 3).Watermark(10).At(12, "b", 4).Watermark(20).At(23, "c", 5).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Tumbling(Seconds(10))).Select(w => w.Key))
            .Expect((10, "a"), (20, "b"), (30, "c"));

    [Fact]
    public void Window_knows_its_key_and_its_bounds() =>
        Timeline.Keyed()
            .At(11, "a", 3).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => (w.Key, w.Start, w.End)))
            .Expect((20, ("a", Time(10), Time(20))));

    [Fact]
    public void Window_over_windows_adds_their_results() =>
        Timeline.Keyed()
            .At(1, "a", 3).At(2, "b", 4).At(11, "a", 5).Watermark(15).At(21, "b", 7).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value))
                .Window(Window.Tumbling(Seconds(20))).Select(w => w.Sum(x => x)))
            .Expect((20, 12), (40, 7));

    [Fact]
    public void Corrections_are_refused_where_they_can_not_be_taken()
    {
        var windows = new Input<double>().ToStream().Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(2))).Select(w => w.Sum(x => x));
        foreach (Action build in new Action[]
        {
            () => windows.Window(Window.Tumbling(Seconds(20))),
            () => windows.SelectMany(x => new[] { x }),
            () => windows.KeyBy(x => x).Silent(Seconds(1)),
            () => windows.Match(Pattern.Begin<double>(out _, x => x > 1)),
        })
        {
            Assert.Contains("AllowLate", Assert.Throws<ArgumentException>(build).Message, StringComparison.Ordinal);
        }
    }

    private struct Product : IAccumulator<Reading, Product>
    {
        internal double Value;

        public void Add(in Reading value) => Value *= value.Value;

        public void Merge(in Product other) => Value *= other.Value;
    }
}
