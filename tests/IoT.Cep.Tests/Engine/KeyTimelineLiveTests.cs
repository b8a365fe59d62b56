using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Keys with a time of their own at a live source, under a driven clock. An event is its device times a million plus its time in seconds.</summary>
public sealed class KeyTimelineLiveTests : IAsyncDisposable
{
    private const double Start = 100_000;
    private const double Idle = 8;
    private readonly FakeTimeProvider _clock = new(Time(Start));
    private readonly ManualTransport[] _transports = [new(), new()];
    private readonly Collecting<(int Device, double End, long Count)> _sink = new();
    private CepEngine? _engine;
    private Query? _query;

    public ValueTask DisposeAsync() => _engine?.DisposeAsync() ?? default;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Silent_device_closes_its_windows_while_others_go_on(int shards)
    {
        await StartAsync(shards: shards);
        await SendAsync(1, Start + 1);
        for (int i = 0; i < 90; i++)
        {
            await SendAsync(2, Start + (i * 0.1));
            await AdvanceAsync(0.1);
        }

        Assert.Null(_query!.Error);
        Assert.Equal((1, Start + 2, 1L), Assert.Single(_sink.Results, r => r.Device == 1));
    }

    [Fact]
    public async Task Device_far_behind_closes_its_windows_although_the_sources_time_stands()
    {
        await StartAsync();
        await SendAsync(1, Start + 200);
        await SendAsync(2, 5);
        await SendAsync(2, 9);
        Assert.Equal([(2, 6.0, 1L)], _sink.Results);
    }

    [Fact]
    public async Task What_devices_kept_back_while_there_was_no_connection_is_not_late()
    {
        await StartAsync();
        await SendAsync(1, Start + 1);
        await SendAsync(2, Start + 1);
        await _transports[0].ConnectAsync(false);
        await AdvanceAsync(7200);
        await _transports[0].ConnectAsync(true);
        for (int device = 1; device <= 2; device++)
        {
            for (int at = 2; at < 7200; at++)
            {
                await SendAsync(device, Start + at);
            }
        }

        await _engine!.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal((0L, 14_398L), (_query!.LateEvents, _sink.Results.Sum(r => r.Count)));
    }

    [Property(MaxTest = 100)]
    public async Task Skewed_devices_have_nothing_late_and_close_all_they_have(int seed)
    {
        var random = new Random(seed);
        int disorder = random.Next(0, 40), least = random.Next(0, 50), devices = random.Next(1, 6);
        int[] skew = [.. Enumerable.Range(0, devices).Select(_ => random.Next(4) == 0 ? random.Next(-80_000, 2000) : random.Next(-300, 300))];
        bool two = random.Next(2) == 0;
        await StartAsync(Seconds(disorder / 10.0), partitioned: two, shards: random.Next(1, 3));
        await ConnectAsync(true, two);
        var underway = new List<(int Arrival, int Device, double Time)>();
        for (int device = 0; device < devices; device++)
        {
            for (int at = random.Next(0, 50), i = random.Next(1, 25); i > 0; i--, at += random.Next(6) == 0 ? random.Next(60, 300) : random.Next(0, 20))
            {
                underway.Add((at + least + random.Next(0, disorder + 1), device, Start + ((at + skew[device]) / 10.0)));
            }
        }

        bool connected = true;
        var waiting = new Queue<(int Arrival, int Device, double Time)>(underway.OrderBy(e => e.Arrival));
        for (int now = 0; waiting.Count > 0 || !connected; now++)
        {
            if (random.Next(connected ? 60 : 20) == 0)
            {
                await ConnectAsync(connected = !connected, two);
            }

            while (connected && waiting.TryPeek(out var next) && next.Arrival <= now)
            {
                waiting.Dequeue();
                await SendAsync(next.Device, next.Time, two ? next.Device % 2 : 0);
            }

            await AdvanceAsync(0.1);
        }

        // A window is 3 s, and a look for silent keys happens at the latest every sixteenth of the idle bound.
        await AdvanceAsync(Math.Max(Idle, 3 + (disorder / 10.0)) + (Idle / 16) + 0.2);
        Assert.Equal(0, _query!.LateEvents);
        Assert.Equal(underway.GroupBy(e => (e.Device, Math.Floor(Math.Round(e.Time, 1) / 3))).Count(), _sink.Results.Count);
        await _engine!.DisposeAsync();
        (_transports[0], _transports[1]) = (new(), new());
        _sink.Results.Clear();
    }

    private async Task StartAsync(TimeSpan maxDisorder = default, bool partitioned = false, int shards = 1)
    {
        _engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock, Shards = shards });
        _clock.SetUtcNow(_clock.GetUtcNow() < Time(Start) ? Time(Start) : _clock.GetUtcNow());
        var source = partitioned ? Source.Partitioned("two", _transports.Select(t => t.ToSource()).ToArray()) : _transports[0].ToSource();
        _query = _engine.From(source, o => o.MaxBatchDelay = TimeSpan.Zero)
            .WithEventTime(x => Time(Math.Round(x % 1_000_000, 1)), idleAfter: Seconds(5), maxFuture: TimeSpan.FromDays(30))
            .KeyBy(x => (int)(x / 1_000_000)).TimelinePerKey(maxDisorder, idleAfter: Seconds(Idle))
            .Window(Window.Tumbling(Seconds(3))).Select(w => (w.Key, SecondsAt(Ticks.From(w.End)), w.Count())).To(_sink);
        await _engine.StartAsync();
    }

    private async Task SendAsync(int device, double seconds, int transport = 0)
    {
        await await _transports[transport].SendAsync(FormattableString.Invariant($"{(device * 1_000_000) + seconds:0.0}"));
        await SettleAsync();
    }

    /// <summary>The test's clock must not outrun the shards: that would be backpressure, in which no time counts.</summary>
    private async Task SettleAsync()
    {
        foreach (var stage in _engine!.Stages.Loops)
        {
            await stage.WaitUntilProcessedAsync().WaitAsync(Limit.Time);
        }
    }

    private async Task ConnectAsync(bool connected, bool two)
    {
        await _transports[0].ConnectAsync(connected);
        if (two)
        {
            await _transports[1].ConnectAsync(connected);
        }
    }

    private async Task AdvanceAsync(double seconds)
    {
        for (double done = 0; done < seconds - 0.001; done += 0.1)
        {
            _clock.Advance(Seconds(0.1));
            await SettleAsync();
        }
    }
}
