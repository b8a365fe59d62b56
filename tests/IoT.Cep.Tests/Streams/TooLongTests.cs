using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What would happen after the end of time would never happen: its results would be lost without a word.</summary>
public class TooLongTests
{
    private static readonly (string Name, Action<IKeyedStream<string, Reading>, TimeSpan> Verb)[] _verbs =
    [
        ("size", (_, span) => Window.Tumbling(span)),
        ("offset", (_, span) => Window.Tumbling(Seconds(1), span)),
        ("sizes", (_, span) => Window.TumblingEach(Seconds(1), span)),
        ("offset", (_, span) => Window.TumblingEach([Seconds(1)], span)),
        ("size", (_, span) => Window.Hopping(span, span)),
        ("offset", (_, span) => Window.Hopping(Seconds(1), Seconds(1), span)),
        ("size", (_, span) => Window.Sliding(span)),
        ("before", (_, span) => Window.Around(span, Seconds(1))),
        ("after", (_, span) => Window.Around(Seconds(1), span)),
        ("gap", (_, span) => Window.Session(span)),
        ("gap", (_, span) => Window.Session(span, span)),
        ("maxDuration", (_, span) => Window.Session(Seconds(1), span)),
        ("span", (_, span) => Window.TimeOrCount(span, 10)),
        ("longest", (_, span) => Window.Between((Reading r) => r.Value > 1, r => r.Value < 1, span)),
        ("every", (_, span) => Window.Tumbling(Seconds(1)).Early(span)),
        ("interval", (_, span) => WindowTrigger.Every<Reading>(span)),
        ("span", (_, span) => Pattern.Begin<Reading>(out var _, r => r.Value > 1).Within(span)),
        ("silentFor", (stream, span) => stream.Silent(span)),
        ("every", (stream, span) => stream.Sample(span)),
        ("quiet", (stream, span) => stream.Debounce(span)),
        ("interval", (stream, span) => stream.AtMostOncePer(span, Keep.Last)),
        ("maxGap", (stream, span) => stream.FillGaps(span, r => r.Value, span)),
    ];

    [Fact]
    public void Longer_than_all_times_is_refused()
    {
        var stream = new Input<Reading>().ToStream().KeyBy(r => r.Key);
        foreach (var (name, verb) in _verbs)
        {
            verb(stream, TimeWindows.Longest);
            var error = Assert.Throws<ArgumentOutOfRangeException>(name, () => verb(stream, TimeSpan.MaxValue));
            Assert.Contains("3,652,059 days", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void As_long_as_all_times_gives_its_results_at_the_end()
    {
        var timeline = Timeline.Keyed().At(1, "a", 2).At(2, "a", 3).End();
        WindowSpec[] windows =
        [
            Window.Tumbling(TimeWindows.Longest), Window.Session(TimeWindows.Longest), Window.Session(Seconds(10), TimeWindows.Longest),
            Window.TimeOrCount(TimeWindows.Longest, 10),
        ];
        foreach (var window in windows)
        {
            Assert.Equal(5, Assert.Single(timeline.Through(s => s.KeyBy(r => r.Key).Window(window).Select(w => w.Sum(r => r.Value))).Run().Results).Value);
        }
    }
}
