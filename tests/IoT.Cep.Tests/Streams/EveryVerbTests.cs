using System.Reactive.Subjects;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Each verb that needs order, and each kind of window, gives the same in place and in an engine, over any number of shards, as over rows.</summary>
public sealed class EveryVerbTests
{
    private static readonly Dictionary<string, Func<IEventStream<Reading>, IEventStream<string>>> _verbs = new()
    {
        ["Split"] = s => Text(Rest(s)),
        ["DistinctUntilChanged"] = s => Text(s.KeyBy(r => r.Key).DistinctUntilChanged(r => Math.Floor(r.Value / 4), forgetAfter: Seconds(9))),
        ["DistinctUntilChanged without a key"] = s => Text(s.DistinctUntilChanged(r => r.Key)),
        ["Deduplicate"] = s => Text(s.KeyBy(r => r.Key).Deduplicate(r => (int)r.Value % 3, Seconds(5))),
        ["Deduplicate without a key"] = s => Text(s.Deduplicate(r => r.Key, Seconds(5))),
        ["AtMostOncePer"] = s => Text(s.KeyBy(r => r.Key).AtMostOncePer(Seconds(4))),
        ["AtMostOncePer keep last"] = s => Text(s.KeyBy(r => r.Key).AtMostOncePer(Seconds(4), Keep.Last)),
        ["Sample"] = s => Text(s.KeyBy(r => r.Key).Sample(Seconds(6))),
        ["Debounce"] = s => Text(s.KeyBy(r => r.Key).Debounce(Seconds(3))),
        ["WithPrevious"] = s => s.KeyBy(r => r.Key).WithPrevious((previous, current) => $"{previous} {current}"),
        ["WithPrevious of several"] = s => s.WithPrevious(2, (previous, current) => $"{previous.Length} {current}"),
        ["Scan"] = s => s.KeyBy(r => r.Key).Scan(0.0, (sum, r) => sum + r.Value, (r, sum) => $"{r.Key} {sum}"),
        ["Reorder"] = s => Text(s.Reorder()),
        ["Late of Reorder"] = s => Text(LateOf(s)),
        ["DeadBand"] = s => Text(s.KeyBy(r => r.Key).DeadBand(r => r.Value % 7, 2.5, atLeastEvery: Seconds(5), forgetAfter: Seconds(9))),
        ["DeadBand without a key"] = s => Text(s.DeadBand(r => r.Value % 7, 2.5)),
        ["FillGaps"] = s => s.KeyBy(r => r.Key).FillGaps(Seconds(0.5), r => r.Value, Seconds(3)).Select(f => $"{f.Key} {f.Time:O} {f.Value} {f.IsFilled}"),
        ["FillGaps of a line"] = s => s.KeyBy(r => r.Key).FillGaps(Seconds(0.5), r => r.Value, Seconds(3), Interpolation.Linear)
            .Select(f => $"{f.Key} {f.Time:O} {f.Value:F6} {f.IsFilled}"),
        ["one behind the other"] = s => Text(s.KeyBy(r => r.Key).Reorder().DistinctUntilChanged(r => (int)r.Value % 2).Debounce(Seconds(2)).AtMostOncePer(Seconds(6))),
    };

