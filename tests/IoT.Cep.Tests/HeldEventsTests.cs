using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Operators that need events in order hold no more than allowed: the earliest are taken before their time, and time moves on with them.</summary>
public class HeldEventsTests
{
    private static readonly Dictionary<string, Func<IEventStream<Reading>, IEventStream<string>>> _operators = new()
    {
        ["pattern"] = s => s.KeyBy(r => r.Key).Match(Pattern.Begin<Reading>(out _, r => r.Value >= 0).FollowedBy(out _, r => r.Value >= 0).Within(Seconds(1000)))
            .Select(m => $"{m.End}"),
        ["silence"] = s => s.KeyBy(r => r.Key).Silent(Seconds(2)).Select(x => $"{x.Key} {x.Since}"),
        ["count windows"] = s => s.KeyBy(r => r.Key).Window(Window.Count(3)).Select(w => $"{w.Count()}"),
        ["sliding count windows"] = s => s.KeyBy(r => r.Key).Window(Window.Count(4, every: 2)).Select(w => $"{w.Count()}"),
        ["sliding windows"] = s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(5))).Select(w => $"{w.Count()}"),
        ["longest sessions"] = s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(2), maxDuration: Seconds(5))).Select(w => $"{w.Count()}"),
        ["scan"] = s => s.KeyBy(r => r.Key).Scan(0.0, (sum, r) => sum + r.Value, (r, sum) => $"{r.Key} {sum}"),
        ["debounce"] = s => s.KeyBy(r => r.Key).Debounce(Seconds(2)).Select(r => $"{r}"),
        ["deduplicate"] = s => s.KeyBy(r => r.Key).Deduplicate(r => r.Value, Seconds(5)).Select(r => $"{r}"),
        ["one behind the other"] = s => s.KeyBy(r => r.Key).DistinctUntilChanged(r => r.Value).WithPrevious((a, b) => $"{a} {b}"),
    };

    public static TheoryData<string> Operators => [.. _operators.Keys];

    [Fact]
    public void The_earliest_is_taken_before_its_time_and_what_is_earlier_still_is_late()
    {
        var outcome = Timeline.Of<double>().At(5, 1).At(2, 2).At(9, 3).At(3, 5).At(3, 4).At(1, 6).Watermark(4).At(8, 7).End()
            .Through(s => s.Scan(0.0, (sum, x) => (sum * 10) + x)).Holding(3).OnOneShard()
            .Expect((2, 2), (3, 25), (3, 254), (5, 2541), (8, 25417), (9, 254173));
        Assert.Equal((2, 1), (outcome.OverflowedEvents, outcome.LateEvents));
    }

    [Fact]
    public void Its_time_is_that_of_what_is_behind() =>
        Timeline.Of<double>().At(1, 1).At(12, 2).At(13, 3).Watermark(1).At(2, 4).End()
            .Through(s => s.Scan(0.0, (_, x) => x).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x))).Holding(1).OnOneShard()
            .Expect((10, 1), (20, 5));

    [Theory]
    [MemberData(nameof(Operators))]
    public void Each_takes_early_events_wherever_batches_are_cut_and_state_is_saved(string name)
    {
        var outcome = Rows(random: new Random(5)).Through(_operators[name]).Holding(7).OnOneShard().Run();
        Assert.NotEmpty(outcome.Rows);
        Assert.True(outcome.OverflowedEvents > 0);
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void Shards_that_are_ahead_of_others_lose_no_event_uncounted(string name)
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, string>(input, _operators[name](input.ToStream()).Node, 3, maxHeld: 7);
        var random = new Random(6);
        for (int i = 0; i < 200; i++)
        {
            run.Push([new Reading($"k{random.Next(5)}", i)], [TicksAt(i + random.Next(9))]);
            if (i % 50 == 49)
            {
                run.Advance(TicksAt(i - 40));
            }
        }

        run.Complete();
        Assert.True(run.Sink.Completed);
        Assert.NotEmpty(run.Sink.Results);
        if (name == "scan")
        {
            Assert.Equal(200, run.Sink.Results.Count + run.Sink.LateEvents);
        }
    }

    [Fact]
    public void Heap_stays_bounded_while_time_stands()
    {
        var input = new Input<Reading>();
        var query = input.ToStream().KeyBy(r => r.Key).Scan(0, (count, _) => count + 1).Node;
        using var run = new PlanRun<Reading, int>(input, query, 1, maxHeld: 1000);
        var events = Enumerable.Range(0, 500).Select(i => new Reading("k", i)).ToArray();
        long[] ticks = new long[events.Length];
        run.Advance(0);
        for (int i = 0; i < 400; i++)
        {
            Array.Fill(ticks, i + 1);
            run.Push(events, ticks);
            Assert.InRange(Assert.Single(run.Plan.Operators.OfType<IHoldsEvents<Reading>>()).HeldEvents, 0, 1000);
        }

        Assert.Equal(199_000, run.Sink.Query.OverflowedEvents);
    }

    [Fact]
    public void An_engine_says_how_many() => Assert.Throws<ArgumentOutOfRangeException>(() => new CepEngine(new CepEngineOptions { MaxHeldEvents = 0 }));

    private static Timeline<Reading> Rows(Random random)
    {
        var timeline = Timeline.Keyed();
        for (int i = 0; i < 90; i++)
        {
            timeline.At(i + random.Next(6), $"k{random.Next(3)}", i % 4);
            if (i % 30 == 29)
            {
                timeline.Watermark(i - 20);
            }
        }

        return timeline.End();
    }
}
