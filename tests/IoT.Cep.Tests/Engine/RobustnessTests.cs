using System.Reactive.Linq;
using System.Reactive.Subjects;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep.Tests;

/// <summary>What others write (observers, sinks, acknowledgers) may fail in every way, and costs only what is theirs.</summary>
public sealed class RobustnessTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Subscriber_that_throws_stops_its_own_query_and_no_other(int shards)
    {
        var transport = new ManualTransport();
        var store = new ManualSink<double>();
        await using var engine = new CepEngine(new CepEngineOptions { Shards = shards });
        var stream = engine.From(transport.ToSource()).WithEventTime(x => DateTimeOffset.UnixEpoch.AddSeconds(x));
        stream.To(store);
        stream.KeyBy(x => (int)x % 2).Window(Window.Tumbling(TimeSpan.FromSeconds(1))).Select(w => w.Count()).Subscribe(_ => throw new FormatException("bad"));
        await engine.StartAsync();
        for (int i = 1; i <= 10; i++)
        {
            await transport.SendAsync($"{i}");
            await store.WaitForAsync(i);
        }

        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(Enumerable.Range(1, 10).Select(i => (double)i), store.Rows);
        Assert.Equal(QueryState.Failed, engine.Queries[1].State);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    public async Task Sink_that_rejects_a_row_it_was_not_given_is_tried_again(int row)
    {
        var transport = new ManualTransport();
        var store = new ManualSink<double> { BeforeWrite = (_, tries) => RejectFirst(tries, row) };
        await using var engine = new CepEngine();
        var query = engine.From(transport.ToSource()).To(store);
        await engine.StartAsync();
        await transport.SendAsync("1");
        await store.WaitForAsync(1);
        Assert.Equal((0, 1), (engine.DeadLetters.Count, query.Sink!.Retries));
    }

    [Fact]
    public void Acknowledger_that_throws_holds_no_other_message_back()
    {
        var errors = new List<Exception>();
        var tracker = new AckTracker(errors.Add);
        var acknowledger = new Acknowledger();
        foreach (int delivery in new[] { 1, 2, 3 })
        {
            tracker.Add(acknowledger, delivery);
        }

        tracker.OnProcessed();
        Assert.Equal([1, 3], acknowledger.Acknowledged);
        Assert.IsType<FormatException>(Assert.Single(errors));
    }

    [Fact]
    public async Task Stop_ends_in_time_although_a_sink_is_stuck_and_dead_letters_wait()
    {
        var transport = new ManualTransport();
        var stuck = new ManualSink<double>();
        stuck.Block();
        await using var engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromMilliseconds(200) });
        engine.From(transport.ToSource()).To(stuck);
        var letters = new ManualSink<string>();
        letters.Block();
        engine.From(engine.DeadLetters).Select(letter => letter.Detail).To(letters);
        await engine.StartAsync();
        await transport.SendAsync("1");
        await transport.SendAsync("no number");
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(1, engine.DeadLetters.Count);
    }

    [Fact]
    public async Task Removing_the_query_whose_sink_is_stuck_lets_the_source_go_on()
    {
        var transport = new ManualTransport();
        var stuck = new ManualSink<double>();
        stuck.Block();
        var good = new ManualSink<double>();
        await using var engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromMilliseconds(200) });
        var stream = engine.From(transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero);
        stream.To(good);
        var query = stream.SelectMany(x => Enumerable.Repeat(x, x > 1 ? SinkWorker<double>.CapacityEvents : 1)).To(stuck);
        await engine.StartAsync();
        await transport.SendAsync("1");
        await transport.SendAsync("2");
        await transport.SendAsync("3");
        query.Dispose();
        await transport.SendAsync("4");
        await good.WaitForAsync(4);
        Assert.Equal([1.0, 2, 3, 4], good.Rows);
    }

    [Fact]
    public async Task Union_in_place_takes_one_event_at_a_time_from_any_thread()
    {
        const int Each = 20_000;
        var left = new Subject<int>();
        var right = new Subject<int>();
        long sum = 0;
        var time = DateTimeOffset.UnixEpoch;
        using var subscription = left.ToEventStream(_ => time).Union(right.ToEventStream(_ => time))
            .Window(Window.Tumbling(TimeSpan.FromSeconds(1))).Select(w => w.Sum(x => x)).Subscribe(x => sum += (long)x);
        await Task.WhenAll(Task.Run(() => Feed(left)), Task.Run(() => Feed(right))).WaitAsync(Limit.Time);
        Assert.Equal(2L * Each, sum);

        static void Feed(Subject<int> subject)
        {
            for (int i = 0; i < Each; i++)
            {
                subject.OnNext(1);
            }

            subject.OnCompleted();
        }
    }

    [Fact]
    public void Disposing_inside_an_observer_gives_buffers_back_when_the_event_is_through()
    {
        var subject = new Subject<int>();
        var seen = new List<int>();
        IDisposable? subscription = null;
        subscription = subject.ToEventStream(_ => DateTimeOffset.UnixEpoch).SelectMany(x => Enumerable.Range(x, 3)).Subscribe(x =>
        {
            seen.Add(x);
            subscription!.Dispose();
        });
        subject.OnNext(1);
        subject.OnNext(2);
        Assert.Equal([1], seen);
    }

    [Fact]
    public void Event_time_belongs_to_the_source()
    {
        var engine = new CepEngine();
        var stream = engine.From(Source.FromMemory<double>(new double[1], new long[1]));
        var error = Assert.Throws<ArgumentException>(() => stream.Where(x => x > 0).WithEventTime(_ => DateTimeOffset.UnixEpoch));
        Assert.Contains("right behind cep.From", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddCep_twice_is_refused()
    {
        var services = new ServiceCollection();
        services.AddCep(_ => { });
        Assert.Contains("one call", Assert.Throws<InvalidOperationException>(() => services.AddCep(_ => { })).Message, StringComparison.Ordinal);
    }

    private static void RejectFirst(int tries, int row)
    {
        if (tries == 1)
        {
            throw new SinkRejectedException(row, "no such row");
        }
    }

    private sealed class Acknowledger : IAcknowledger
    {
        internal List<int> Acknowledged { get; } = [];

        public void Acknowledge(object delivery) => Acknowledged.Add((int)delivery == 2 ? throw new FormatException("bad") : (int)delivery);
    }
}
