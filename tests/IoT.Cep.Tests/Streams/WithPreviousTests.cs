using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class WithPreviousTests
{
    [Fact]
    public void Event_stands_beside_the_one_before_it_of_its_key() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 10).At(4, "a", 5).At(3, "a", 2).At(5, "b", 11).Watermark(5)
            .Through(s => s.KeyBy(r => r.Key).WithPrevious((previous, current) => current.Value - previous.Value))
            .Expect((3, 1), (4, 3), (5, 1));

    [Fact]
    public void Several_previous_events_are_as_many_as_there_are() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 3).At(4, 4).At(5, 5).Watermark(5)
            .Through(s => s.WithPrevious(3, (previous, current) => string.Join(' ', previous.ToArray()) + $" | {current}"))
            .Expect((1, " | 1"), (2, "1 | 2"), (3, "1 2 | 3"), (4, "1 2 3 | 4"), (5, "2 3 4 | 5"));

    [Fact]
    public void Key_that_was_forgotten_begins_anew() =>
        Timeline.Keyed().At(1, "a", 1).At(5.9, "a", 2).At(10.9, "a", 4).At(11, "a", 8).Watermark(11)
            .Through(s => s.KeyBy(r => r.Key).WithPrevious(2, (previous, current) => previous.Length + current.Value, forgetAfter: Seconds(5)))
            .Expect((1, 1), (5.9, 3), (10.9, 4), (11, 9));

    [Fact]
    public void Pair_across_a_gap_is_none() =>
        Timeline.Keyed().At(1, "a", 1).At(6, "a", 2).At(7, "a", 4).Watermark(11)
            .Through(s => s.KeyBy(r => r.Key).WithPrevious((previous, current) => current.Value - previous.Value, forgetAfter: Seconds(5)))
            .Expect((7, 2));

    [Fact]
    public void Event_at_which_it_throws_is_no_ones_previous() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 3).At(4, 4).End()
            .Through(s => s.WithPrevious(2, (previous, current) => current == 2 ? throw new FormatException("bad") : string.Join(' ', previous.ToArray())))
            .Skipping().Expect((1, ""), (3, "1"), (4, "1 3"));

    [Theory]
    [InlineData(0)]
    [InlineData(1001)]
    public void Wrong_number_of_events_is_refused(int count) => Assert.Equal(
        "count", Assert.Throws<ArgumentOutOfRangeException>(() => new Input<double>().ToStream().WithPrevious(count, (previous, current) => current)).ParamName);
}