    /// <summary>Each kind of window.</summary>
    private static readonly Dictionary<string, Func<IEventStream<Reading>, IEventStream<string>>> _windows = new()
    {
        ["Tumbling"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(5)))),
        ["Tumbling without a key"] = s => Text(s.Window(Window.Tumbling(Seconds(5)))),
        ["Hopping"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Hopping(Seconds(6), Seconds(2)))),
        ["Hopping with a rest"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Hopping(Seconds(7), Seconds(3)))),
        ["TumblingEach"] = s => Text(s.KeyBy(r => r.Key).Window(Window.TumblingEach(Seconds(4), Seconds(9)))),
        ["Calendar"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Calendar(CalendarUnit.Day, TimeZoneInfo.Utc, offset: Seconds(40)))),
        ["Sliding"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(5)))),
        ["Sliding average"] = s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(5))).Select(w => $"{w.Key} {w.End:O} {w.Average(r => r.Value):F6}"),
        ["Around"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Around(Seconds(2), Seconds(3)))),
        ["Session"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Session(Seconds(1)))),
        ["Session of so long at most"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Session(Seconds(1), maxDuration: Seconds(8)))),
        ["Count"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Count(5))),
        ["Sliding count"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Count(6, every: 4))),
        ["Time or count"] = s => Text(s.KeyBy(r => r.Key).Window(Window.TimeOrCount(Seconds(3), 4))),
        ["Between"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Between<Reading>(r => r.Value % 4 < 1, r => r.Value % 4 > 3, Seconds(9)))),
        ["FillGaps of a line, in windows"] = s => s.KeyBy(r => r.Key).FillGaps(Seconds(0.5), r => r.Value, Seconds(3), Interpolation.Linear)
            .KeyBy(f => f.Key).Window(Window.Tumbling(Seconds(4))).Select(w => $"{w.Key} {w.Start:O} {w.Count()} {w.Sum(f => f.Value):F6} {w.Sum(f => f.IsFilled ? 1 : 0)}"),
        ["Global"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Global(WindowTrigger.EveryEvents<Reading>(5)))),
        ["Global by time"] = s => Text(s.KeyBy(r => r.Key).Window(Window.Global(WindowTrigger.Every<Reading>(Seconds(4), keep: true)))),
    };

    public static TheoryData<string> Verbs => [.. _verbs.Keys];

    public static TheoryData<string> VerbsAndWindows => [.. _verbs.Keys, .. _windows.Keys];

    [Theory]
    [MemberData(nameof(VerbsAndWindows))]
    public async Task It_gives_the_same_in_place_and_in_an_engine(string verb)
    {
        var events = Events();
        var timeline = Timeline.Keyed();
        events.ForEach(e => timeline.At(0, e.Key, e.Value));
        string[] expected = [.. timeline.End().Through(s => Query(verb, s)).Run().Rows.Select(row => row.Value)];
        Assert.NotEmpty(expected);

        var inPlace = new List<string>();
        using var source = new Subject<Reading>();
        using var subscription = Find(verb)(source.ToEventStream(r => Time(r.Value), Seconds(2))).Subscribe(inPlace.Add);
        events.ForEach(source.OnNext);
        source.OnCompleted();
        Assert.Equal(expected, inPlace);

        foreach (int shards in new[] { 1, 3 })
        {
            var sink = new Collecting<string>();
            await using var engine = new CepEngine(new CepEngineOptions { Shards = shards });
            Query(verb, engine.From(Source.FromMemory<Reading>(events.ToArray(), new long[events.Count]))).To(sink);
            await engine.RunAsync().WaitAsync(Limit.Time);
            Assert.Equal(expected, sink.Results);
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void It_says_in_one_line_what_it_is(string verb)
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, string>(input, _verbs[verb](input.ToStream()).Node, 1);
        string first = verb == "Late of Reorder" ? verb : verb == "one behind the other" ? "AtMostOncePer" : verb.Split(' ')[0];
        Assert.Contains(run.Plan.Operators, o => o.Info!.Text.StartsWith(first.Replace("Late of", "Late for", StringComparison.Ordinal), StringComparison.Ordinal));
        Assert.DoesNotContain('\n', run.Plan.Operators[1].Info!.Text);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void It_refuses_a_stream_that_corrects_its_results(string verb)
    {
        var corrected = new Input<Reading>().ToStream().KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(1)).AllowLate(Seconds(1)))
            .Select(w => new Reading(w.Key, w.Sum(r => r.Value)));
        Assert.Contains("can't take corrections", Assert.Throws<ArgumentException>(() => _verbs[verb](corrected)).Message, StringComparison.Ordinal);
    }

    private static Func<IEventStream<Reading>, IEventStream<string>> Find(string verb) => _verbs.TryGetValue(verb, out var query) ? query : _windows[verb];

    private static IEventStream<string> Query(string verb, IEventStream<Reading> stream) => Find(verb)(stream.WithEventTime(r => Time(r.Value), Seconds(2)));

    private static IEventStream<string> Text(IEventStream<Reading> stream) => stream.Select(r => $"{r}");

    /// <summary>Values are quarters, whose sums are exact: nothing hangs on how a window adds.</summary>
    private static IEventStream<string> Text<TKey>(IWindowedStream<TKey, Reading> windows)
        where TKey : notnull => windows.Select(w => $"{w.Key} {w.Start:O} {w.End:O} {w.Firing} {w.Count()} {w.Sum(r => r.Value)} {w.Min(r => r.Value)} {w.Max(r => r.Value)}");

    private static IEventStream<Reading> Rest(IEventStream<Reading> stream)
    {
        stream.Split(r => r.Value > 50, out var rest);
        return rest;
    }

    private static IEventStream<Reading> LateOf(IEventStream<Reading> stream)
    {
        stream.Reorder(out var late);
        return late;
    }

    /// <summary>The value is the time, each once; some come out of order, and some too late.</summary>
    private static List<Reading> Events()
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, 400).Select(i => (Order: i + random.Next(6) + (random.Next(30) == 0 ? 20 : 0), Event: new Reading($"k{random.Next(4)}", i / 4.0)))
            .OrderBy(e => e.Order).Select(e => e.Event)];
    }
}
