using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class AtMostOncePerTests
{
    [Fact]
    public void First_event_of_an_interval_passes_and_the_next_interval_begins_with_the_next_event() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 2).At(3, "b", 3).At(6, "a", 4).At(7, "a", 5).At(12, "a", 6).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).AtMostOncePer(Seconds(5)))
            .Expect((1, new("a", 1)), (3, new("b", 3)), (6, new("a", 4)), (12, new("a", 6)));

    [Fact]
    public void Last_event_is_given_out_at_the_intervals_end() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 2).At(3, "b", 3).At(6, "a", 4).At(7, "a", 5).Watermark(10.999).Watermark(11)
            .Through(s => s.KeyBy(r => r.Key).AtMostOncePer(Seconds(5), Keep.Last))
            .Expect((6, new("a", 2)), (8, new("b", 3)), (11, new("a", 5)));

    [Fact]
    public void Interval_that_has_not_ended_gives_nothing_at_the_end_of_the_input() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 1).At(6, "a", 2).Watermark(6).End()
            .Through(s => s.KeyBy(r => r.Key).AtMostOncePer(Seconds(5), Keep.Last))
            .Expect((6, new("a", 1)));

    [Fact]
    public void Without_a_key_all_events_share_the_interval() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 2).At(6, "c", 3).End()
            .Through(s => s.AtMostOncePer(Seconds(5)))
            .Expect((1, new("a", 1)), (6, new("c", 3)));

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        var stream = new Input<double>().ToStream();
        Assert.Equal("interval", Assert.Throws<ArgumentOutOfRangeException>(() => stream.AtMostOncePer(TimeSpan.Zero)).ParamName);
        Assert.Equal("keep", Assert.Throws<ArgumentOutOfRangeException>(() => stream.AtMostOncePer(Seconds(1), (Keep)7)).ParamName);
    }
}
