using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Every keyed verb keeps a time for each key: all keys together give what each key gives alone, by a watermark of its own events.</summary>
public class KeyTimelineVerbTests
{
    private static readonly double[] _skew = [0, -3600, 250, -17];

    private static readonly Pattern<Reading> _rising = Pattern.Begin<Reading>(out var low, r => r.Value % 4 == 0)
        .FollowedBy(out _, (r, m) => r.Value > m[low].Value + 3).Within(Seconds(12));

    private static readonly Pattern<Reading> _notAgain =
        Pattern.Begin<Reading>(out _, r => r.Value % 3 == 0).NotFollowedBy(r => r.Value % 5 == 0).Within(Seconds(6));

    private static readonly Dictionary<string, Func<IKeyedStream<string, Reading>, IEventStream<string>>> _verbs = new()
    {
        ["hopping"] = s => Sum(s.Window(Window.Hopping(Seconds(10), Seconds(5)))),
        ["session"] = s => Sum(s.Window(Window.Session(Seconds(4)))),
        ["session with a longest duration"] = s => Sum(s.Window(Window.Session(Seconds(4), Seconds(20)))),
        ["sliding"] = s => Sum(s.Window(Window.Sliding(Seconds(7)))),
        ["count"] = s => Sum(s.Window(Window.Count(3))),
        ["sliding count"] = s => Sum(s.Window(Window.Count(4, 2))),
        ["several sizes"] = s => Sum(s.Window(Window.TumblingEach(Seconds(5), Seconds(20)))),
        ["calendar"] = s => Sum(s.Window(Window.Calendar(CalendarUnit.Day, TimeZoneInfo.Utc))),
        ["between"] = s => Sum(s.Window(Window.Between<Reading>(r => r.Value % 5 == 0, r => r.Value % 7 == 0, Seconds(30)))),
        ["corrected hopping"] = s => Sum(s.Window(Window.Hopping(Seconds(10), Seconds(5)).AllowLate(Seconds(3)))),
        ["late into open"] = s => Sum(s.Window(Window.Tumbling(Seconds(10)).LateIntoOpen())),
        ["accumulator"] = s => s.Window(Window.Session(Seconds(4))).Aggregate(new Total(), (w, total) => $"{w.Key} {total.Sum}"),
        ["having with corrections"] = s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(3))).Having(w => w.Count() > 1).SelectUpdates(w => w.Sum(r => r.Value)).Select(u => $"{u}"),
        ["pattern"] = s => s.Match(_rising).Select(m => $"{m.Start:O} {m.End:O}"),
        ["absence in a pattern"] = s => s.Match(_notAgain).Select(m => $"{m.Start:O}"),
        ["silence"] = s => s.Silent(Seconds(5)).Select(x => $"{x}"),
        ["scan"] = s => s.Scan(0.0, (sum, r) => sum + r.Value).Select(x => $"{x}"),
        ["previous"] = s => s.WithPrevious((r, before) => $"{r.Key} {r.Value} {before.Value}"),
        ["changes"] = s => s.DistinctUntilChanged(r => (int)r.Value / 4).Select(r => $"{r}"),
        ["dead band"] = s => s.DeadBand(r => r.Value, 6).Select(r => $"{r}"),
        ["deduplicated"] = s => s.Deduplicate(r => (int)r.Value % 3, Seconds(6)).Select(r => $"{r}"),
        ["at most one"] = s => s.AtMostOncePer(Seconds(6)).Select(r => $"{r}"),
        ["sample"] = s => s.Sample(Seconds(5)).Select(r => $"{r}"),
        ["debounce"] = s => s.Debounce(Seconds(2)).Select(r => $"{r}"),
        ["gaps filled"] = s => s.FillGaps(Seconds(1), r => r.Value, Seconds(10)).Select(f => $"{f}"),
    };

    public static TheoryData<string> Verbs => [.. _verbs.Keys];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Keys_together_are_each_key_alone(string verb)
    {
        int results = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            results += SameAsAlone(_verbs[verb], new Random(seed), $"{verb}, seed {seed}");
        }

        Assert.True(results > 12, $"{results} results");
    }

    [Fact]
    public void Silence_of_a_key_closes_its_session_and_no_other() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).Running(8).Watermark(0).At(5, "b", 4).Running(12).Watermark(0).Running(13).Watermark(0)
            .Through(s => Sum(s.KeyBy(r => r.Key).TimelinePerKey(idleAfter: Seconds(9)).Window(Window.Session(Seconds(6)))))
            .Expect((7, "a 1970-01-01T00:00:01.0000000+00:00 1"));

    [Fact]
    public void Key_that_was_silent_for_long_ends_and_begins_anew() =>
        Timeline.Keyed()
            .At(100, "a", 1).Running(60).Watermark(0).At(3, "a", 2).At(14, "a", 3).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey(forgetAfter: Seconds(60)).Scan(0.0, (sum, r) => sum + r.Value))
            .ExpectSet((100, 1.0), (3, 2.0), (14, 5.0));

    [Fact]
    public void Results_before_a_windows_end_are_of_its_key() =>
        Timeline.Keyed()
            .At(1, "a", 1).Watermark(0).At(-3600, "b", 2).Watermark(0).At(2, "a", 3).Watermark(0).At(11, "a", 4).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Tumbling(Seconds(10)).Early(2)).Select(w => $"{w.Key} {w.Sum(r => r.Value)} {w.Firing}"))
            .ExpectSet((10, "a 4 Early"), (10, "a 4 OnTime"), (20, "a 4 OnTime"), (-3590, "b 2 OnTime"));

    [Fact]
    public async Task Pattern_says_of_each_key_why_it_did_not_match()
    {
        await using var engine = new CepEngine();
        Reading[] readings = [new("a", 0), new("b", 4), new("a", 1), new("b", 5)];
        long[] ticks = [TicksAt(0), TicksAt(-3600), TicksAt(1), TicksAt(-3599)];
        var query = engine.From(Source.FromMemory<Reading>(readings, ticks)).KeyBy(r => r.Key).TimelinePerKey()
            .Match(_rising, remember: 10).To(new Collecting<Match<Reading>>());
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Contains("began at 1970-01-01T00:00:00", $"{query.WhyNot("a", Time(-9000), Time(100))}", StringComparison.Ordinal);
        Assert.Contains("began at 1969-12-31T23:00:00", $"{query.WhyNot("b", Time(-9000), Time(100))}", StringComparison.Ordinal);
        Assert.Null(query.WhyNot("c", Time(-9000), Time(100)));
    }

    [Fact]
    public void Keys_that_come_once_make_room_for_others()
    {
        var timeline = Timeline.Keyed();
        for (int i = 0; i < 300; i++)
        {
            timeline.At(i, $"key {i}", 1).Running(i * 10).Watermark(i);
        }

        var outcome = timeline.End().Through(s => Sum(s.KeyBy(r => r.Key, maxKeys: 20).TimelinePerKey(forgetAfter: Seconds(30)).Window(Window.Session(Seconds(5)))))
            .WithoutSaving().Run();
        Assert.Equal(300, outcome.Rows.Count);
    }

    [Fact]
    public void Projection_that_throws_costs_its_result_alone()
    {
        var outcome = Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).At(3, "a", 1).At(21, "a", 3).At(22, "b", 4).Watermark(0).At(41, "a", 5).Watermark(0).End()
            .Through(s => s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Session(Seconds(5))).Select(w => w.Sum(r => r.Value) is var sum && w.Count() > 1
                ? throw new InvalidOperationException("no") : sum))
            .Skipping().ExpectSet((7, 2), (26, 3), (27, 4), (46, 5));
        Assert.Single(outcome.DeadLetters);
    }

    private static int SameAsAlone(Func<IKeyedStream<string, Reading>, IEventStream<string>> verb, Random random, string what)
    {
        string[] keys = ["a", "b", "c", "d"];
        var events = Enumerable.Range(0, 60).Select(i => (Key: random.Next(4), At: (i * 0.5) + random.Next(-8, 8), Value: (double)i)).ToList();
        var together = Timeline.Keyed();
        double watermark = -100;
        foreach (var (key, at, value) in events)
        {
            together.At(at + _skew[key], keys[key], value);
            if (random.Next(4) == 0)
            {
                together.Watermark(watermark = Math.Max(watermark, at));
            }
        }

        var outcome = together.Watermark(1000).End().Through(s => verb(s.KeyBy(r => r.Key).TimelinePerKey(Seconds(5)))).Run();
        var expected = new List<(double, string)>();
        for (int key = 0; key < 4; key++)
        {
            var alone = Timeline.Keyed();
            foreach (var (_, at, value) in events.Where(e => e.Key == key))
            {
                alone.At(at + _skew[key], keys[key], value);
            }

            expected.AddRange(alone.End().Through(s => verb(
                s.WithEventTime(r => Time(events[(int)r.Value].At + _skew[events[(int)r.Value].Key]), Seconds(5)).KeyBy(r => r.Key))).Run().Results);
        }

        Assert.True(expected.Order().SequenceEqual(outcome.Results.Order()), what);
        return expected.Count;
    }

    private static IEventStream<string> Sum(IWindowedStream<string, Reading> windows) => windows.Select(w => $"{w.Key} {w.Start:O} {w.Sum(r => r.Value)}");

    private struct Total : IAccumulator<Reading, Total>
    {
        internal double Sum { get; private set; }

        public void Add(in Reading value) => Sum += value.Value;

        public void Merge(in Total other) => Sum += other.Sum;
    }
}
