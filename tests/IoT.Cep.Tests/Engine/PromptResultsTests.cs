using System.Reactive.Subjects;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Corrections and early results come out with the events that gave rise to them, although the watermark stands. An event is its time in seconds.</summary>
public sealed class PromptResultsTests : IAsyncDisposable
{
    private readonly ManualTransport _transport = new();
    private readonly Collecting<string> _sink = new(takesUpdates: true);
    private CepEngine? _engine;

    public ValueTask DisposeAsync() => _engine?.DisposeAsync() ?? default;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Early_results_come_although_time_stands(int shards)
    {
        await StartAsync(shards, s => Counts(s.KeyBy(_ => 0).Window(Window.Tumbling(Seconds(10)).OnChange())));
        await SendAsync("1 1");
        Assert.Equal(["1 Early", "2 Early"], _sink.Results);
        await SendAsync("1");
        Assert.Equal(["1 Early", "2 Early", "3 Early"], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Corrections_come_although_nothing_newer_does(int shards)
    {
        await StartAsync(shards, s => Counts(s.KeyBy(_ => 0).Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(100)))));
        await SendAsync("1 20");
        await SendAsync("2");
        await SendAsync("3 4");
        Assert.Equal(["1 OnTime", "2 Late", "3 Late", "4 Late"], _sink.Results);
    }

    [Fact]
    public async Task Corrected_sessions_come_although_nothing_newer_does()
    {
        await StartAsync(1, s => Counts(s.KeyBy(_ => 0).Window(Window.Session(Seconds(2)).AllowLate(Seconds(100)))));
        await SendAsync("1 20");
        await SendAsync("2");
        Assert.Equal(["1 OnTime", "2 Late"], _sink.Results);
    }

    [Fact]
    public async Task They_pass_a_union_and_another_window_behind_it()
    {
        await StartAsync(1, s => s.Where(x => x < 50).Union(s.Where(x => x >= 50)).KeyBy(_ => 0)
            .Window(Window.Tumbling(Seconds(10)).OnChange()).SelectUpdates(w => w.Count()).Select(u => $"{u.Current} {u.Firing}"));
        await SendAsync("1");
        await SendAsync("1");
        await SendAsync("1");
        Assert.Equal(["1 Early", "2 Early", "3 Early"], _sink.Results);
    }

    [Fact]
    public void In_place_each_comes_with_its_event()
    {
        var results = new List<string>();
        using var source = new Subject<double>();
        using var subscription = Counts(source.ToEventStream(Time).KeyBy(_ => 0).Window(Window.Tumbling(Seconds(10)).OnChange())).Subscribe(results.Add);
        for (int i = 1; i <= 5; i++)
        {
            source.OnNext(1);
            Assert.Equal(i, results.Count);
        }
    }

    [Fact]
    public void What_waits_for_a_watermark_that_stands_stays_bounded()
    {
        int results = 0;
        using var source = new Subject<double>();
        using var subscription = source.ToEventStream(Time).KeyBy(_ => 0).Scan(0, (count, _) => count + 1).Subscribe(_ => results++);
        for (int i = 0; i < 200_000; i++)
        {
            source.OnNext(1);
        }

        Assert.InRange(results, 200_000 - 65_536, 200_000);
    }

    private static IEventStream<string> Counts(IWindowedStream<int, double> windows) => windows.Select(w => $"{w.Count()} {w.Firing}");

    private async Task StartAsync(int shards, Func<IEventStream<double>, IEventStream<string>> query)
    {
        _engine = new CepEngine(new CepEngineOptions { TimeProvider = new FakeTimeProvider(Time(1000)), Shards = shards });
        query(_engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(Time)).To(_sink);
        await _engine.StartAsync();
    }

    private async Task SendAsync(string numbers)
    {
        await await _transport.SendAsync(numbers);
        foreach (var stage in _engine!.Stages.Loops)
        {
            await stage.WaitUntilProcessedAsync().WaitAsync(Limit.Time);
        }
    }
}
