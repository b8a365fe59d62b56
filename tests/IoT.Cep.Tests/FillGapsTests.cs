using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class FillGapsTests
{
    [Fact]
    public void The_last_value_holds_until_the_watermark_has_passed() =>
        Timeline.Keyed().At(0.5, "a", 1).At(2.5, "a", 2).Watermark(4).Watermark(4.001)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, maxGap: Seconds(10)))
            .Expect((1, At("a", 1, 1)), (2, At("a", 2, 1)), (3, At("a", 3, 2)), (4, At("a", 4, 2)));

    [Fact]
    public void An_event_at_an_instant_is_its_value_and_of_several_the_last_to_arrive() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 5).Watermark(2).At(2, "a", 6).Watermark(3)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, maxGap: Seconds(10)))
            .Expect((1, At("a", 1, 1, false)), (2, At("a", 2, 6, false)));

    [Fact]
    public void A_line_is_drawn_to_the_next_event() =>
        Timeline.Keyed().At(0, "a", 10).At(4, "a", 30).At(4.5, "a", 0).Watermark(5)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(10), Interpolation.Linear))
            .Expect((0, At("a", 0, 10, false)), (1, At("a", 1, 15)), (2, At("a", 2, 20)), (3, At("a", 3, 25)), (4, At("a", 4, 30, false)));

    [Fact]
    public void A_line_goes_to_and_from_the_last_to_arrive_of_one_time() =>
        Timeline.Keyed().At(0, "a", 5).At(0, "a", 0).At(2, "a", 10).At(2, "b", 7).Watermark(2).At(2, "a", 100).At(3, "b", 9).Watermark(3).At(4, "a", 0).Watermark(5)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(10), Interpolation.Linear))
            .Expect((0, At("a", 0, 0, false)), (2, At("b", 2, 7, false)), (1, At("a", 1, 50)), (2, At("a", 2, 100, false)), (3, At("b", 3, 9, false)),
                (3, At("a", 3, 50)), (4, At("a", 4, 0, false)));

    [Fact]
    public void A_line_is_drawn_when_time_has_passed_its_end_or_there_is_no_more_input()
    {
        var timeline = Timeline.Keyed().At(0, "a", 0).At(2.5, "a", 10).Watermark(2.5);
        timeline.Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(2.5), Interpolation.Linear))
            .Expect((0, At("a", 0, 0, false)));
        timeline.At(2.5, "a", 5);
        timeline.End().Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(2.5), Interpolation.Linear))
            .Expect((0, At("a", 0, 0, false)), (1, At("a", 1, 2)), (2, At("a", 2, 4)));
    }

    [Fact]
    public void A_long_gap_stays_a_gap_for_a_line() =>
        Timeline.Keyed().At(0, "a", 10).At(4, "a", 30).At(6, "a", 40).Watermark(7)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(3), Interpolation.Linear))
            .Expect((0, At("a", 0, 10, false)), (4, At("a", 4, 30, false)), (5, At("a", 5, 35)), (6, At("a", 6, 40, false)));

    [Fact]
    public void A_value_holds_no_longer_than_the_longest_gap() =>
        Timeline.Keyed().At(0, "a", 10).Watermark(9).At(9, "a", 1).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(2)))
            .Expect((0, At("a", 0, 10, false)), (1, At("a", 1, 10)), (2, At("a", 2, 10)), (9, At("a", 9, 1, false)));

    [Fact]
    public void Nothing_is_made_up_behind_the_end() =>
        Timeline.Keyed().At(0.5, "a", 1).At(3, "a", 2).At(3.5, "b", 7).Watermark(3.5).End()
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(10)))
            .Expect((1, At("a", 1, 1)), (2, At("a", 2, 1)), (3, At("a", 3, 2, false)));

    [Theory]
    [InlineData(Interpolation.Step, 11)]
    [InlineData(Interpolation.Linear, 21)]
    public void A_window_behind_it_misses_nothing(Interpolation interpolation, double fires)
    {
        // No instant comes late: a line's time goes on only when no instant can come any more.
        var outcome = Timeline.Keyed().At(0, "a", 0).At(4, "b", 4).At(6, "b", 6).Watermark(8).At(9, "a", 9).At(10, "a", 10).Watermark(10).Watermark(fires)
            .Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(1), r => r.Value, Seconds(10), interpolation)
                .Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Count()} {w.Sum(f => f.Value)}")).Run();
        Assert.Equal(0, outcome.LateEvents);
        Assert.Equal([(10, interpolation == Interpolation.Step ? "16 41" : "13 60")], outcome.Results);
    }

    [Property(MaxTest = 60)]
    public void Every_instant_has_the_value_that_its_neighbours_give_it(int seed)
    {
        var random = new Random(seed);
        var (timeline, events) = (Timeline.Keyed(), new List<(double Time, string Key, double Value)>());
        double watermark = double.MinValue;
        for (int i = 0; i < 40; i++)
        {
            double time = Math.Max(watermark, i + (random.Next(-20, 20) / 4.0));
            events.Add((time, $"k{random.Next(4)}", Math.Round(random.NextDouble() * 10)));
            timeline.At(time, events[^1].Key, events[^1].Value);
            if (random.Next(3) == 0)
            {
                watermark = Math.Max(watermark, i - random.Next(6));
                timeline.Watermark(watermark);
            }
        }

        watermark += 3;
        timeline.Watermark(watermark);
        foreach (var interpolation in new[] { Interpolation.Step, Interpolation.Linear })
        {
            var results = timeline.Through(s => s.KeyBy(r => r.Key).FillGaps(Seconds(0.75), r => r.Value, Seconds(6), interpolation)).Run().Results
                .Select(r => (r.Value.Key, r.Seconds, Math.Round(r.Value.Value, 6), r.Value.IsFilled));
            Assert.Equal(Reference(events, watermark, interpolation).Order(), results.Order());
        }
    }

    [Property(MaxTest = 60)]
    public void Order_among_keys_does_not_depend_on_where_batches_are_cut(int seed)
    {
        var random = new Random(seed);

        // Two key groups with several keys each, so that many results are equal in time and group.
        string[] keys = [.. Enumerable.Range(0, 10_000).Select(i => $"k{i}").Where(k => StableHash.GroupOf(k) is 7 or 90).Take(7)];
        Reading[] events = [.. Enumerable.Range(0, 80).Select(i => new Reading(keys[random.Next(keys.Length)], (i / 4.0) - (random.Next(8) / 4.0)))];
        foreach (var interpolation in new[] { Interpolation.Step, Interpolation.Linear })
        {
            var straight = Cut(1, [events.Length]);
            Assert.NotEmpty(straight);
            Assert.Equal(straight, Cut(1, [.. events.Select(_ => 1)]));
            Assert.Equal(straight, Cut(1, [.. events.Select(_ => random.Next(1, 9))]));
            Assert.Equal(straight, Cut(3, [.. events.Select(_ => random.Next(1, 9))]));

            List<(long, Filled<string>)> Cut(int shards, int[] lengths)
            {
                var input = new Input<Reading>();
                var query = input.ToStream().WithEventTime(r => Time(r.Value), Seconds(1)).KeyBy(r => r.Key).FillGaps(Seconds(0.5), r => r.Value, Seconds(4), interpolation);
                using var run = new PlanRun<Reading, Filled<string>>(input, query.Node, shards, seed: seed);
                for (int start = 0, i = 0; start < events.Length; start += lengths[i++])
                {
                    run.Push(events.AsSpan(start, Math.Min(events.Length - start, lengths[i])), new long[Math.Min(events.Length - start, lengths[i])]);
                }

                run.Complete();
                Assert.All(run.Sink.Results, row => Assert.Equal(Extensibility.Ticks.From(row.Value.Time), row.Ticks));
                return [.. run.Sink.Results.Select(row => (row.Ticks, row.Value))];
            }
        }
    }

    [Fact]
    public void Keys_that_nothing_can_be_filled_for_are_forgotten()
    {
        var input = new Input<Reading>();
        var query = input.ToStream().KeyBy(r => r.Key, maxKeys: 3).FillGaps(Seconds(1), r => r.Value, Seconds(2));
        using var run = new PlanRun<Reading, Filled<string>>(input, query.Node, shards: 1);
        for (int i = 0; i < 50; i++)
        {
            run.Push([new Reading($"k{i}", i)], [TicksAt(i)]);
            run.Advance(TicksAt(i + 0.5));
        }

        Assert.Null(run.Sink.Error);
    }

    [Fact]
    public void Impossible_steps_and_gaps_are_refused()
    {
        var stream = new Input<Reading>().ToStream().KeyBy(r => r.Key);
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.FillGaps(TimeSpan.Zero, r => r.Value, Seconds(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.FillGaps(Seconds(2), r => r.Value, Seconds(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.FillGaps(TimeSpan.FromTicks(1), r => r.Value, Seconds(1)));
    }

    private static Filled<string> At(string key, double seconds, double value, bool isFilled = true) => new(key, Time(seconds), value, isFilled);

    private static IEnumerable<(string, double, double, bool)> Reference(
        List<(double Time, string Key, double Value)> events, double watermark, Interpolation interpolation)
    {
        foreach (var series in events.Where(e => e.Time <= watermark).GroupBy(e => e.Key))
        {
            var sorted = series.OrderBy(e => e.Time).ToList();
            for (double time = Math.Ceiling(sorted[0].Time / 0.75) * 0.75; time < watermark; time += 0.75)
            {
                var before = sorted.Last(e => e.Time <= time);
                var after = sorted.Cast<(double Time, string Key, double Value)?>().Where(e => e!.Value.Time > time && e.Value.Time < watermark).LastOrDefault(
                    e => e!.Value.Time == sorted.First(s => s.Time > time).Time);
                if (before.Time == time)
                {
                    yield return (series.Key, time, before.Value, false);
                }
                else if (interpolation == Interpolation.Step && time - before.Time <= 6)
                {
                    yield return (series.Key, time, before.Value, true);
                }
                else if (interpolation == Interpolation.Linear && after is { } next && next.Time - before.Time <= 6)
                {
                    double share = (time - before.Time) / (next.Time - before.Time);
                    yield return (series.Key, time, Math.Round(before.Value + (share * (next.Value - before.Value)), 6), true);
                }
            }
        }
    }
}
