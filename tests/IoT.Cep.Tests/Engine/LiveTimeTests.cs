using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Time of live sources, under a clock that the test drives.</summary>
public sealed class LiveTimeTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new(Time(1000));
    private readonly ManualTransport _transport = new();
    private readonly Collecting<double> _sink = new();
    private readonly CepEngine _engine;

    public LiveTimeTests() => _engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock });

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Fact]
    public async Task Far_future_is_a_dead_letter_and_moves_no_watermark()
    {
        await StartAsync();
        await await _transport.SendAsync("1001 1301 1 1300 1002");
        await _engine.DrainAsync();
        Assert.Equal([1001.0, 1300], _sink.Results);
        var letter = Assert.Single(_engine.DeadLetters.Latest);
        Assert.Equal((DeadLetterReason.FarFuture, "1301"), (letter.Reason, letter.Prefix));
    }

    [Fact]
    public async Task Silent_source_closes_its_windows_after_the_idle_time()
    {
        await StartAsync();
        await await _transport.SendAsync("1001");
        Advance(9.8);
        Assert.Empty(_sink.Results);
        Advance(0.4);
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Idle_time_advances_by_what_elapsed_and_no_further()
    {
        await StartAsync();
        await await _transport.SendAsync("985");
        Advance(10.5);
        await await _transport.SendAsync("996");
        await _engine.DrainAsync();
        Assert.Equal([985.0, 996], _sink.Results);
    }

    [Fact]
    public async Task Time_without_a_connection_is_no_idle_time()
    {
        await StartAsync();
        await await _transport.SendAsync("1001");
        await _transport.ConnectAsync(false);
        Advance(100);
        Assert.Empty(_sink.Results);
        await _transport.ConnectAsync(true);
        Advance(9.8);
        Assert.Empty(_sink.Results);
        Advance(0.4);
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Time_in_a_pause_is_no_idle_time()
    {
        await StartAsync();
        await await _transport.SendAsync("1001");
        _engine.Pause();
        Advance(100);
        _engine.Resume();
        Advance(9.8);
        Assert.Empty(_sink.Results);
        Advance(0.4);
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Observable_source_is_idle_as_well()
    {
        using var source = new System.Reactive.Subjects.Subject<double>();
        _engine.From(Source.FromObservable(source)).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)).To(_sink);
        await _engine.StartAsync();
        while (!source.HasObservers)
        {
            await Task.Yield();
        }

        source.OnNext(1001);
        Advance(10.2);
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Arrival_is_the_time_of_the_clock()
    {
        _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithArrivalTime().Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)).To(_sink);
        await _engine.StartAsync();
        await await _transport.SendAsync("1 2");
        Advance(0.5);
        await await _transport.SendAsync("3");
        Advance(10);
        Assert.Equal([6.0], _sink.Results);
    }

    [Fact]
    public async Task Batch_leaves_at_the_latest_after_its_delay()
    {
        _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = Seconds(0.05)).To(_sink);
        await _engine.StartAsync();
        await await _transport.SendAsync("1");
        _clock.Advance(Seconds(0.04));
        Assert.Empty(_sink.Results);
        _clock.Advance(Seconds(0.02));
        Assert.Equal([1.0], _sink.Results);
    }

    private async Task StartAsync()
    {
        _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => Time(x))
            .Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)).To(_sink);
        await _engine.StartAsync();
    }

    private void Advance(double seconds)
    {
        for (double done = 0; done < seconds - 0.001; done += 0.1)
        {
            _clock.Advance(Seconds(0.1));
        }
    }
}
