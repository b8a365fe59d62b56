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
}
