using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class ScanTests
{
    [Fact]
    public void State_runs_along_each_keys_events_in_order_of_time() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 10).At(4, "a", 4).At(3, "a", 2).Watermark(4).At(5, "b", 20).Watermark(5)
            .Through(s => s.KeyBy(r => r.Key).Scan(0.0, (sum, r) => sum + r.Value))
            .Expect((1, 1), (2, 10), (3, 3), (4, 7), (5, 30));

    [Fact]
    public void Result_is_of_the_event_and_the_state_behind_it() =>
        Timeline.Keyed().At(1, "a", 3).At(2, "b", 1).At(3, "a", 2).Watermark(3)
            .Through(s => s.KeyBy(r => r.Key).Scan((Count: 0, Max: double.MinValue), (m, r) => (m.Count + 1, Math.Max(m.Max, r.Value)), (r, m) => $"{r.Key} {m.Count} {m.Max}"))
            .Expect((1, "a 1 3"), (2, "b 1 1"), (3, "a 2 3"));

    [Fact]
    public void Forgotten_key_begins_with_the_seed() =>
        Timeline.Keyed().At(1, "a", 1).At(5.9, "a", 2).At(10.9, "a", 4).Watermark(11)
            .Through(s => s.KeyBy(r => r.Key).Scan(100.0, (sum, r) => sum + r.Value, forgetAfter: Seconds(5)))
            .Expect((1, 101), (5.9, 103), (10.9, 104));

    [Fact]
    public void Event_at_which_it_throws_leaves_the_state_as_it_was()
    {
        var outcome = Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 3).At(4, 4).End()
            .Through(s => s.Scan(0.0, (sum, x) => x == 1 ? throw new FormatException("bad") : sum + x, (x, sum) => x == 3 ? throw new FormatException("bad") : sum))
            .Skipping().Expect((2, 2), (4, 6));
        Assert.Equal(["1", "3"], outcome.DeadLetters);
    }

    [Fact]
    public void State_without_a_codec_runs_and_says_that_it_cannot_be_saved()
    {
        var input = new Input<double>();
        using var run = new PlanRun<double, int>(input, input.ToStream().Scan(new List<double>(), (all, x) => [.. all, x], (_, all) => all.Count).Node, 1);
        run.Push([1, 2], [1, 2]);
        run.Advance(2);
        Assert.Equal([1, 2], run.Sink.Results.Select(row => row.Value));
        Assert.Contains("can't be saved", Assert.Throws<NotSupportedException>(() => run.Save()).Message, StringComparison.Ordinal);
    }
}
