using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>User code throws at each index of a batch in turn: the event alone is left out, and the others give what they give without it.</summary>
public class ErrorPolicyTests
{
    private const int Count = 6;

    [Fact]
    public void Null_key_is_said_to_be_one()
    {
        var events = Timeline.Keyed().At(1, "a", 1).At(2, "b", 2).Watermark(10);
        IEnumerable<Func<IKeyedStream<string, Reading>, IEventStream<double>>> queries =
        [
            s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value)),
            s => s.Window(Window.Session(Seconds(10))).Select(w => w.Sum(r => r.Value)),
            s => s.Window(Window.Sliding(Seconds(10))).Select(w => w.Sum(r => r.Value)),
            s => s.DeadBand(r => r.Value, 0).Select(r => r.Value),
            s => s.FillGaps(Seconds(1), r => r.Value, Seconds(2)).Select(f => f.Value),
        ];
        foreach (var query in queries)
        {
            var error = events.Through(s => query(s.KeyBy(r => r.Value > 1 ? null! : r.Key))).ExpectError();
            Assert.Contains("KeyBy gave null (r => r.Value > 1 ? null! : r.Key).", error.Message, StringComparison.Ordinal);
        }

        string? none = null;
        Assert.DoesNotContain("KeyBy gave", events.Through(s => s.KeyBy(r => r.Value > 1 ? none!.Trim() : r.Key).Window(Window.Tumbling(Seconds(10)))
            .Select(w => w.Sum(r => r.Value))).ExpectError().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Key_too_many_is_refused_by_windows_per_event_as_well()
    {
        var input = new Input<Reading>();
        var query = input.ToStream().KeyBy(r => r.Key, maxKeys: 1, whenFull: WhenKeysFull.Refuse).Window(Window.Sliding(Seconds(10))).Select(w => w.Sum(r => r.Value));
        using var run = new PlanRun<Reading, double>(input, query.Node, shards: 1);
        run.Push([new("a", 1), new("b", 2), new("a", 4)], [1, 2, 3]);
        run.Complete();
        Assert.Null(run.Sink.Error);
        Assert.Equal([1.0, 5], run.Sink.Results.Select(row => row.Value));
        Assert.Equal(1, run.Sink.Query.RefusedEvents);
    }

    [Fact]
    public void Where_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s.Where(r => check(r) >= 0));

    [Fact]
    public void Select_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s.Select(r => check(r)));

    [Fact]
    public void SelectMany_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.SelectMany(r => new[] { r.Value, r.Value + 100 }.Select(x => x >= 100 ? check(r) : x)));

    [Fact]
    public void Enrich_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.Enrich(new Table<string, string>([new("a", "Hall")]), r => r.Key, (r, row) => check(r)));

    [Fact]
    public void KeyBy_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).Window(Window.Tumbling(Seconds(2))).Select(w => w.Sum(r => r.Value)));

    [Fact]
    public void KeyBy_of_a_whole_number_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.KeyBy(r => (int)check(r) % 2).Window(Window.Tumbling(Seconds(2))).Select(w => (w.Key, w.Sum(r => r.Value))));

    [Fact]
    public void Selector_of_a_window_by_whole_number_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.KeyBy(r => (int)r.Value % 2).Window(Window.Tumbling(Seconds(2))).Select(w => (w.Key, w.Max(r => check(r)))));

    [Fact]
    public void Enrich_by_whole_number_skips_exactly_the_failing_event() => AtEveryIndex(
        (s, check) => s.Enrich(new ValueTable<int, double>([new(0, 5.0)]), r => (int)check(r) % 2, (r, row) => row is null ? check(r) : row + check(r)));

    [Fact]
    public void KeyBy_of_a_pattern_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2)
        .Match(Pattern.Begin<Reading>(out _, r => true).FollowedBy(out _, r => true).Within(Seconds(60))).Select(m => (m.Start, m.End)));

    [Fact]
    public void KeyBy_of_absence_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.KeyBy(r => check(r)).Silent(Seconds(1)));

    [Fact]
    public void Window_selector_skips_exactly_the_failing_event() =>
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(2)))
            .Select(w => (w.Sum(r => r.Value), w.Max(r => check(r)), w.Count())));

    [Fact]
    public void Accumulator_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s.KeyBy(r => $"{r.Value}")
        .Window(Window.Tumbling(Seconds(2))).Aggregate(new Checking { Check = check }, (w, c) => c.Sum), canSave: false);

    [Fact]
    public void Simple_condition_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s
        .Match(Pattern.Begin<Reading>(out _, r => check(r) >= 0).FollowedBy(out _, r => r.Value > 2).Within(Seconds(60))).Select(m => (m.Start, m.End)));

    [Fact]
    public void Dependent_condition_skips_exactly_the_failing_event() => AtEveryIndex(
        (s, check) => s.Match(Pattern.Begin<Reading>(out var first, r => true).FollowedBy(out _, (r, m) => check(r) > m[first].Value + 1).Within(Seconds(60)))
            .Select(m => (m.Start, m.End)), from: 1);

    [Fact]
    public void Split_skips_exactly_the_failing_event() => AtEveryIndex((s, check) => s.Split(r => check(r) >= 0, out _));

    [Fact]
    public void KeyBy_of_verbs_in_order_skips_exactly_the_failing_event()
    {
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).Debounce(Seconds(1)));
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).Sample(Seconds(2)));
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).AtMostOncePer(Seconds(3)));
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).AtMostOncePer(Seconds(3), Keep.Last));
        AtEveryIndex((s, check) => s.KeyBy(r => check(r) % 2).Scan(0.0, (sum, r) => sum + r.Value));
    }

    [Fact]
    public void Selector_of_verbs_in_order_skips_exactly_the_failing_event()
    {
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).DistinctUntilChanged(r => Math.Floor(check(r) / 3)));
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).Deduplicate(r => Math.Floor(check(r) / 3), Seconds(10)));
        AtEveryIndex((s, check) => s.Deduplicate(r => Math.Floor(check(r) / 3), Seconds(10)));
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).Scan(1.0, (product, r) => product * (check(r) + 2)));
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).WithPrevious((previous, current) => check(current) - previous.Value), from: 2);
        AtEveryIndex((s, check) => s.KeyBy(r => r.Key).WithPrevious(2, (previous, current) => check(current) + previous.Length));
    }

    [Fact]
    public void Projection_that_throws_loses_its_result_alone()
    {
        for (int bad = 0; bad < Count; bad++)
        {
            double failing = bad;
            var outcome = Rows().Through(s => s.SelectMany(r => new[] { r, r }).KeyBy(r => r.Value).Window(Window.Tumbling(Seconds(60)))
                .Select(w => w.Key == failing && w.Count() == 2 ? throw new FormatException("bad") : w.Key + (0 * w.Count()))).Skipping().Run();
            Assert.Equal(Enumerable.Range(0, Count).Select(i => (double)i).Where(x => x != failing), outcome.Rows.Select(row => row.Value).Order());
            Assert.Single(outcome.DeadLetters);
        }
    }

    [Fact]
    public async Task Result_whose_projection_throws_is_named_by_key_and_window()
    {
        const string Which = "window 1970-01-01T00:00:00Z to 1970-01-01T00:00:10Z:";
        foreach (var windows in new Func<IKeyedStream<string, Reading>, IEventStream<double>>[]
        {
            s => Bad(s.Window(Window.Tumbling(Seconds(10)))),
            s => Bad(s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(1)))),
            s => Bad(s.TimelinePerKey().Window(Window.Tumbling(Seconds(10)))),
            s => Bad(s.Window(Window.Session(Seconds(10)))),
            s => Bad(s.Window(Window.Session(Seconds(10), Seconds(20)))),
            s => s.Window(Window.Tumbling(Seconds(10))).Aggregate(new Sum(), (w, sum) => w.Key == "a" ? throw new FormatException("bad") : sum.Value),
        })
        {
            var (error, letters, results) = await RunAsync(s => windows(s.KeyBy(r => r.Key)));
            Assert.StartsWith($"key 'a', {Which} FormatException: bad at Window ", Assert.Single(letters), StringComparison.Ordinal);
            Assert.Equal([4.0], results);
            Assert.Contains($" on key 'a', {Which} bad", error, StringComparison.Ordinal);
        }

        foreach (var windows in new[] { Window.Sliding(Seconds(10)), Window.Count(2, 1), Window.Count(1) })
        {
            var (_, letters, _) = await RunAsync(s => Bad(s.KeyBy(r => r.Key).Window(windows)));
            Assert.StartsWith("key 'a', window 19", letters[0], StringComparison.Ordinal);
        }

        var (_, ofAll, _) = await RunAsync(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Count() == 4 ? throw new FormatException("bad") : 0.0));
        Assert.StartsWith(Which, Assert.Single(ofAll), StringComparison.Ordinal);

        static IEventStream<double> Bad(IWindowedStream<string, Reading> w) => w.Select(w => w.Key == "a" ? throw new FormatException("bad") : w.Sum(r => r.Value));
    }

    [Fact]
    public void Correction_that_throws_loses_its_result_alone() =>
        Timeline.Of<double>().At(1, 1).Watermark(10).At(2, 10).At(3, 100).Watermark(11).At(4, 1000).Watermark(20)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(5)))
                .Select(w => w.Max(x => x) + w.Sum(x => x) == 21 ? throw new FormatException("bad") : w.Sum(x => x)))
            .Skipping().Expect((10, 1), (10, 101), (10, 1101));

    [Fact]
    public void Selectors_found_before_an_error_are_found_again() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 4).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => (w.Sum(x => x), w.Max(x => x == 1 ? throw new FormatException("bad") : x), w.Min(x => -x))))
            .Skipping().Expect((10, (6, 4, -4)));

    [Fact]
    public void Stop_names_the_query_the_operator_and_the_event()
    {
        var error = Rows().Through(s => s.Where(r => r.Value < 3 || (r.Value == 3 && int.Parse("x", null) > 0))).ExpectError();
        Assert.Equal(("test", "Where r => r.Value < 3 || (r.Value == 3 && int.Parse(\"x\", null) > 0)"), (error.Query, error.Operator));
        Assert.Contains("b=3 (1970-01-01T00:00:04", error.Message, StringComparison.Ordinal);
        Assert.IsType<FormatException>(error.InnerException);
    }

    [Fact]
    public void Stop_ends_at_the_failing_event() =>
        Assert.Equal([0.0, 1, 2], Rows(watermarks: true).Through(s => s.Select(r => r.Value == 3 ? throw new FormatException("bad") : r.Value)).Run()
            .Rows.Select(row => row.Value));

    [Fact]
    public void Observer_that_throws_skips_the_event_alone()
    {
        var letters = new List<string>();
        var seen = new List<double>();
        var query = new QueryContext("test", ErrorPolicy.Skip, (_, _, _, value) => letters.Add($"{value}"));
        using var sink = new ObserverOperator<double>(System.Reactive.Observer.Create<double>(x => seen.Add(x == 2 ? throw new FormatException("bad") : x)), query);
        sink.OnEvents(new Batch<double>([1, 2, 3], [1, 2, 3]));
        Assert.Equal([1.0, 3], seen);
        Assert.Equal(["2"], letters);
    }

    [Fact]
    public void Inline_sink_that_throws_skips_the_event_alone()
    {
        for (int bad = 0; bad < Count; bad++)
        {
            var letters = new List<string>();
            var sink = new Fussy(bad);
            using var end = new InlineSinkOperator<double>(
                sink, new QueryContext("test", ErrorPolicy.Skip, (_, _, _, value) => letters.Add($"{value}")), _ => { }, () => { });
            end.OnEvents(new Batch<double>([0, 1, 2, 3, 4, 5], new long[Count]));
            end.OnWatermark(1);
            end.OnCompleted();
            Assert.Equal([.. new double[] { 0, 1, 2, 3, 4, 5 }.Where(x => x != bad)], sink.Seen);
            Assert.Equal([$"{bad}", "", ""], letters);
        }
    }

    private static async Task<(string? Error, IReadOnlyList<string> Letters, double[] Results)> RunAsync(Func<IEventStream<Reading>, IEventStream<double>> query)
    {
        var (skipping, stopping) = (new Collecting<double>(takesUpdates: true), new Collecting<double>(takesUpdates: true));
        await using var engine = new CepEngine();
        // The projection is tried on the first event, so that is not the bad one.
        var events = engine.From(Source.FromMemory<Reading>(new Reading[] { new("b", 2), new("a", 1), new("b", 2), new("a", 1) }, new long[4]));
        query(events).To(skipping, onError: ErrorPolicy.Skip);
        var stopped = query(events).To(stopping, onError: ErrorPolicy.Stop);
        await Assert.ThrowsAsync<AggregateException>(() => engine.RunAsync());
        return (stopped.Error?.Message, [.. engine.DeadLetters.Latest.Select(l => l.Detail)], [.. skipping.Results]);
    }

    private record struct Sum : IAccumulator<Reading, Sum>
    {
        internal double Value;

        public void Add(in Reading value) => Value += value.Value;

        public void Merge(in Sum other) => Value += other.Value;
    }

    private static Timeline<Reading> Rows(int without = -1, bool watermarks = false)
    {
        var timeline = Timeline.Keyed();
        for (int i = 0; i < Count; i++)
        {
            timeline = i == without ? timeline : timeline.At(i + 1, i % 2 == 0 ? "a" : "b", i);
            timeline = watermarks ? timeline.Watermark(i + 1) : timeline;
        }

        return timeline.Watermark(60).Watermark(100).End();
    }

    private static void AtEveryIndex<TResult>(
        Func<IEventStream<Reading>, Func<Reading, double>, IEventStream<TResult>> query, int from = 0, bool canSave = true)
    {
        for (int bad = from; bad < Count; bad++)
        {
            double failing = bad;
            var expected = Rows(without: bad).Through(s => query(s, r => r.Value));
            var actual = Rows().Through(s => query(s, r => r.Value == failing ? throw new FormatException("bad") : r.Value)).Skipping();
            var outcome = (canSave ? actual : actual.WithoutSaving()).Run();
            Assert.Equal((canSave ? expected : expected.WithoutSaving()).Run().Results, outcome.Results);
            Assert.Equal([$"{(bad % 2 == 0 ? "a" : "b")}={bad}"], outcome.DeadLetters);
        }
    }

    private struct Checking : IAccumulator<Reading, Checking>
    {
        internal double Sum;
        internal Func<Reading, double> Check;

        public void Add(in Reading value)
        {
            Sum += 1000;
            Sum += Check(value) - 1000;
        }

        public void Merge(in Checking other) => Sum += other.Sum;
    }

    /// <summary>Refuses a batch with the bad value whole, as a sink does that leaves nothing half done.</summary>
    private sealed class Fussy(double bad) : IInlineSink<double>
    {
        internal List<double> Seen { get; } = [];

        public string Name => "fussy";

        public void Write(in Batch<double> batch)
        {
            if (batch.Events.Contains(bad))
            {
                throw new FormatException("bad");
            }

            Seen.AddRange(batch.Events);
        }

        public void Advance(long ticks) => throw new FormatException("bad");

        public void Complete() => throw new FormatException("bad");
    }
}
