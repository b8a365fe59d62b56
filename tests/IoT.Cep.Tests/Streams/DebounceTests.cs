using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class DebounceTests
{
    [Fact]
    public void Event_comes_when_its_key_has_been_quiet() =>
        Timeline.Keyed().At(1, "a", 1).At(3, "a", 2).At(4, "b", 3).Watermark(7.999).Watermark(8).Watermark(9)
            .Through(s => s.KeyBy(r => r.Key).Debounce(Seconds(5)))
            .Expect((8, new("a", 2)), (9, new("b", 3)));

    [Fact]
    public void Event_exactly_that_much_later_comes_too_late_to_replace_it() =>
        Timeline.Keyed().At(1, "a", 1).At(6, "a", 2).At(10.999, "a", 3).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Debounce(Seconds(5)))
            .Expect((6, new("a", 1)), (15.999, new("a", 3)));

    [Fact]
    public void Disorder_within_the_watermark_is_put_right() =>
        Timeline.Keyed().At(1, "a", 1).At(8, "a", 3).At(4, "a", 2).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).Debounce(Seconds(5)))
            .ExpectNothing();

    [Fact]
    public void Of_events_at_one_time_the_last_to_come_counts() =>
        Timeline.Of<double>().At(1, 1).At(1, 2).Watermark(1).At(1, 3).Watermark(9)
            .Through(s => s.Debounce(Seconds(5)))
            .Expect((6, 3));

    [Fact]
    public void The_end_of_the_input_is_no_quiet_time() =>
        Timeline.Keyed().At(1, "a", 1).At(3, "b", 2).At(6, "b", 3).Watermark(6).End()
            .Through(s => s.KeyBy(r => r.Key).Debounce(Seconds(5)))
            .Expect((6, new("a", 1)));

    [Fact]
    public void Key_that_is_quiet_is_not_remembered()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Reading>(input, input.ToStream().KeyBy(r => r.Key, maxKeys: 2).Debounce(Seconds(5)).Node, 1);
        run.Push([new("a", 1), new("b", 1)], [TicksAt(1), TicksAt(2)]);
        var held = run.Plan.Operators.OfType<HeldLatestOperator<string, Reading>>().Single();
        run.Advance(TicksAt(2));
        Assert.Equal(2, held.Held);
        run.Advance(TicksAt(6));
        Assert.Equal(1, held.Held);
        run.Push([new("c", 1)], [TicksAt(6)]);
        run.Advance(TicksAt(20));
        Assert.Equal((0, 3), (held.Held, run.Sink.Results.Count));
    }

    [Fact]
    public void Longest_span_does_not_overflow() =>
        Timeline.Of<double>().At(1, 1).At(2, 1).Watermark(100)
            .Through(s => s.Debounce(TimeWindows.Longest))
            .ExpectNothing();
}
