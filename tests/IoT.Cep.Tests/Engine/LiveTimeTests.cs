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

    [Theory]
    [InlineData("monotonic")]
    [InlineData("bounded")]
    [InlineData("punctuated")]
    [InlineData("own")]
    public async Task Far_future_is_a_dead_letter_whatever_the_strategy(string strategy)
    {
        await StartAsync(strategy switch
        {
            "monotonic" => Watermarks.Monotonic,
            "bounded" => Watermarks.BoundedDisorder(Seconds(2)),
            "punctuated" => Watermarks.Punctuated((double x) => Time(x)),
            _ => Watermarks.From(() => new WatermarkTests.ThirdLatest()),
        });
        await await _transport.SendAsync("1001 1301 1300.5 1002");
        await await _transport.SendAsync("1003 1004");
        await _engine.DrainAsync();
        Assert.Equal([1004.0], _sink.Results);
        Assert.Equal((2, 2), (_engine.DeadLetters.CountOf(DeadLetterReason.FarFuture), Assert.Single(_engine.Sources).DeadLetters));
    }

    [Fact]
    public async Task Marker_in_the_far_future_is_a_dead_letter()
    {
        await StartAsync(Watermarks.Punctuated((double x) => x == 1002 ? Time(9999) : null));
        await await _transport.SendAsync("1001 1002 1003");
        await _engine.DrainAsync();
        Assert.Equal([1003.0], _sink.Results);
        Assert.Equal("1002", Assert.Single(_engine.DeadLetters.Latest).Prefix);
    }

    [Fact]
    public async Task Strategy_can_not_move_time_beyond_the_bound_on_the_future()
    {
        await StartAsync(Watermarks.From(() => new Forever()));
        await await _transport.SendAsync("1001");
        Assert.Equal(Time(1300), Assert.Single(_engine.Sources).Watermark);
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Silence_goes_on_from_the_last_marker()
    {
        await StartAsync(Watermarks.Punctuated((double x) => x % 2 == 0 ? Time(x) : null));
        await await _transport.SendAsync("991 994 997");
        Advance(9.8);
        Assert.Empty(_sink.Results);
        Advance(0.4);
        Assert.Equal([997.0], _sink.Results);
    }

    [Fact]
    public async Task Source_that_is_never_idle_waits_for_its_next_event()
    {
        await StartAsync(Watermarks.Monotonic, Timeout.InfiniteTimeSpan);
        await await _transport.SendAsync("1001");
        Advance(100);
        Assert.Empty(_sink.Results);
        await await _transport.SendAsync("1010");
        Assert.Equal([1001.0], _sink.Results);
    }

    [Fact]
    public async Task Pause_between_two_looks_at_the_clock_is_no_idle_time()
    {
        await StartAsync();
        await await _transport.SendAsync("1001");
        for (int i = 0; i < 200; i++)
        {
            _clock.Advance(Seconds(0.01));
            _engine.Pause();
            _clock.Advance(Seconds(0.08));
            _engine.Resume();
            _clock.Advance(Seconds(0.01));
        }

        Assert.Empty(_sink.Results);
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
    public async Task Time_selector_that_throws_is_named_in_its_dead_letter_and_a_source_prints_its_partitions()
    {
        _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => x < 0 ? throw new FormatException("no time") : Time(x)).To(_sink);
        await _engine.StartAsync();
        await await _transport.SendAsync("1001 -2 1002");
        Assert.StartsWith("EventTime x => x < 0 ? throw", Assert.Single(_engine.DeadLetters.Latest).Detail, StringComparison.Ordinal);
        string text = Assert.Single(_engine.Sources).ToString();
        Assert.Contains("Events = 3, ", text, StringComparison.Ordinal);
        Assert.Contains("Partitions = [PartitionStatistics { Name = ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Observable_source_is_idle_as_well()
    {
        using var source = new System.Reactive.Subjects.Subject<double>();
        _engine.From(Source.FromObservable(source)).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)).To(_sink);
        await _engine.StartAsync();
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

    private async Task StartAsync(Watermarks<double>? watermarks = null, TimeSpan? idleAfter = null)
    {
        _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => Time(x), watermarks ?? Watermarks.Monotonic, idleAfter)
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

    private sealed class Forever : WatermarkStrategy<double>
    {
        public override void Observe(in Batch<double> batch, Span<long> watermarks) => watermarks.Fill(long.MaxValue);

        public override void Save(StateWriter writer)
        {
        }

        public override void Load(StateReader reader)
        {
        }
    }
}
