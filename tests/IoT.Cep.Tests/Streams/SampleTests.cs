using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SampleTests
{
    [Fact]
    public void Latest_of_each_key_comes_at_the_boundary() =>
        Timeline.Keyed().At(1, "a", 1).At(9.999, "a", 2).At(5, "a", 3).At(7, "b", 4).Watermark(9.999).Watermark(10).At(10, "b", 5).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Sample(Seconds(10)))
            .ExpectSet((10, new("a", 2)), (10, new("b", 4)), (20, new("b", 5)));

    [Fact]
    public void Key_without_an_event_since_the_boundary_gives_nothing() =>
        Timeline.Of<double>().At(1, 1).Watermark(35).At(36, 2).Watermark(40)
            .Through(s => s.Sample(Seconds(10)))
            .Expect((10, 1), (40, 2));

    [Fact]
    public void Event_at_the_boundary_is_the_next_ones() =>
        Timeline.Of<double>().At(9, 1).At(10, 2).Watermark(10).Watermark(20)
            .Through(s => s.Sample(Seconds(10)))
            .Expect((10, 1), (20, 2));

    [Fact]
    public void Boundaries_are_aligned_before_1970_too() =>
        Timeline.Of<double>().At(-11, 1).At(-10, 2).At(-1, 3).At(0, 4).Watermark(1)
            .Through(s => s.Sample(Seconds(10)))
            .Expect((-10, 1), (0, 3));

    [Fact]
    public void Open_interval_comes_at_the_end_of_the_input_as_a_window_does() =>
        Timeline.Keyed().At(1, "a", 1).At(12, "b", 2).End()
            .Through(s => s.KeyBy(r => r.Key).Sample(Seconds(10)))
            .Expect((10, new("a", 1)), (20, new("b", 2)));

    [Fact]
    public void Window_of_the_same_size_counts_a_sample_where_it_was_taken() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 5).At(3, "b", 7).At(12, "a", 2).Watermark(30)
            .Through(s => s.KeyBy(r => r.Key).Sample(Seconds(10)).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}"))
            .ExpectSet((10, "a 5"), (10, "b 7"), (20, "a 2"));
}
