using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class ReorderTests
{
    [Fact]
    public void Events_come_in_order_of_time_when_the_watermark_reaches_them() =>
        Timeline.Of<double>().At(3, 1).At(1, 2).At(2, 3).At(1, 4).Watermark(2).At(4, 5).At(3, 6).Watermark(3).End()
            .Through(s => s.Reorder())
            .Expect((1, 2), (1, 4), (2, 3), (3, 1), (3, 6), (4, 5));

    [Fact]
    public void Late_events_are_left_out_and_counted() => Assert.Equal(1, Timeline.Of<double>().At(3, 1).Watermark(5).At(4, 2).At(5, 3).End()
        .Through(s => s.Reorder()).Expect((3, 1), (5, 3)).LateEvents);

    [Fact]
    public void Late_events_come_out_of_late() => Assert.Equal(0, Timeline.Of<double>().At(3, 1).Watermark(5).At(4, 2).At(5, 3).At(1, 4).End()
        .Through(s =>
        {
            s.Reorder(out var late);
            return late;
        }).Expect((4, 2), (1, 4)).LateEvents);

    [Fact]
    public void Query_that_uses_both_holds_the_events_once()
    {
        var input = new Input<double>();
        var ordered = input.ToStream().Reorder(out var late);
        using var run = new PlanRun<double, double>(input, ordered.Union(late.Select(x => -x)).Node, 1);
        run.Push([1, 2], [5, 4]);
        run.Advance(4);
        run.Push([3], [3]);
        run.Complete();
        Assert.Equal([(4L, 2.0), (3, -3), (5, 1)], run.Sink.Results.Select(row => (row.Ticks, row.Value)));
        Assert.Single(run.Plan.Operators.OfType<ReorderOperator<double>>());
        Assert.Contains("Reorder, at most 100,000 events, then ReleaseOldest", run.Plan.Explain(), StringComparison.Ordinal);
    }

    [Fact]
    public void Full_it_releases_the_oldest_early_and_what_is_earlier_still_is_late()
    {
        var (results, query) = Full(ReorderOverflow.ReleaseOldest, late: false);
        Assert.Equal([(2, 2.0), (3, 5), (3, 4), (5, 1), (9, 3)], results);
        Assert.Equal((2, 1), (query.OverflowedEvents, query.LateEvents));
        Assert.Equal([(1, 6.0)], Full(ReorderOverflow.ReleaseOldest, late: true).Results);
    }

    [Fact]
    public void Full_it_drops_the_newest_where_that_was_asked_for()
    {
        var (results, query) = Full(ReorderOverflow.DropNewest, late: false);
        Assert.Equal([(2, 2.0), (5, 1), (9, 3)], results);
        Assert.Equal((3, 0), (query.OverflowedEvents, query.LateEvents));
        Assert.Equal([(3, 5.0), (3, 4), (1, 6)], Full(ReorderOverflow.DropNewest, late: true).Results);
    }

    [Fact]
    public void Full_it_fails_where_that_was_asked_for()
    {
        var outcome = Rows().Through(s => s.Reorder(maxEvents: 3, whenFull: ReorderOverflow.Fail)).Skipping().Expect((2, 2), (5, 1), (9, 3));
        Assert.Equal(["4", "5", "6"], outcome.DeadLetters.Order());
        Assert.Contains("Raise maxEvents", Rows().Through(s => s.Reorder(maxEvents: 3, whenFull: ReorderOverflow.Fail)).ExpectError().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Early_release_moves_time_on_for_what_is_behind() =>
        Timeline.Of<double>().At(1, 1).At(12, 2).At(13, 3).At(2, 4)
            .Through(s => s.Reorder(maxEvents: 1).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)))
            .Expect((10, 1));

    [Fact]
    public void Verbs_behind_it_hold_nothing_more()
    {
        var stream = new Input<Reading>().ToStream().KeyBy(r => r.Key).Reorder(out var late);
        Assert.True(stream.Node.IsOrdered);
        Assert.False(late.Node.IsOrdered);
    }

    [Fact]
    public void Stream_that_is_in_order_passes_through()
    {
        var input = new Input<double>(IsInOrder: true);
        using var run = new PlanRun<double, double>(input, input.ToStream().Reorder().Node, 1);
        run.Push([1, 2], [1, 2]);
        Assert.Equal([1.0, 2], run.Sink.Results.Select(row => row.Value));
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        var stream = new Input<double>().ToStream();
        Assert.Equal("maxEvents", Assert.Throws<ArgumentOutOfRangeException>(() => stream.Reorder(maxEvents: 0)).ParamName);
        Assert.Equal("whenFull", Assert.Throws<ArgumentOutOfRangeException>(() => stream.Reorder(1, (ReorderOverflow)7)).ParamName);
        Assert.Throws<ArgumentException>(() => stream.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(1))).Select(w => w.Count()).Reorder());
    }

    [Property]
    public void Heap_is_a_stable_sort_however_adding_and_taking_alternate(byte[] times, bool[] takes)
    {
        var heap = new TimeHeap<string>();
        var expected = new List<(long Ticks, string Value)>();
        for (int i = 0; i < times.Length; i++)
        {
            heap.Add($"{i}", times[i] % 7);
            expected.Add((times[i] % 7, $"{i}"));
            if (i < takes.Length && takes[i])
            {
                Take();
            }

            Assert.Equal(expected.OrderBy(e => e.Ticks), heap.InOrder().Select(e => (e.Ticks, e.Value)));
        }

        while (expected.Count > 0)
        {
            Take();
        }

        Assert.Equal(0, heap.Count);

        void Take()
        {
            var first = expected.MinBy(e => e.Ticks);
            expected.Remove(first);
            Assert.Equal(first.Ticks, heap.FirstTicks);
            Assert.Equal((first.Value, first.Ticks), (heap.RemoveFirst(out long ticks), ticks));
        }
    }

    [Property]
    public void Buffer_is_a_stable_sort_up_to_the_watermark_however_it_is_filled(byte[] times, byte[] watermarks, byte batch)
    {
        using var buffer = new OrderBuffer<string>();
        var expected = new List<(long Ticks, string Value)>();
        long latest = 0;
        for (int i = 0, step = 0; i < times.Length; step++)
        {
            string[] events = [.. Enumerable.Range(i, Math.Min((batch % 4) + 1, times.Length - i)).Select(n => $"{n}")];
            long[] ticks = [.. events.Select((_, n) => (times[i + n] % 5) + ((i + n) / 3L))];
            buffer.Add(new Extensibility.Batch<string>(events, ticks));
            expected.AddRange(ticks.Zip(events));
            i += events.Length;
            latest = Math.Max(latest, ticks.Max());
            if (step % 5 == 4)
            {
                Assert.Equal(expected.MinBy(e => e.Ticks), (First(out string first), first));
                expected.Remove(expected.MinBy(e => e.Ticks));
            }

            if (step < watermarks.Length && watermarks[step] % 3 == 0)
            {
                Take(latest - (watermarks[step] % 4));
            }
        }

        Take(long.MaxValue);
        Assert.Equal(0, buffer.Count);

        long First(out string value)
        {
            value = buffer.RemoveFirst(out long time);
            return time;
        }

        void Take(long watermark)
        {
            var actual = new List<(long, string)>();
            while (buffer.Take(watermark, out var ready))
            {
                for (int i = 0; i < ready.Length; i++)
                {
                    actual.Add((ready.Ticks[i], ready.Events[i]));
                }
            }

            Assert.Equal(expected.Where(e => e.Ticks <= watermark).OrderBy(e => e.Ticks), actual);
            expected.RemoveAll(e => e.Ticks <= watermark);
            Assert.Equal(expected.Count, buffer.Count);
        }
    }

    private static Timeline<double> Rows() => Timeline.Of<double>().At(5, 1).At(2, 2).At(9, 3).At(3, 5).At(3, 4).At(1, 6).End();

    private static (IEnumerable<(double, double)> Results, QueryContext Query) Full(ReorderOverflow whenFull, bool late)
    {
        IEventStream<double> Query(IEventStream<double> s)
        {
            var ordered = s.Reorder(out var rest, maxEvents: 3, whenFull);
            return late ? rest : ordered;
        }

        var outcome = Rows().Through(Query).Run();
        var input = new Input<double>();
        using var run = new PlanRun<double, double>(input, Query(input.ToStream()).Node, 1);
        run.Push([1, 2, 3, 5, 4, 6], [5, 2, 9, 3, 3, 1]);
        run.Complete();
        return (outcome.Results.ToList(), run.Sink.Query);
    }
}
