using System.Reactive.Linq;
using System.Reactive.Subjects;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Queries that run on the thread of whoever feeds them, as Rx does.</summary>
public sealed class InPlaceTests : IDisposable
{
    private readonly Subject<Reading> _source = new();

    [Fact]
    public void In_place_and_over_rows_the_results_are_the_same()
    {
        double[] times = [1, 4, 3, 9, 12, 11, 21, 14, 35];
        static IEventStream<string> Query(IEventStream<Reading> s) =>
            s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)}");
        var timeline = Timeline.Keyed();
        foreach (double time in times)
        {
            timeline.At(0, time % 2 == 0 ? "even" : "odd", time);
        }

        var expected = timeline.End().Through(s => Query(s.WithEventTime(r => Time(r.Value), Seconds(2)))).Run().Rows.Select(row => row.Value);
        var actual = new List<string>();
        using var subscription = Query(_source.ToEventStream(r => Time(r.Value), Seconds(2))).Subscribe(actual.Add);
        foreach (double time in times)
        {
            _source.OnNext(new Reading(time % 2 == 0 ? "even" : "odd", time));
        }

        _source.OnCompleted();
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Error_of_a_selector_arrives_at_OnError_and_ends_it()
    {
        var seen = new List<double>();
        Exception? error = null;
        using var subscription = Stream().Select(r => 6 / (int)r.Value).Subscribe(x => seen.Add(x), e => error = e);
        foreach (double value in new[] { 3.0, 0, 2 })
        {
            _source.OnNext(new Reading("a", value));
        }

        Assert.Equal([2.0], seen);
        Assert.Equal("Select r => 6 / (int)r.Value", Assert.IsType<QueryException>(error).Operator);
        Assert.IsType<DivideByZeroException>(error.InnerException);
    }

    [Fact]
    public void Error_of_the_source_arrives_at_OnError()
    {
        Exception? error = null;
        using var subscription = Stream().Where(r => true).Subscribe(_ => { }, e => error = e);
        _source.OnError(new FormatException("bad"));
        Assert.IsType<FormatException>(error);
    }

    [Fact]
    public void Observer_is_told_the_end_once()
    {
        int ends = 0;
        using var subscription = Stream().Where(r => true).Subscribe(_ => { }, () => ends++);
        _source.OnCompleted();
        _source.OnCompleted();
        Assert.Equal(1, ends);
    }

    [Fact]
    public void Unsubscribing_lets_go_of_the_source_and_of_the_memory()
    {
        long before = Pooled.OutstandingHere;
        var subscription = Stream().KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(1))).Select(w => w.Sum(r => r.Value)).Subscribe(_ => { });
        _source.OnNext(new Reading("a", 1));
        _source.OnNext(new Reading("a", 5));
        Assert.True(_source.HasObservers);
        subscription.Dispose();
        subscription.Dispose();
        Assert.False(_source.HasObservers);
        Assert.Equal(before, Pooled.OutstandingHere);
    }

    [Fact]
    public void Unsubscribing_while_a_result_is_given_out_ends_it_there()
    {
        long before = Pooled.OutstandingHere;
        var seen = new List<int>();
        using var subscription = Stream().SelectMany(r => Enumerable.Range(1, 5)).AsObservable().Take(2).Subscribe(seen.Add);
        _source.OnNext(new Reading("a", 1));
        _source.OnNext(new Reading("a", 2));
        Assert.Equal([1, 2], seen);
        Assert.False(_source.HasObservers);
        Assert.Equal(before, Pooled.OutstandingHere);
    }

    [Fact]
    public void Unsubscribing_while_held_events_are_released_ends_it_there()
    {
        long before = Pooled.OutstandingHere;
        var seen = new List<double>();
        using var subscription = _source.ToEventStream(r => Time(r.Value), Seconds(5))
            .Match(Pattern.Begin<Reading>(out var x, r => true)).Select(m => m[x].Value).AsObservable().Take(1).Subscribe(seen.Add);
        foreach (double value in new[] { 3.0, 1, 2, 20, 30 })
        {
            _source.OnNext(new Reading("a", value));
        }

        Assert.Equal([1.0], seen);
        Assert.Equal(before, Pooled.OutstandingHere);
    }

    [Fact]
    public void AsObservable_falls_out_to_Rx()
    {
        var seen = new List<string>();
        using var subscription = Stream().Select(r => r.Value).AsObservable().Buffer(2).Subscribe(pair => seen.Add(string.Join(' ', pair)));
        foreach (double value in new[] { 1.0, 2, 3, 4, 5 })
        {
            _source.OnNext(new Reading("a", value));
        }

        _source.OnCompleted();
        Assert.Equal(["1 2", "3 4", "5"], seen);
    }

    [Fact]
    public void Query_is_a_value_that_is_subscribed_to_many_times()
    {
        var stream = Stream().Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value));
        double first = 0, second = 0;
        using var one = stream.Subscribe(x => first = x);
        _source.OnNext(new Reading("a", 1));
        using var two = stream.Subscribe(x => second = x);
        _source.OnNext(new Reading("a", 2));
        _source.OnCompleted();
        Assert.Equal((3, 2), (first, second));
    }

    [Fact]
    public void In_place_there_is_no_To() => Assert.Contains(
        "Subscribe", Assert.Throws<InvalidOperationException>(() => Stream().To(new Collecting<Reading>())).Message, StringComparison.Ordinal);

    public void Dispose() => _source.Dispose();

    private IEventStream<Reading> Stream() => _source.ToEventStream(r => Time(r.Value));
}
