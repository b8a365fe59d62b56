using IoT.Cep.Extensibility;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class EngineTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Events_in_memory_go_through_windows_into_both_kinds_of_sink(int shards)
    {
        var inline = new Collecting<string>();
        var store = new ManualSink<string>();
        long before = Pooled.Outstanding;
        await using (var engine = new CepEngine(new CepEngineOptions { Shards = shards }))
        {
            var windows = Memory(engine, 10_000).KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Sum(r => r.Value)} {w.Start:mm:ss}");
            windows.To(inline);
            windows.To(store);
            await engine.RunAsync().WaitAsync(Limit.Time);
            Assert.All(engine.Queries, query => Assert.Equal(QueryState.Completed, query.State));
        }

        var expected = Enumerable.Range(0, 10_000).GroupBy(i => (Key: i % 7, Window: i / 100))
            .Select(g => $"k{g.Key.Key} {g.Sum(i => i % 10)} {Time(g.Key.Window * 10):mm:ss}").Order();
        Assert.Equal(expected, inline.Results.Order());
        Assert.Equal(inline.Results, store.Rows);
        Assert.Equal(before, Pooled.Outstanding);
    }

    [Fact]
    public async Task Events_of_one_time_are_on_time_wherever_a_batch_in_order_ends()
    {
        var counts = new List<long>();
        await using var engine = new CepEngine(cep => cep.From(Source.FromMemory<int>(new int[5_000], new long[5_000]))
            .Window(Window.Count(5_000)).Select(w => w.Count()).Subscribe(counts.Add));
        await engine.RunAsync();
        Assert.Equal([5_000], counts);
    }

    [Fact]
    public async Task Drain_fires_open_windows_and_suspend_keeps_them()
    {
        foreach (bool drain in new[] { true, false })
        {
            foreach (bool endsQuietly in new[] { true, false })
            {
                var transport = new ManualTransport(endsQuietly);
                var sink = new Collecting<double>();
                await using var engine = new CepEngine();
                engine.From(transport.ToSource()).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)).To(sink);
                await engine.StartAsync();
                await await transport.SendAsync("1 2 3");
                await (drain ? engine.DrainAsync() : engine.SuspendAsync()).WaitAsync(Limit.Time);
                Assert.Equal(drain ? [6.0] : [], sink.Results);
            }
        }
    }

    [Fact]
    public async Task Pause_holds_events_back_until_resume()
    {
        var transport = new ManualTransport();
        var sink = new Collecting<double>();
        await using var engine = new CepEngine();
        engine.From(transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).To(sink);
        await engine.StartAsync();
        await await transport.SendAsync("1");
        engine.Pause();
        await await transport.SendAsync("2");
        Assert.True(engine.IsPaused);
        Assert.Equal([1.0], sink.Results);
        engine.Resume();
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal([1.0, 2], sink.Results);
    }

    [Fact]
    public async Task Queries_with_the_same_time_share_one_assignment()
    {
        int calls = 0;
        await using var engine = new CepEngine();
        var stream = Memory(engine, 100, bare: true).WithEventTime(r =>
        {
            calls++;
            return Time(r.Value);
        });
        stream.Where(r => r.Value > 3).To(new Collecting<Reading>());
        stream.Select(r => r.Value).To(new Collecting<double>());
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(100, calls);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Failing_query_stops_alone(int shards)
    {
        await using var engine = new CepEngine(new CepEngineOptions { Shards = shards });
        var stream = Memory(engine, 5000);
        var good = new Collecting<double>();
        var failing = stream.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)))
            .Select(w => w.Sum(r => r.Value == 7 ? throw new FormatException("bad") : r.Value)).To(new Collecting<double>(), "failing");
        stream.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value)).To(good);
        var told = await Assert.ThrowsAsync<AggregateException>(() => engine.RunAsync().WaitAsync(Limit.Time));
        Assert.Same(failing.Error, Assert.Single(told.InnerExceptions));
        Assert.Equal((QueryState.Failed, "failing"), (failing.State, Assert.IsType<QueryException>(failing.Error).Query));
        Assert.Equal(5000 / 10 * 45.0, good.Results.Sum());
    }

    [Fact]
    public async Task Skipped_events_are_counted_and_streamed_to_a_store_on_drain()
    {
        var store = new ManualSink<string>();
        await using var engine = new CepEngine(new CepEngineOptions { ErrorPolicy = ErrorPolicy.Skip });
        var query = Memory(engine, 100).Select(r => r.Value == 7 ? throw new FormatException("bad") : r.Value).To(new Collecting<double>());
        engine.From(engine.DeadLetters).Select(letter => letter.Detail).To(store);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal((10, 10), (query.SkippedEvents, engine.DeadLetters.CountOf(DeadLetterReason.QueryError)));
        Assert.Equal(10, store.Rows.Count(row => row.EndsWith("FormatException: bad", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Windows_over_dead_letters_fire_on_drain_over_several_shards()
    {
        var store = new ManualSink<long>();
        await using var engine = new CepEngine(new CepEngineOptions { ErrorPolicy = ErrorPolicy.Skip, Shards = 2 });
        Memory(engine, 100).Select(r => r.Value == 7 ? throw new FormatException("bad") : r.Value).To(new Collecting<double>());
        engine.From(engine.DeadLetters).KeyBy(letter => letter.Source).Window(Window.Tumbling(TimeSpan.FromDays(10_000))).Select(w => w.Count()).To(store);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([10L], store.Rows);
    }

    [Fact]
    public async Task Query_over_dead_letters_that_fails_gets_none_of_its_own()
    {
        await using var engine = new CepEngine(new CepEngineOptions { ErrorPolicy = ErrorPolicy.Skip });
        Memory(engine, 100).Select(r => r.Value == 7 ? throw new FormatException("bad") : r.Value).To(new Collecting<double>());
        engine.From(engine.DeadLetters).Select<DeadLetter, string>(letter => throw new FormatException("worse")).To(new Collecting<string>());
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(20, engine.DeadLetters.Count);
    }

    [Fact]
    public async Task Source_declared_after_the_start_waits_for_its_query()
    {
        await using var engine = new CepEngine();
        await engine.StartAsync();
        var sink = new Collecting<Reading>();
        var stream = Memory(engine, 100);
        stream.To(sink);
        await sink.Completed.WaitAsync(Limit.Time);
        Assert.Equal(100, sink.Results.Count);
    }

    [Fact]
    public async Task Removed_query_lets_go_of_its_sink()
    {
        var transport = new ManualTransport();
        var store = new ManualSink<double>();
        await using (var engine = new CepEngine(new CepEngineOptions { Shards = 2 }))
        {
            var query = engine.From(transport.ToSource()).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(1))).Select(w => w.Sum(x => x)).To(store);
            await engine.StartAsync();
            query.Dispose();
            Assert.Empty(engine.Queries);
            Assert.Equal(QueryState.Removed, query.State);
        }

        Assert.True(store.Disposed);
    }

    [Fact]
    public async Task Sink_that_never_opened_and_has_nothing_to_write_does_not_hold_up_the_stop()
    {
        var sink = new ManualSink<double> { OpenError = new IOException("no such disk") };
        await using var engine = new CepEngine(new CepEngineOptions { DrainTimeout = TimeSpan.FromHours(1) });
        var query = engine.From(new ManualTransport().ToSource()).To(sink);
        await engine.StartAsync();
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal("no such disk", query.Sink!.LastError);
    }

    [Fact]
    public async Task Host_starts_the_engine_and_drains_it()
    {
        var transport = new ManualTransport();
        var sink = new Collecting<double>();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCep(cep =>
            cep.From(transport.ToSource()).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)).To(sink));
        using var host = builder.Build();
        await host.StartAsync();
        await await transport.SendAsync("1 2 3");
        await host.StopAsync().WaitAsync(Limit.Time);
        Assert.Equal([6.0], sink.Results);
        Assert.Single(host.Services.GetRequiredService<CepEngine>().Queries);
    }

    private static IEventStream<Reading> Memory(CepEngine engine, int count, bool bare = false)
    {
        var events = Enumerable.Range(0, count).Select(i => new Reading($"k{i % 7}", bare ? i : i % 10)).ToArray();
        long[] ticks = [.. Enumerable.Range(0, count).Select(i => TicksAt(i * 0.1))];
        return engine.From(Source.FromMemory<Reading>(events, ticks));
    }
}
