using IoT.Cep.Extensibility;
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
    public void Windows_per_event_refuse_keys_as_well() => Run(
        Rows().End().Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.Refuse).Window(Window.Sliding(Seconds(10))).Select(w => $"{w.Key}{w.Sum(r => r.Value)}")),
        ["a1", "a9", "b2"], letters: 2);

    [Fact]
    public void The_key_that_was_idle_longest_gives_what_it_has() => Run(
        Rows().End().Through(s => s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.EvictIdle).Window(Window.Hopping(Seconds(10), Seconds(5)))
            .Select(w => $"{w.Key}{w.Sum(r => r.Value)} to {w.End.ToUnixTimeSeconds()} {w.Firing}")),
        ["a1 to 5 Early", "a1 to 10 Early", "a8 to 5 OnTime", "a8 to 10 OnTime", "b2 to 5 Early", "b2 to 10 Early", "c4 to 5 Early", "c4 to 10 Early", "d3 to 5 OnTime", "d3 to 10 OnTime"],
        letters: 0, evicted: 3);

    [Theory]
    [InlineData("plain")]
    [InlineData("user merge")]
    [InlineData("late")]
    [InlineData("early")]
    public void Each_life_of_a_key_has_an_identity_of_its_own_in_a_window(string way)
    {
        var rows = Timeline.Keyed();
        for (int i = 0; i < 60; i++)
        {
            rows.At(Math.Max(0, (i / 4.0) - (way == "late" && i % 5 == 0 ? 2 : 0)), $"{"abcabdacbd"[i * 7 % 10]}", 1).Watermark(i / 8 * 2);
        }

        var window = Window.Hopping(Seconds(10), Seconds(5));
        var outcome = rows.End().Through(s =>
        {
            var windows = s.KeyBy(r => r.Key, maxKeys: 2, WhenKeysFull.EvictIdle)
                .Window(way switch { "late" => window.AllowLate(Seconds(3)), "early" => window.Early(3), _ => window });
            return way == "user merge" ? windows.Aggregate(default(Tally), (_, tally) => tally.Count) : windows.Select(w => w.Count());
        }).OnOneShard().WithIdentity().Run();

        var held = new Dictionary<ResultId, long>();
        foreach (var (_, value, id, kind) in outcome.Rows)
        {
            Assert.Equal(kind == EventKind.Update, held.ContainsKey(id!.Value));
            held[id.Value] = value;
        }

        Assert.True(outcome.EvictedKeys > 10);
        Assert.Contains(held.Keys.GroupBy(id => (id.Key, id.Start)), lives => lives.Count() > 2);
        Assert.Equal(60 * 2, held.Values.Sum());
    }

    [Fact]
    public void A_key_that_gave_way_is_told_apart_although_no_key_was_left_in_between()
    {
        var outcome = Timeline.Keyed().At(15, "a", 1).At(2, "b", 2).Watermark(10).At(16, "a", 4).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1, WhenKeysFull.EvictIdle).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value)))
            .OnOneShard().WithIdentity().ExpectSet((10, 2), (20, 1), (20, 4));
        Assert.Equal(3, outcome.Rows.Select(row => row.Id).Distinct().Count());
    }

    [Fact]
    public void Without_eviction_ordinals_are_what_they_were() => Assert.All(
        Rows().End().Through(s => s.KeyBy(r => r.Key, maxKeys: 20, WhenKeysFull.EvictIdle).Window(Window.Hopping(Seconds(10), Seconds(5))).Select(w => w.Count()))
            .WithIdentity().Run().Rows,
        row => Assert.Equal(0, row.Id!.Value.Ordinal));

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

    private struct Tally : IAccumulator<Reading, Tally>
    {
        public long Count;

        public void Add(in Reading value) => Count++;

        public void Merge(in Tally other) => Count += other.Count;
    }

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
