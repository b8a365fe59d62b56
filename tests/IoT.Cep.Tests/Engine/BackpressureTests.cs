using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A blocked sink that is full: from then on every message meets the source's backpressure mode.</summary>
public sealed class BackpressureTests : IAsyncDisposable
{
    private readonly ManualTransport _transport = new();
    private readonly ManualSink<double> _store = new();
    private readonly CepEngine _engine = new();

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Theory]
    [InlineData(10)]
    [InlineData(2000)]
    [Trait("Requirement", "R121")]
    public async Task Wait_holds_the_transport_back_at_the_capacity(int capacity)
    {
        await StartFullAsync(BackpressureMode.Wait, capacity);
        int limit = Math.Min(capacity, EventBuffer<double>.DefaultCapacity);
        for (int i = 0; i < limit - 1; i++)
        {
            Assert.True((await _transport.SendAsync($"{i}")).IsCompleted);
        }

        var held = await _transport.SendAsync("-1");
        Assert.False(held.IsCompleted);
        _store.Unblock();
        await held.WaitAsync(Limit.Time);
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(-1, _store.Rows[^1]);
        Assert.Equal(SinkWorker<double>.CapacityEvents + limit, _store.Rows.Count - 1);
    }

    [Theory]
    [InlineData(10, BackpressureMode.DropOldest)]
    [InlineData(2000, BackpressureMode.DropOldest)]
    [InlineData(10, BackpressureMode.DropNewest)]
    [InlineData(2000, BackpressureMode.DropNewest)]
    public async Task Dropping_never_holds_the_transport_back_and_counts(int capacity, BackpressureMode mode)
    {
        await StartFullAsync(mode, capacity);
        for (int i = 0; i < capacity + 5; i++)
        {
            Assert.True((await _transport.SendAsync($"{i}")).IsCompleted);
        }

        var statistics = Assert.Single(_engine.Sources);
        Assert.Equal(5, statistics.Dropped);
        _store.Unblock();
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        int first = mode == BackpressureMode.DropOldest ? 5 : 0;
        Assert.Equal(Enumerable.Range(first, capacity).Select(i => (double)i), _store.Rows.TakeLast(capacity));
        Assert.Equal(statistics.Events - statistics.Dropped, _store.Rows.Count);
    }

    [Theory]
    [InlineData(BackpressureMode.DropOldest)]
    [InlineData(BackpressureMode.DropNewest)]
    public async Task What_must_be_acknowledged_is_a_dead_letter_before_it_is_dropped(BackpressureMode mode)
    {
        await StartFullAsync(mode, 10);
        for (int i = 0; i < 15; i++)
        {
            await _transport.SendAsync($"{i}", acknowledge: true);
        }

        var statistics = Assert.Single(_engine.Sources);
        Assert.Equal((0, 5, 5), (statistics.Dropped, statistics.DeadLetters, _engine.DeadLetters.CountOf(DeadLetterReason.Overflow)));
        _store.Unblock();
        await _transport.WaitForAcknowledgedAsync(15);
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(statistics.Events - 5, _store.Rows.Count);
    }

    [Fact]
    public async Task Fail_stops_the_source_with_an_error_that_names_the_remedy()
    {
        await StartFullAsync(BackpressureMode.Fail, 10);
        for (int i = 0; i < 11; i++)
        {
            await _transport.SendAsync($"{i}");
        }

        _store.Unblock();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _engine.Completion.WaitAsync(Limit.Time));
        Assert.Contains("Use Wait or a dropping mode", error.Message, StringComparison.Ordinal);
        Assert.Equal(QueryState.Failed, _engine.Queries[0].State);
    }

    [Fact]
    public async Task Message_that_met_a_full_sink_goes_on_when_there_is_room()
    {
        await StartFullAsync(BackpressureMode.Wait, 2000);
        await _transport.SendAsync("-7");
        _store.Unblock();
        await _store.WaitForAsync(SinkWorker<double>.CapacityEvents + 2);
        Assert.Equal(-7, _store.Rows[^1]);
    }

    /// <summary>One event is being written, and as many as there is room for wait behind it.</summary>
    private async Task StartFullAsync(BackpressureMode mode, int capacity)
    {
        _store.Block();
        var query = _engine.From(_transport.ToSource(), o => (o.Backpressure, o.CapacityEvents, o.MaxBatchDelay) = (mode, capacity, TimeSpan.Zero)).To(_store);
        await _engine.StartAsync();
        await await _transport.SendAsync("0");
        while (((ISinkWorker)query.Worker!).Statistics.Waiting != 1 || !Taken(query))
        {
            await Task.Yield();
        }

        string message = string.Join(' ', Enumerable.Range(0, 16).Select(i => $"{i}"));
        for (int i = 0; i < SinkWorker<double>.CapacityEvents / 16; i++)
        {
            await await _transport.SendAsync(message);
        }

        Assert.False(query.Worker!.HasRoom);
    }

    private static bool Taken(Query query) => ((SinkWorker<double>)query.Worker!).IsWriting;
}
