using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class UnionTests
{
    [Fact]
    public void Union_has_the_time_of_the_slowest_input() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).Watermark(10).At(11, 2).End()
            .Through(s => s.Where(x => x > 2).Union(s.Where(x => x < 3)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)))
            .Expect((10, 6), (20, 2));

    [Fact]
    public void Union_of_windows_runs_on_any_number_of_shards() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).Watermark(10).At(11, "a", 2).End()
            .Through(s =>
            {
                var windows = s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)));
                return windows.Select(w => w.Sum(r => r.Value)).Union(windows.Select(w => -w.Sum(r => r.Value)))
                    .Window(Window.Tumbling(Seconds(10))).Select(w => (w.Sum(x => x), w.Count()));
            })
            .Expect((10, (0, 4)), (20, (0, 2)));

    [Fact]
    public void Branches_of_one_source_come_in_order_of_time_and_equal_times_by_key_group_and_input() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 2).At(6, "a", 3).Watermark(20).At(21, "c", 4).End()
            .Through(s =>
            {
                var sensors = s.KeyBy(r => r.Key);
                return Sums(sensors, 10, "ten").Union(s.Select(r => $"{r.Key} {r.Value}"), Sums(sensors, 5, "five"));
            })
            .Expect(
                (1, "a 1"), (2, "b 2"), (5, "five b 2"), (5, "five a 1"), (6, "a 3"), (10, "ten b 2"), (10, "ten a 4"), (10, "five a 3"),
                (21, "c 4"), (25, "five c 4"), (30, "ten c 4"));

    [Fact]
    public void A_late_event_of_a_branch_comes_behind_what_was_given_out() =>
        Timeline.Keyed().At(8, "a", 1).Watermark(5).At(2, "a", 2).Watermark(10).End()
            .Through(s => s.Select(r => r.Value).Union(s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value))))
            .Expect((2, 2), (8, 1), (10, 3));

    [Fact]
    public void What_waits_for_a_branch_is_given_out_when_the_source_has_no_say_any_more() =>
        Timeline.Keyed().At(1, "a", 1).Watermark(5).At(8, "a", 2).At(7, "b", 3).Released().Released(false).At(6, "a", 4).Watermark(10).End()
            .Through(s => s.Select(r => r.Value).Union(s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(5))).Select(w => -w.Sum(r => r.Value))))
            .Expect((1, 1), (5, -1), (7, 3), (8, 2), (6, 4), (10, -3), (10, -6));

    [Fact]
    public void Branches_without_state_pass_at_once() =>
        Timeline.Of<double>().At(5, 5).Watermark(1).At(3, 3).End()
            .Through(s => s.Union(s.Select(x => -x)))
            .Expect((5, 5), (5, -5), (3, 3), (3, -3));

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task An_engine_gives_the_same_order_on_any_number_of_shards(int shards)
    {
        var random = new Random(shards);
        var events = new Reading[20_000];
        long[] ticks = new long[events.Length];
        for (int i = 0; i < events.Length; i++)
        {
            events[i] = new Reading($"s{random.Next(50)}", random.Next(100));
            ticks[i] = TicksAt(i / 100.0) + random.Next(10_000_000);
        }

        Assert.Equal(await RunAsync(events, ticks, 1), await RunAsync(events, ticks, shards));
    }

    [Fact]
    public void More_than_may_wait_is_given_out_early_and_none_is_lost()
    {
        using var sink = new Collector<int>(new QueryContext("test", ErrorPolicy.Stop, null));
        using var order = new UnionOrder<int>(sink, capacity: 3);
        for (int i = 5; i > 0; i--)
        {
            order.Add(0, new Extensibility.Batch<int>([i], [i]), long.MinValue);
        }

        Assert.Equal([2, 1], sink.Results.Select(row => row.Value));
        order.Release(long.MaxValue);
        Assert.Equal([2, 1, 3, 4, 5], sink.Results.Select(row => row.Value));
    }

    [Fact]
    public void Input_without_a_say_holds_nobody_back() => Assert.Equal(
        ["w5", "w10", "a", "w20", "b", "w30"],
        Told((0, 10), (1, 5), (1, Gone), (0, "a"), (0, 20), (1, Back), (1, "b"), (0, 40), (1, 30)));

    [Fact]
    public void Input_that_never_spoke_holds_nobody_back_once_it_was_missed() =>
        Assert.Equal(["w20"], Told((0, 10), (1, Gone), (0, 20)));

    [Fact]
    public void Inputs_that_are_all_missed_move_no_time_in_whichever_order_they_are()
    {
        Assert.Equal(["w10", "released"], Told((0, 10), (1, 20), (0, Gone), (1, Gone)));
        Assert.Equal(["w10", "released"], Told((0, 10), (1, 20), (1, Gone), (0, Gone)));
        Assert.Equal(["w10", "released", "resumed", "b"], Told((0, 10), (1, 20), (1, Gone), (0, Gone), (0, Back), (0, "b")));
    }

    [Fact]
    public void Input_that_is_back_and_silent_moves_time_where_there_is_no_other() =>
        Assert.Equal(["w10", "released", "w12"], Told((0, 10), (1, 20), (0, Gone), (1, Gone), (0, 12)));

    [Fact]
    public void Input_that_is_back_and_silent_has_no_say_beside_others() =>
        Assert.Equal(["w10", "w20", "w30"], Told((0, 10), (1, 20), (0, Gone), (0, 11), (1, 30), (0, 12)));

    [Fact]
    public void Union_whose_other_inputs_have_ended_has_no_say_either() =>
        Assert.Equal(["w10", "released", "resumed", "w30", "completed"], Told((0, 10), (1, 10), (0, Gone), (1, Ended), (0, Back), (0, 30), (0, Ended)));

    private const string Gone = "gone";
    private const string Back = "back";
    private const string Ended = "ended";

    /// <summary>What a union of two sources tells, given what it is told; the same where it is saved and restored between every two of them.</summary>
    private static List<string> Told(params (int Input, object What)[] rows)
    {
        var straight = new Telling();
        var restored = new Telling();
        var union = new UnionOperator<string>(straight, -1, -1);
        ReadOnlyMemory<byte>? saved = null;
        foreach (var (input, what) in rows)
        {
            Give(union.Inputs[input], what);
            var other = new UnionOperator<string>(restored, -1, -1);
            if (saved is { } state)
            {
                other.Load(new Extensibility.StateReader(state));
            }

            Give(other.Inputs[input], what);
            var writer = new Extensibility.StateWriter();
            other.Save(writer);
            saved = writer.Written;
        }

        Assert.Equal(straight.Told, restored.Told);
        return straight.Told;
    }

    private static void Give(Operator<string> input, object what)
    {
        switch (what)
        {
            case int watermark:
                input.OnWatermark(watermark);
                break;
            case Gone or Back:
                input.OnReleased(what is Gone);
                break;
            case Ended:
                input.OnCompleted();
                break;
            default:
                input.OnEvents(new Extensibility.Batch<string>([(string)what], [0]));
                break;
        }
    }

    /// <summary>Writes down all it is told.</summary>
    private sealed class Telling : Operator<string>
    {
        internal List<string> Told { get; } = [];

        internal override void OnEvents(in Extensibility.Batch<string> batch) => Told.AddRange(batch.Events.ToArray());

        internal override void OnWatermark(long watermark) => Told.Add($"w{watermark}");

        internal override void OnReleased(bool isReleased) => Told.Add(isReleased ? "released" : "resumed");

        internal override void OnCompleted() => Told.Add("completed");

        internal override void OnError(Exception error) => throw error;
    }

    private static IEventStream<string> Sums(IKeyedStream<string, Reading> sensors, double seconds, string name) =>
        sensors.Window(Window.Tumbling(Seconds(seconds))).Select(w => (w.Key, Sum: w.Sum(r => r.Value))).Select(w => $"{name} {w.Key} {w.Sum}");

    private static async Task<string[]> RunAsync(Reading[] events, long[] ticks, int shards)
    {
        await using var engine = new CepEngine(new CepEngineOptions { Shards = shards });
        var stream = engine.From(Source.FromMemory<Reading>(events, ticks));
        var sensors = stream.KeyBy(r => r.Key);
        var collecting = new Collecting<string>();
        Sums(sensors, 3, "three").Union(stream.Where(r => r.Value > 90).Select(r => $"{r.Key} {r.Value}"), Sums(sensors, 1, "one")).To(collecting);
        await engine.RunAsync().WaitAsync(Limit.Time);
        return [.. collecting.Results];
    }
}
