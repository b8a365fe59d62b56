using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SilentTests
{
    [Fact]
    public void Key_falls_silent_when_the_watermark_has_passed() =>
        Timeline.Keyed().At(1, "a", 0).Watermark(5.999).Watermark(6).Watermark(100)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .Expect((6, new("a", Time(1), false)));

    [Fact]
    public void Key_comes_back() =>
        Timeline.Keyed().At(1, "a", 0).Watermark(7).At(8, "a", 0).Watermark(9).Watermark(13)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .Expect((6, new("a", Time(1), false)), (8, new("a", Time(8), true)), (13, new("a", Time(8), false)));

    [Fact]
    public void Event_before_the_border_prevents_it() =>
        Timeline.Keyed().At(1, "a", 0).At(5.999, "a", 0).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .ExpectNothing();

    [Fact]
    public void Event_at_the_border_comes_too_late() =>
        Timeline.Keyed().At(1, "a", 0).At(6, "a", 0).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .Expect((6, new("a", Time(1), false)), (6, new("a", Time(6), true)));

    [Fact]
    public void Disorder_within_the_watermark_is_put_right() =>
        Timeline.Keyed().At(1, "a", 0).At(9, "a", 0).At(5, "a", 0).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .ExpectNothing();

    [Fact]
    public void Expected_keys_are_missed_from_the_first_watermark() =>
        Timeline.Keyed().At(1, "a", 0).Watermark(2).At(3, "a", 0).Watermark(7)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5), expected: ["a", "b"]))
            .Expect((7, new("b", Time(2), false)));

    [Fact]
    public void Forgotten_key_returns_unannounced() =>
        Timeline.Keyed().At(1, "a", 0).Watermark(6).Watermark(11).At(12, "a", 0).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5), forgetAfter: Seconds(10)))
            .Expect((6, new("a", Time(1), false)));

    [Fact]
    public void Forgetting_does_not_depend_on_the_watermarks() =>
        Timeline.Keyed().At(1, "a", 0).Watermark(6).At(12, "a", 0).At(10.9, "b", 0).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5), forgetAfter: Seconds(10)))
            .Expect((6, new("a", Time(1), false)));

    [Fact]
    public void Many_keys_fall_silent_and_are_forgotten_in_any_order()
    {
        var timeline = Timeline.Keyed();
        for (int i = 0; i < 200; i++)
        {
            timeline.At(i * 7 % 50 / 10.0, $"k{i * 13 % 40}", i);
            if (i % 20 == 19)
            {
                timeline.Watermark(i / 50.0);
            }
        }

        var outcome = timeline.Watermark(60).Watermark(100).End()
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(2), forgetAfter: Seconds(20))).Run();
        Assert.Equal(40, outcome.Rows.Where(row => !row.Value.Returned).Select(row => row.Value.Key).Distinct().Count());
    }

    [Fact]
    public void Forgetting_before_silence_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Input<Reading>().ToStream().KeyBy(r => r.Key).Silent(Seconds(5), forgetAfter: Seconds(5)));

    [Fact]
    public void The_end_of_the_input_is_no_silence() =>
        Timeline.Keyed().At(1, "a", 0).At(3, "b", 0).End()
            .Through(s => s.KeyBy(r => r.Key).Silent(Seconds(5)))
            .ExpectNothing();
}
