using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class HoppingTests
{
    [Fact]
    public void An_event_is_in_each_window_that_holds_it() =>
        Timeline.Of<double>()
            .At(3, 1).At(6, 2).At(11, 4).End()
            .Through(s => s.Window(Window.Hopping(Seconds(10), Seconds(5))).Select(w => w.Sum(x => x)))
            .Expect((5, 1), (10, 3), (15, 6), (20, 4));

    [Fact]
    public void Minimum_and_maximum_forget_what_left_the_window() =>
        Timeline.Of<double>()
            .At(1, 9).At(2, 5).At(3, 7).At(4, 6).Watermark(10)
            .Through(s => s.Window(Window.Hopping(Seconds(3), Seconds(1))).Select(w => (w.Min(x => x), w.Max(x => x))))
            .Expect((2, (9, 9)), (3, (5, 9)), (4, (5, 9)), (5, (5, 7)), (6, (6, 7)), (7, (6, 6)));

    [Fact]
    public void A_size_that_is_no_multiple_of_the_hop_is_cut_at_starts_and_ends() =>
        Timeline.Of<double>()
            .At(2.999, 1).At(3, 2).At(6.999, 4).At(7, 8).At(9.999, 16).At(10, 32).End()
            .Through(s => s.Window(Window.Hopping(Seconds(10), Seconds(7))).Select(w => w.Sum(x => x)))
            .Expect((3, 1), (10, 31), (17, 56));

    [Fact]
    public void Event_late_for_one_window_is_in_the_others() =>
        Timeline.Of<double>()
            .At(7, 1).Watermark(12).At(6, 2).Watermark(30)
            .Through(s => s.Window(Window.Hopping(Seconds(10), Seconds(5))).Select(w => w.Sum(x => x)))
            .Expect((10, 1), (15, 3));

    [Fact]
    public void Accumulators_slide_though_nothing_can_be_taken_out_of_them() =>
        Timeline.Keyed()
            .At(1, "a", 2).At(2, "a", 3).At(2, "b", 7).At(3, "a", 5).Watermark(3).At(4, "a", 11).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Hopping(Seconds(2), Seconds(1))).Aggregate(new Product { Value = 1 }, (w, p) => $"{w.Key}{p.Value}"))
            .ExpectSet((2, "a2"), (3, "a6"), (3, "b7"), (4, "a15"), (4, "b7"), (5, "a55"), (6, "a11"));

    [Fact]
    public void A_year_without_events_costs_nothing() =>
        Timeline.Of<double>()
            .At(1, 1).Watermark(31_536_000).At(31_536_001, 2).End()
            .Through(s => s.Window(Window.Hopping(Seconds(1), TimeSpan.FromMilliseconds(500))).Select(w => w.Sum(x => x)))
            .Expect((1.5, 1), (2, 1), (31_536_001.5, 2), (31_536_002, 2));

    [Fact]
    public void A_projection_that_throws_costs_one_result()
    {
        var outcome = Timeline.Keyed()
            .At(1, "a", 1).At(1, "b", 2).At(1, "c", 3).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Hopping(Seconds(4), Seconds(2)))
                .Select(w => w.Max(r => r.Value) == 2 && w.End == Time(4) ? throw new FormatException("no") : $"{w.Key}{w.Max(r => r.Value)}"))
            .Skipping().ExpectSet((2, "a1"), (2, "b2"), (2, "c3"), (4, "a1"), (4, "c3"));
        Assert.Single(outcome.DeadLetters);
    }

    [Fact]
    public void Several_sizes_share_their_events() =>
        Timeline.Of<double>()
            .At(1, 1).At(4, 2).At(8, 4).Watermark(10).At(11, 8).End()
            .Through(s => s.Window(Window.TumblingEach(Seconds(10), Seconds(3))).Select(w => ((w.End - w.Start).TotalSeconds, w.Sum(x => x))))
            .ExpectSet((3, (3, 1)), (6, (3, 2)), (9, (3, 4)), (10, (10, 7)), (12, (3, 8)), (20, (10, 8)));

    [Fact]
    public void A_day_with_a_change_of_clocks_has_its_own_length()
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        var start = new DateTimeOffset(2025, 3, 29, 23, 0, 0, TimeSpan.Zero);
        double at = (start - DateTimeOffset.UnixEpoch).TotalSeconds;
        Timeline.Of<double>()
            .At(at, 1).At(at + (23 * 3600) - 1, 2).At(at + (23 * 3600), 4).End()
            .Through(s => s.Window(Window.Calendar(CalendarUnit.Day, zone)).Select(w => ((w.End - w.Start).TotalHours, w.Sum(x => x))))
            .Expect((at + (23 * 3600), (23, 3)), (at + (47 * 3600), (24, 4)));
    }

    [Theory]
    [InlineData(CalendarUnit.Week, DayOfWeek.Monday, "2025-10-20T00:00+02:00", "2025-10-27T00:00+01:00")]
    [InlineData(CalendarUnit.Week, DayOfWeek.Sunday, "2025-10-26T00:00+02:00", "2025-11-02T00:00+01:00")]
    [InlineData(CalendarUnit.Month, DayOfWeek.Monday, "2025-10-01T00:00+02:00", "2025-11-01T00:00+01:00")]
    [InlineData(CalendarUnit.Quarter, DayOfWeek.Monday, "2025-10-01T00:00+02:00", "2026-01-01T00:00+01:00")]
    [InlineData(CalendarUnit.Year, DayOfWeek.Monday, "2025-01-01T00:00+01:00", "2026-01-01T00:00+01:00")]
    public void Units_of_the_calendar_begin_by_the_zones_clocks(CalendarUnit unit, DayOfWeek firstDay, string start, string end)
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        var spec = Window.Calendar(unit, zone, firstDay);
        var bounds = spec.Around(Ticks.From(DateTimeOffset.Parse("2025-10-26T12:00+01:00", null)));
        Assert.Equal((DateTimeOffset.Parse(start, null), DateTimeOffset.Parse(end, null)), (Ticks.ToTime(bounds.Start), Ticks.ToTime(bounds.End)));
    }

    [Fact]
    public void A_production_day_begins_at_six_by_the_zones_clocks()
    {
        var spec = Window.Calendar(CalendarUnit.Day, TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"), offset: TimeSpan.FromHours(6));
        var bounds = spec.Around(Ticks.From(DateTimeOffset.Parse("2025-10-26T05:59+01:00", null)));
        Assert.Equal(DateTimeOffset.Parse("2025-10-25T06:00+02:00", null), Ticks.ToTime(bounds.Start));
        Assert.Equal(TimeSpan.FromHours(25), TimeSpan.FromTicks(bounds.End - bounds.Start));
    }

    [Fact]
    public void Bad_windows_are_refused_with_the_argument_named()
    {
        Assert.Throws<ArgumentOutOfRangeException>("size", () => Window.Hopping(Seconds(0), Seconds(1)));
        Assert.Equal("hop", Assert.Throws<ArgumentOutOfRangeException>(() => Window.Hopping(Seconds(1), Seconds(2))).ParamName);
        Assert.Equal("hop", Assert.Throws<ArgumentOutOfRangeException>(() => Window.Hopping(Seconds(100_000), Seconds(1))).ParamName);
        Assert.Equal("hop", Assert.Throws<ArgumentOutOfRangeException>(() => Window.Hopping(Seconds(1), TimeSpan.Zero)).ParamName);
        Assert.Equal("sizes", Assert.Throws<ArgumentException>(() => Window.TumblingEach()).ParamName);
        Assert.Equal("sizes", Assert.Throws<ArgumentException>(() => Window.TumblingEach(Seconds(1), Seconds(1))).ParamName);
        Assert.Equal("zone", Assert.Throws<ArgumentNullException>(() => Window.Calendar(CalendarUnit.Day, null!)).ParamName);
        Assert.Equal("offset", Assert.Throws<ArgumentOutOfRangeException>(() => Window.Calendar(CalendarUnit.Day, TimeZoneInfo.Utc, offset: Seconds(-1))).ParamName);
    }

    private struct Product : IAccumulator<Reading, Product>
    {
        internal double Value;

        public void Add(in Reading value) => Value *= value.Value;

        public void Merge(in Product other) => Value *= other.Value;
    }
}
