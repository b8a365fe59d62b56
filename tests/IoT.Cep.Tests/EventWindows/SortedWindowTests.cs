using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SortedWindowTests
{
    [Fact]
    public void Session_that_lasts_too_long_is_cut_at_the_same_place_whatever_the_order() =>
        Timeline.Of<double>()
            .At(4, 16).At(2, 4).At(1, 2).At(0, 1).At(3, 8).At(9, 32).Watermark(20)
            .Through(s => s.Window(Window.Session(Seconds(2), maxDuration: Seconds(3))).Select(w => (w.Start, w.End, w.Sum(x => x))))
            .Expect((3, (Time(0), Time(3), 7)), (6, (Time(3), Time(6), 24)), (11, (Time(9), Time(11), 32)));

    [Fact]
    public void Count_window_holds_the_earliest_events_first() =>
        Timeline.Of<double>()
            .At(3, 4).At(1, 1).At(2, 2).At(4, 8).Watermark(3.5).At(5, 16).End()
            .Through(s => s.Window(Window.Count(2)).Select(w => (w.Start, w.Sum(x => x))))
            .Expect((2, (Time(1), 3)), (4, (Time(3), 12)));

    [Fact]
    public void Results_of_windows_that_begin_at_one_instant_have_their_own_identity()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 1).At(1, 2).Watermark(1).At(1, 4).At(2, 8).Watermark(3)
            .Through(s => s.Window(Window.Count(1)).Select(w => w.Sum(x => x)))
            .WithIdentity().Expect((1, 1), (1, 2), (1, 4), (2, 8));
        Assert.Equal([0, 1, 2, 0], outcome.Rows.Select(r => r.Id!.Value.Ordinal));
    }

    [Fact]
    public void Window_over_the_last_events_slides() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(3, 4).At(4, 8).At(5, 16).At(6, 32).End()
            .Through(s => s.Window(Window.Count(3, every: 2)).Select(w => (w.Start, w.Count(), w.Sum(x => x), w.Max(x => x))))
            .Expect((3, (Time(1), 3, 7, 4)), (5, (Time(3), 3, 28, 16)));

    [Fact]
    public void Batch_closes_when_it_is_full_or_when_its_time_is_over() =>
        Timeline.Of<double>()
            .At(1, 1).At(1.5, 2).At(1.75, 4).At(2, 8).Watermark(3).Watermark(7.001)
            .Through(s => s.Window(Window.TimeOrCount(Seconds(5), 3)).Select(w => (w.End - w.Start, w.Sum(x => x))))
            .Expect((1.75, (Seconds(0.75) + TimeSpan.FromTicks(1), 7)), (7, (Seconds(5), 8)));

    [Fact]
    public void Window_between_two_events_holds_what_lies_between() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(2, "a", 10).At(3, "b", 10).At(4, "a", 2).At(5, "a", -1).At(6, "a", 3).At(7, "b", -2).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Between<Reading>(r => r.Value > 5, r => r.Value < 0, longest: Seconds(60)))
                .Select(w => (w.Key, w.Start, w.Count(), w.Sum(r => r.Value))))
            .Expect((5, ("a", Time(2), 3, 11)), (7, ("b", Time(3), 2, 8)));

    [Fact]
    public void Window_that_never_closes_is_closed_after_its_longest_time() =>
        Timeline.Of<double>()
            .At(1, 10).At(2, 1).Watermark(6).Watermark(6.001).At(8, 1).Watermark(30)
            .Through(s => s.Window(Window.Between<double>(x => x > 5, x => x < 0, longest: Seconds(5))).Select(w => (w.End, w.Sum(x => x))))
            .Expect((6, (Time(6), 11)));

    [Fact]
    public void Trigger_that_keeps_gives_running_results_of_their_own()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(3, 4).At(4, 8).At(4, 16).End()
            .Through(s => s.Window(Window.Global(WindowTrigger.EveryEvents<double>(2, keep: true))).Select(w => (w.Start, w.Sum(x => x))))
            .WithIdentity().Expect((2, (Time(1), 3)), (4, (Time(1), 15)));
        Assert.All(outcome.Rows, row => Assert.Equal(EventKind.Insert, row.Kind));
        Assert.Equal(2, outcome.Rows.DistinctBy(row => row.Id).Count());
    }

    [Fact]
    public void Trigger_by_time_fires_only_where_something_came() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 2).Watermark(20).At(31, 4).At(35, 8).Watermark(60)
            .Through(s => s.Window(Window.Global(WindowTrigger.Every<double>(Seconds(3), keep: true))).Select(w => (w.End, w.Sum(x => x))))
            .Expect((4, (Time(4), 3)), (34, (Time(34), 7)), (37, (Time(37), 15)));

    [Fact]
    public void Trigger_by_time_that_does_not_keep_begins_at_the_next_event() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(4, 4).Watermark(20).At(31.5, 8).End()
            .Through(s => s.Window(Window.Global(WindowTrigger.Every<double>(Seconds(3)))).Select(w => (w.Start, w.Sum(x => x))))
            .Expect((4, (Time(1), 3)), (7, (Time(4), 4)), (34.5, (Time(31.5), 8)));

    [Fact]
    public void Trigger_by_condition_fires_with_the_event_that_meets_it() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 9).At(3, 2).End()
            .Through(s => s.Window(Window.Global(WindowTrigger.When<double>(x => x > 5))).Select(w => w.Sum(x => x)))
            .Expect((2, 10));

    [Fact]
    public void Event_at_which_a_condition_throws_is_in_no_window()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 10).At(2, 1).At(3, 7).At(4, 2).At(5, -1).End()
            .Through(s => s.Window(Window.Between<double>(x => x > 5, x => x == 7 ? throw new InvalidOperationException("seven") : x < 0, Seconds(60)))
                .Select(w => w.Sum(x => x)))
            .Skipping().Expect((5, 12));
        Assert.Equal(["7"], outcome.DeadLetters);
    }

    [Fact]
    public void Event_at_which_a_trigger_throws_is_in_no_window_and_not_in_its_state()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 5).At(2, -5).At(3, 5).At(4, 5).End()
            .Through(s => s.Window(Window.Global(new Strict())).Select(w => w.Sum(x => x)))
            .Skipping().Expect((4, 15));
        Assert.Equal(["-5"], outcome.DeadLetters);
    }

    [Fact]
    public void Projection_that_throws_loses_its_own_result_alone()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(3, 4).At(4, 8).At(5, 16).At(6, 32).End()
            .Through(s => s.Window(Window.Count(2)).Select(w => w.Sum(x => x) == 12 ? throw new InvalidOperationException("twelve") : w.Sum(x => x)))
            .Skipping().Expect((2, 3), (6, 48));
        Assert.Single(outcome.DeadLetters);
    }

    [Fact]
    public void Accumulators_live_in_windows_that_slide() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(3, 4).At(4, 8).At(5, 16).End()
            .Through(s => s.Window(Window.Count(3, every: 1)).Select(w => w.Aggregate(new Total(), x => x).Sum))
            .Expect((3, 7), (4, 14), (5, 28));

    [Fact]
    public void Late_events_can_not_be_allowed_where_they_would_move_every_border()
    {
        foreach (var window in new[] { Window.Count(3), Window.Count(3, 1), Window.TimeOrCount(Seconds(1), 2), Window.Session(Seconds(1), Seconds(5)) })
        {
            Assert.Contains("maxDisorder", Assert.Throws<NotSupportedException>(() => window.AllowLate(Seconds(1))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Limits_must_make_sense()
    {
        Assert.Throws<ArgumentOutOfRangeException>("count", () => Window.Count(0));
        Assert.Throws<ArgumentOutOfRangeException>("every", () => Window.Count(3, 4));
        Assert.Throws<ArgumentOutOfRangeException>("every", () => Window.Count(100_001, 1));
        Assert.Throws<ArgumentOutOfRangeException>("span", () => Window.TimeOrCount(TimeSpan.Zero, 1));
        Assert.Throws<ArgumentOutOfRangeException>("maxDuration", () => Window.Session(Seconds(2), Seconds(1)));
        Assert.Throws<ArgumentOutOfRangeException>("longest", () => Window.Between<double>(x => true, x => true, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>("maxEvents", () => Window.Between<double>(x => true, x => true, Seconds(1), maxEvents: 0));
        Assert.Throws<ArgumentOutOfRangeException>("interval", () => WindowTrigger.Every<double>(TimeSpan.Zero));
    }

    [Fact]
    public void A_million_keys_that_come_once_each_are_forgotten()
    {
        const int PerBatch = 4096, Batches = 250;
        var input = new Input<int>();
        using var run = new PlanRun<int, long>(
            input, input.ToStream().KeyBy(x => x, maxKeys: 3 * PerBatch).Window(Window.TimeOrCount(Seconds(1), 5)).Select(w => w.Count()).Node, shards: 1);
        int[] keys = new int[PerBatch];
        long[] ticks = new long[PerBatch];
        for (int batch = 0; batch < Batches; batch++)
        {
            for (int i = 0; i < PerBatch; i++)
            {
                (keys[i], ticks[i]) = ((batch * PerBatch) + i, TicksAt(batch));
            }

            run.Push(keys, ticks);
            run.Advance(TicksAt(batch));
        }

        run.Complete();
        Assert.Equal(PerBatch * Batches, run.Sink.Results.Count);
        Assert.Null(run.Sink.Error);
    }

    private struct Total : IAccumulator<double, Total>
    {
        internal double Sum;

        public void Add(in double value) => Sum += value;

        public void Merge(in Total other) => Sum += other.Sum;
    }

    /// <summary>Fires at every third event, and refuses negative ones after it has counted them.</summary>
    private sealed class Strict : WindowTrigger<double, int>
    {
        public override TriggerAction OnEvent(ref int state, in double value, in TriggerContext context)
        {
            state++;
            return value < 0 ? throw new InvalidOperationException("negative") : state == 3 ? TriggerAction.FireAndClear : TriggerAction.Continue;
        }
    }
}
