using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class DistinctUntilChangedTests
{
    [Fact]
    public void Event_is_kept_when_its_value_is_another_than_its_keys_last() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 1).At(3, "a", 1).At(4, "a", 2).At(5, "b", 1).At(6, "a", 1).Watermark(6)
            .Through(s => s.KeyBy(r => r.Key).DistinctUntilChanged(r => r.Value))
            .Expect((1, new("a", 1)), (2, new("b", 1)), (4, new("a", 2)), (6, new("a", 1)));

    [Fact]
    public void Order_of_time_decides_and_not_that_of_arrival() =>
        Timeline.Of<double>().At(3, 7).At(1, 5).At(2, 5).Watermark(3).At(3, 7).Watermark(4)
            .Through(s => s.DistinctUntilChanged())
            .Expect((1, 5), (3, 7));

    [Fact]
    public void Comparer_with_a_tolerance_is_a_dead_band_around_the_last_one_kept() =>
        Timeline.Keyed().At(1, "a", 10).At(2, "a", 10.4).At(3, "a", 10.8).At(4, "a", 11).At(5, "a", 11.4).End()
            .Through(s => s.KeyBy(r => r.Key).DistinctUntilChanged(r => r.Value, new Within(1)).Select(r => r.Value))
            .Expect((1, 10), (4, 11));

    [Fact]
    public void Whole_event_is_compared_without_a_selector() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 1).At(3, "a", 2).End()
            .Through(s => s.KeyBy(r => r.Key).DistinctUntilChanged())
            .Expect((1, new("a", 1)), (3, new("a", 2)));

    [Fact]
    public void Key_without_events_for_so_long_is_new_wherever_the_watermark_stands() =>
        Timeline.Keyed().At(1, "a", 1).Watermark(1).At(5.9, "a", 1).At(10.9, "a", 1).At(15, "b", 1).Watermark(15).At(15.8, "a", 1).At(20, "b", 1).Watermark(21)
            .Through(s => s.KeyBy(r => r.Key).DistinctUntilChanged(r => r.Value, forgetAfter: Seconds(5)))
            .Expect((1, new("a", 1)), (10.9, new("a", 1)), (15, new("b", 1)), (20, new("b", 1)));

    [Fact]
    public void Late_events_are_left_out_and_counted() => Assert.Equal(1, Timeline.Of<double>().At(1, 1).Watermark(5).At(4, 2).At(5, 3).Watermark(6)
        .Through(s => s.DistinctUntilChanged()).Expect((1, 1), (5, 3)).LateEvents);

    [Fact]
    public void Forgotten_keys_cost_nothing()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Reading>(input, input.ToStream().KeyBy(r => r.Key, maxKeys: 11).DistinctUntilChanged(forgetAfter: Seconds(1)).Node, 1);
        for (int i = 0; i < 1000; i++)
        {
            run.Push([new Reading($"k{i}", 25)], [TicksAt(i * 0.1)]);
        }

        run.Advance(TicksAt(99.9));
        Assert.Equal((1000, 10), (run.Sink.Results.Count, Keys(run.Plan)));
        run.Advance(TicksAt(200));
        Assert.Equal(0, Keys(run.Plan));
        static int Keys(Plan plan) => plan.Operators
            .OfType<KeyedStepOperator<string, Reading, Reading, Reading, DistinctUntilChangedNode<string, Reading, Reading>.Step>>().Single().Keys;
    }

    [Fact]
    public void One_key_more_than_allowed_is_an_error_of_its_event_alone()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Reading>(
            input, input.ToStream().KeyBy(r => r.Key, maxKeys: 1).DistinctUntilChanged(r => r.Value).Node, 1, ErrorPolicy.Skip);
        run.Push([new("a", 1), new("b", 1), new("a", 2)], [1, 2, 3]);
        run.Complete();
        Assert.Equal([new("a", 1), new("a", 2)], run.Sink.Results.Select(row => row.Value));
        Assert.Equal(["b=1"], run.DeadLetters);
    }

    [Fact]
    public void Stream_that_corrects_itself_is_refused() => Assert.Throws<ArgumentException>(() => new Input<double>().ToStream()
        .Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(1))).Select(w => w.Count()).DistinctUntilChanged());

    private sealed class Within(double band) : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < band;

        public int GetHashCode(double obj) => 0;
    }
}
