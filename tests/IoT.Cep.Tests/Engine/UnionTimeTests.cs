using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Unions of live sources, under a clock that the test drives, on one shard and on three. Windows of 10 s, no disorder, idle after 10 s.</summary>
public sealed class UnionTimeTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new(Time(1000));
    private readonly ManualTransport _a = new();
    private readonly ManualTransport _b = new();
    private readonly ManualTransport _c = new();
    private readonly Collecting<double> _sink = new();
    private CepEngine _engine = null!;
    private Query _query = null!;
    private IEventStream<double>? _ab;

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Source_that_never_speaks_is_waited_for_as_long_as_the_idle_bound(int shards)
    {
        await StartAsync(shards);
        await _b.ConnectAsync(true);
        await SpeakAsync(_a, 901, 910);
        await await _a.SendAsync("911");
        await AdvanceAsync(0.8);
        Assert.Empty(_sink.Results);
        await AdvanceAsync(0.4);
        await await _a.SendAsync("912");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Source_that_was_never_connected_is_waited_for_as_long_as_the_idle_bound(int shards)
    {
        await StartAsync(shards);
        await SpeakAsync(_a, 901, 910);
        await await _a.SendAsync("911");
        await AdvanceAsync(0.6);
        Assert.Empty(_sink.Results);
        await AdvanceAsync(0.8);
        await await _a.SendAsync("912");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Windows_close_while_both_are_silent_and_one_never_spoke(int shards)
    {
        await StartAsync(shards);
        await _b.ConnectAsync(true);
        await await _a.SendAsync("905");
        await AdvanceAsync(9.8);
        Assert.Empty(_sink.Results);
        await AdvanceAsync(0.4);
        Assert.Equal([905.0], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Windows_close_while_both_are_silent_after_they_spoke(int shards)
    {
        await StartAsync(shards);
        await await _a.SendAsync("905");
        await await _b.SendAsync("898");
        await AdvanceAsync(11.8);
        Assert.Equal([898.0], _sink.Results);
        await AdvanceAsync(0.4);
        Assert.Equal([898.0, 905], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Source_without_a_connection_holds_the_others_back_for_the_idle_bound_only(int shards)
    {
        await StartAsync(shards);
        await await _b.SendAsync("901");
        await _b.ConnectAsync(false);
        await SpeakAsync(_a, 901, 910);
        await await _a.SendAsync("911");
        await AdvanceAsync(0.6);
        Assert.Empty(_sink.Results);
        await AdvanceAsync(0.8);
        await await _a.SendAsync("912");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Source_that_is_back_may_be_late_and_has_a_say_again(int shards)
    {
        await StartAsync(shards);
        await await _b.SendAsync("901");
        await _b.ConnectAsync(false);
        await SpeakAsync(_a, 905, 916);
        await await _a.SendAsync("916");
        await await _b.SendAsync("902 918");
        await SettleAsync();
        Assert.Equal(1, _query.LateEvents);
        await await _a.SendAsync("931");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
        await await _b.SendAsync("921");
        await SettleAsync();
        Assert.Equal([909.0, 918], _sink.Results);
    }

    [Fact]
    public async Task Source_that_is_back_and_silent_does_not_hold_others_back_for_the_time_it_was_away()
    {
        await StartAsync(1);
        await await _b.SendAsync("901");
        await _b.ConnectAsync(false);
        await AdvanceAsync(1000);
        await _b.ConnectAsync(true);
        await SpeakAsync(_a, 1001, 1012);
        Assert.Equal([901.0, 1009], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Time_stands_while_no_source_is_connected_and_what_comes_afterwards_is_not_late(int shards)
    {
        await StartAsync(shards);
        await await _b.SendAsync("901");
        await await _a.SendAsync("915");
        await _a.ConnectAsync(false);
        await _b.ConnectAsync(false);
        await AdvanceAsync(1000);
        Assert.Empty(_sink.Results);
        await await _b.SendAsync("902");
        await await _a.SendAsync("931");
        await await _b.SendAsync("925");
        await SettleAsync();
        Assert.Equal([902.0, 915], _sink.Results);
        Assert.Equal(0, _query.LateEvents);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Union_of_unions_waits_for_none_that_is_away(int shards)
    {
        await StartAsync(shards, (a, b, c) => a.Union(b.Union(c)));
        await SpeakAsync(_a, 901, 911);
        await AdvanceAsync(0.4);
        Assert.Empty(_sink.Results);
        await await _a.SendAsync("911");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
        await await _c.SendAsync("917");
        await await _a.SendAsync("931");
        await SettleAsync();
        Assert.Equal([909.0], _sink.Results);
        await await _c.SendAsync("921");
        await SettleAsync();
        Assert.Equal([909.0, 917], _sink.Results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Windows_before_the_union_pass_it_on_that_their_source_is_away(int shards)
    {
        await StartAsync(shards, (a, b, c) => Keyed(b.Where(x => x > 0).Select(x => x)).Union(a, c));
        await await _b.SendAsync("901");
        await await _c.SendAsync("902");
        await await _a.SendAsync("915");
        await _b.ConnectAsync(false);
        await AdvanceAsync(10.2);
        await await _a.SendAsync("916");
        await await _c.SendAsync("916");
        await SettleAsync();
        Assert.Equal([902.0], _sink.Results);
    }

    [Fact]
    public async Task Query_that_comes_when_a_source_is_away_does_not_wait_for_it()
    {
        await StartAsync(1);
        await AdvanceAsync(11);
        var late = new Collecting<double>();
        Windows(_ab!).To(late);
        await await _a.SendAsync("901 915");
        await await _a.SendAsync("916");
        Assert.Equal([901.0], late.Results);
    }

    private static IEventStream<double> Keyed(IEventStream<double> stream) =>
        stream.KeyBy(x => (int)x % 5).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x));

    private static IEventStream<double> Windows(IEventStream<double> stream) =>
        stream.KeyBy(_ => 1).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x));

    private async Task StartAsync(
        int shards, Func<IEventStream<double>, IEventStream<double>, IEventStream<double>, IEventStream<double>>? union = null)
    {
        _engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock, Shards = shards });
        var (a, b) = (From(_a), From(_b));
        _ab = a.Union(b);
        _query = Windows(union is null ? _ab : union(a, b, From(_c))).To(_sink);
        await _engine.StartAsync();

        // All have begun: until then none is missed.
        await _a.ConnectAsync(true);
        await _b.ConnectAsync(false);
        await (union is null ? Task.CompletedTask : _c.ConnectAsync(false));
    }

    private IEventStream<double> From(ManualTransport transport) =>
        _engine.From(transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => Time(x), Watermarks.Monotonic);

    /// <summary>One event a second.</summary>
    private async Task SpeakAsync(ManualTransport transport, double from, double to)
    {
        for (double time = from; time < to; time++)
        {
            await await transport.SendAsync($"{time}");
            await AdvanceAsync(1);
        }
    }

    private async Task AdvanceAsync(double seconds)
    {
        for (double done = 0; done < seconds - 0.001; done += 0.1)
        {
            _clock.Advance(Seconds(0.1));
        }

        await SettleAsync();
    }

    /// <summary>All that was sent has passed the shards and what gathers them.</summary>
    private async Task SettleAsync()
    {
        foreach (var stage in _engine.Stages.Loops)
        {
            await stage.WaitUntilProcessedAsync().WaitAsync(Limit.Time);
        }
    }
}
