using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class KeyLimitTests
{
    [Fact]
    public void A_refused_key_becomes_a_dead_letter_and_the_others_go_on() => Run(
        Rows().End().Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.Refuse).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key}{w.Sum(r => r.Value)}")),
        ["a9", "b2"], letters: 2);

    [Fact]
    public void Room_is_there_again_when_windows_have_closed() => Run(
        Rows().Watermark(10).At(11, "c", 7).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.Refuse).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key}{w.Sum(r => r.Value)}")),
        ["a9", "b2", "c7"], letters: 2);

    [Fact]
    public void Other_operators_refuse_keys_as_well() => Run(
        Rows().Watermark(20).Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.Refuse).Silent(Seconds(5)).Select(x => x.Key)), ["a", "b"], letters: 2);

    [Fact]
    public void The_key_that_was_idle_longest_gives_what_it_has() => Run(
        Rows().End().Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.EvictIdle).Window(Window.Hopping(Seconds(10), Seconds(5)))
            .Select(w => $"{w.Key}{w.Sum(r => r.Value)} to {w.End.ToUnixTimeSeconds()} {w.Firing}")),
        ["a1 to 5 Early", "a1 to 10 Early", "a8 to 5 OnTime", "a8 to 10 OnTime", "b2 to 5 Early", "b2 to 10 Early", "c4 to 5 Early", "c4 to 10 Early", "d3 to 5 OnTime", "d3 to 10 OnTime"],
        letters: 0, evicted: 3);

    [Fact]
    public void Eviction_is_refused_where_nothing_can_be_evicted()
    {
        var input = new Input<Reading>();
        var query = input.ToStream().KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.EvictIdle).Silent(Seconds(1));
        Assert.Throws<NotSupportedException>(() => new PlanRun<Reading, Silence<string>>(input, query.Node, 1));
    }

    [Fact]
    public void Keys_that_come_once_stay_bounded_between_watermarks_and_over_them()
    {
        var input = new Input<int>();
        var query = input.ToStream().KeyBy(x => x, maxKeys: 10_000, WhenKeysFull.EvictIdle).Window(Window.Hopping(Seconds(3), Seconds(1))).Select(w => w.Count());
        using var run = new PlanRun<int, long>(input, query.Node, 1);
        int[] events = new int[1000];
        long[] ticks = new long[1000];
        long before = 0;
        for (int batch = 0; batch < 400; batch++)
        {
            for (int i = 0; i < events.Length; i++)
            {
                (events[i], ticks[i]) = ((batch * 1000) + i, TicksAt(batch / 20));
            }

            run.Push(events, ticks);
            if (batch % 40 == 0)
            {
                run.Advance(TicksAt(batch / 20));
                run.Sink.Results.Clear();
                run.Sink.Results.TrimExcess();
                before = batch == 200 ? GC.GetTotalMemory(forceFullCollection: true) : before;
            }
        }

        run.Advance(TicksAt(20));
        run.Sink.Results.Clear();
        run.Sink.Results.TrimExcess();
        Assert.True(run.Plan.Query.EvictedKeys > 300_000);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 20_000_000);
    }

    private static Timeline<Reading> Rows() => Timeline.Keyed().At(1, "a", 1).At(2, "b", 2).At(3, "c", 4).At(4, "d", 3).At(4, "a", 8);

    /// <summary>The bound is that of a shard, so these run on one.</summary>
    private static void Run(Scenario<Reading, string> scenario, string[] expected, int letters, int evicted = 0)
    {
        var outcome = scenario.OnOneShard().Run();
        Assert.Equal(expected.Order(StringComparer.Ordinal), outcome.Rows.Select(row => row.Value).Order(StringComparer.Ordinal));
        Assert.Equal(letters, outcome.DeadLetters.Count);
        Assert.Equal(evicted, outcome.EvictedKeys);
    }

    [Fact]
    public void Windows_open_together_hold_a_bounded_number_of_states()
    {
        var input = new Input<int>();
        var query = input.ToStream().KeyBy(x => x, maxKeys: 1000).Window(Window.Tumbling(Span.Seconds(1))).Select(w => w.Count()).Node;
        using var run = new PlanRun<int, long>(input, query, 1, ErrorPolicy.Skip);
        int[] events = [.. Enumerable.Range(0, 1000)];
        for (int window = 0; window < 1000; window++)
        {
            Push(window);
        }

        Push(5);
        Assert.Empty(run.DeadLetters);
        Push(1000);
        Assert.Equal(1000, run.DeadLetters.Count);
        run.Advance(Span.TicksAt(1));
        Push(1000);
        Assert.Equal((1000, 1000), (run.DeadLetters.Count, run.Sink.Results.Count));

        void Push(int window) => run.Push(events, Enumerable.Repeat(Span.TicksAt(window), events.Length).ToArray());
    }
}
