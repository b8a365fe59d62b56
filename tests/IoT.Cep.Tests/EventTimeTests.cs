using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Values are their own times, in seconds: what the rows say of time is overruled.</summary>
public class EventTimeTests
{
    private static readonly Func<IEventStream<double>, IEventStream<string>> _windows =
        s => s.WithEventTime(x => Time(x), maxDisorder: Seconds(2)).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Count()}: {w.Max(x => x)}");

    [Fact]
    public void Window_closes_when_an_event_is_beyond_its_end_and_the_disorder() =>
        Of(3, 9, 11.999, 8).Through(_windows).ExpectNothing();

    [Fact]
    public void Window_closes_at_its_end_and_the_disorder() =>
        Of(3, 9, 12).Through(_windows).Expect((10, "2: 9"));

    [Fact]
    public void Event_at_the_watermark_is_on_time() =>
        Of(3, 12, 10, 22).Through(_windows).Expect((10, "1: 3"), (20, "2: 12"));

    [Fact]
    public void Late_event_in_the_middle_of_a_batch_is_late_wherever_the_batch_is_cut()
    {
        var outcome = Of(3, 12, 9, 4, 13, 25, 11, 12, 30, 35).Through(_windows).Expect((10, "1: 3"), (20, "2: 13"), (30, "1: 25"));
        Assert.Equal(4, outcome.LateEvents);
    }

    [Fact]
    public void First_watermark_is_that_of_the_first_event_alone() =>
        Of(100, 1, 2, 112).Through(_windows).Expect((110, "1: 100"));

    [Fact]
    public void End_of_the_input_closes_the_open_windows() =>
        Of(3, 15, 16).End().Through(_windows).Expect((10, "1: 3"), (20, "2: 16"));

    [Fact]
    public void Without_disorder_time_only_goes_up() =>
        Of(1, 5, 4, 5, 10, 9).End().Through(s => s.WithEventTime(x => Time(x)).Match(Pattern.Begin<double>(out var x, x => true)).Select(m => m[x]))
            .Expect((1, 1), (5, 5), (5, 5), (10, 10));

    [Fact]
    public void Times_before_1970_are_times() =>
        Of(-15, -9, -13, -3).Through(_windows).Expect((-10, "2: -13"));

    [Fact]
    public void Time_given_anew_closes_other_windows() =>
        Of(1, 2, 11, 12).End()
            .Through(s => s.WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(2))).Select(w => w.Max(x => x))
                .WithEventTime(x => Time(x * 10)).Window(Window.Tumbling(Seconds(100))).Select(w => w.Sum(x => x)))
            .Expect((100, 3), (200, 23));

    [Fact]
    public void Second_time_in_the_same_place_is_refused_with_the_remedy()
    {
        using var observable = new System.Reactive.Subjects.Subject<double>();
        var given = observable.ToEventStream(x => Time(0));
        foreach (var stream in new[] { given, new CepEngine().From(Source.FromObservable(observable)) })
        {
            var once = stream.WithEventTime(x => Time(x), maxDisorder: Seconds(2));
            var error = Assert.Throws<ArgumentException>(() => once.WithEventTime(x => Time(x * 10)));
            Assert.Contains("EventTime x => Time(x * 10), disorder 00:00:00", error.Message, StringComparison.Ordinal);
            Assert.Contains("EventTime x => Time(x), disorder 00:00:02", error.Message, StringComparison.Ordinal);
            Assert.Contains("begin with what cep.From(...) returned", error.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => once.WithArrivalTime());
            Assert.Throws<ArgumentException>(() => once.Named("times").WithEventTime(x => Time(x), Watermarks.Monotonic));
            Assert.NotNull(stream.WithArrivalTime());
        }
    }

    [Fact]
    public void Time_right_behind_ToEventStream_takes_the_place_of_the_one_given_there()
    {
        var results = new List<string>();
        using var observable = new System.Reactive.Subjects.Subject<double>();
        using var subscription = _windows(observable.ToEventStream(x => x < 0 ? Time(x) : throw new InvalidOperationException("not asked"))).Subscribe(results.Add);
        foreach (double time in (double[])[3, 12, 10, 22])
        {
            observable.OnNext(time);
        }

        Assert.Equal(["1: 3", "2: 12"], results);
    }

    private static Timeline<double> Of(params double[] seconds)
    {
        var timeline = Timeline.Of<double>();
        foreach (double time in seconds)
        {
            timeline.At(0, time);
        }

        return timeline;
    }
}
