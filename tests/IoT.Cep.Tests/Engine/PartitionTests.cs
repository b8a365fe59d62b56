using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>A source of several partitions, under a clock that the test drives. Windows of 10 s, no disorder, idle after 10 s.</summary>
public sealed class PartitionTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new(Time(1000));
    private readonly ManualTransport _a = new();
    private readonly ManualTransport _b = new();
    private readonly Collecting<double> _sink = new();
    private readonly CepEngine _engine;

    public PartitionTests() => _engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock });

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    private PartitionStatistics Ahead => Assert.Single(_engine.Sources).Partitions[0];

    [Fact]
    public async Task Time_is_that_of_the_slowest_partition()
    {
        await StartAsync();
        await await _a.SendAsync("901 915");
        await await _b.SendAsync("903");
        Assert.Empty(_sink.Results);
        await await _b.SendAsync("911");
        Assert.Equal([903.0], _sink.Results);
        Assert.Equal((Time(911), 0L), (Assert.Single(_engine.Sources).Watermark, Assert.Single(_engine.Sources).Late));
    }

    [Fact]
    public async Task Event_that_is_late_in_its_partition_but_not_in_the_source_is_on_time()
    {
        await StartAsync();
        await await _b.SendAsync("901");
        await await _a.SendAsync("915 902");
        await await _b.SendAsync("912");
        Assert.Equal([902.0], _sink.Results);
        Assert.Equal(0, Assert.Single(_engine.Sources).Late);
    }

    [Fact]
    public async Task Partition_that_never_speaks_is_waited_for_as_long_as_the_idle_bound()
    {
        await StartAsync();
        await _b.ConnectAsync(true);
        for (double time = 901; time < 910; time++)
        {
            await await _a.SendAsync($"{time}");
            Advance(1);
        }

        await await _a.SendAsync("911");
        Advance(0.8);
        Assert.Empty(_sink.Results);
        Advance(0.4);
        Assert.Equal([909.0], _sink.Results);
    }

    [Fact]
    public async Task Silent_partition_goes_on_by_the_time_elapsed()
    {
        await StartAsync();
        await await _b.SendAsync("907");
        for (double time = 907; time < 918; time++)
        {
            await await _a.SendAsync($"{time}");
            Advance(1);
        }

        Assert.Equal([909.0], _sink.Results);
        Assert.Equal(Time(917), Assert.Single(_engine.Sources).Watermark);
    }

    [Fact]
    public async Task Partition_without_a_connection_holds_the_others_back_for_the_idle_bound_only()
    {
        await StartAsync();
        await await _b.SendAsync("901");
        await _b.ConnectAsync(false);
        await await _a.SendAsync("915");
        Advance(9.8);
        Assert.Empty(_sink.Results);
        await await _a.SendAsync("916");
        Advance(0.4);
        Assert.Equal([901.0], _sink.Results);
        await await _b.SendAsync("902");
        Assert.Equal(1, Assert.Single(_engine.Sources).Late);
    }

    [Fact]
    public async Task Source_without_any_connection_waits()
    {
        await StartAsync();
        await await _b.SendAsync("901");
        await await _a.SendAsync("905");
        await _a.ConnectAsync(false);
        await _b.ConnectAsync(false);
        Advance(1000);
        Assert.Empty(_sink.Results);
        await await _b.SendAsync("902");
        Assert.Equal(0, Assert.Single(_engine.Sources).Late);
    }

    [Fact]
    public async Task Partition_that_has_ended_holds_nobody_back()
    {
        await StartAsync();
        await await _b.SendAsync("901");
        await await _a.SendAsync("915");
        _b.End();
        await UntilAsync(() => Assert.Single(_engine.Sources).Partitions.Count == 1);
        Assert.Equal([901.0], _sink.Results);
        Assert.Equal(2, Assert.Single(_engine.Sources).Events);
    }

    [Fact]
    public async Task Partition_far_ahead_is_paused_and_goes_on_when_the_other_caught_up()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900");
        await await _a.SendAsync("931");
        var held = await _a.SendAsync("932");
        Assert.False(held.IsCompleted);
        Assert.Equal((true, 1L), (Ahead.IsPaused, Ahead.Pauses));
        Assert.True((await _b.SendAsync("900.5")).IsCompleted);
        Assert.False(held.IsCompleted);
        Assert.True((await _b.SendAsync("901")).IsCompleted);
        await held.WaitAsync(Limit.Time);
        Assert.Equal((2L, true, 2L), (Ahead.Events, Ahead.IsPaused, Assert.Single(_engine.Sources).Pauses));
    }

    [Fact]
    public async Task Partition_far_ahead_goes_on_when_the_other_is_idle()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900");
        await await _a.SendAsync("950");
        var held = await _a.SendAsync("951");
        Advance(9.8);
        Assert.False(held.IsCompleted);
        Advance(0.4);
        await held.WaitAsync(Limit.Time);
        Assert.False(Ahead.IsPaused);
    }

    [Fact]
    public async Task Partition_far_ahead_goes_on_when_the_other_ended()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900");
        await await _a.SendAsync("950");
        var held = await _a.SendAsync("951");
        Assert.False(held.IsCompleted);
        _b.End();
        await held.WaitAsync(Limit.Time);
    }

    [Fact]
    public async Task Partition_may_not_run_away_from_one_that_has_not_spoken()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _a.SendAsync("900");
        await await _a.SendAsync("930");
        await await _a.SendAsync("931");
        Assert.False((await _a.SendAsync("932")).IsCompleted);
    }

    [Fact]
    public async Task Time_in_which_a_partition_is_paused_is_not_idle()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900");
        await await _a.SendAsync("950");
        var held = await _a.SendAsync("951");
        for (double time = 901; time < 918; time++)
        {
            Advance(1);
            await await _b.SendAsync($"{time}");
        }

        Assert.False(held.IsCompleted);
        Assert.Equal(Time(950), Ahead.Watermark);
    }

    [Theory]
    [InlineData(BackpressureMode.DropOldest)]
    [InlineData(BackpressureMode.DropNewest)]
    [InlineData(BackpressureMode.Fail)]
    public async Task Modes_that_do_not_wait_pause_no_partition(BackpressureMode mode)
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents, o.Backpressure) = (Seconds(30), 1, mode));
        await await _b.SendAsync("900");
        await await _a.SendAsync("950");
        await await _a.SendAsync("951");
        Assert.Equal((3L, 0L, 0L), (Assert.Single(_engine.Sources).Events, Assert.Single(_engine.Sources).Dropped, Ahead.Pauses));
    }

    [Fact]
    public async Task Paused_partition_holds_nobody_elses_acknowledgements()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900", acknowledge: true);
        await await _a.SendAsync("950", acknowledge: true);
        var held = await _a.SendAsync("951", acknowledge: true);
        await await _b.SendAsync("901", acknowledge: true);
        await _b.WaitForAcknowledgedAsync(2);
        Assert.Equal([1], _a.Acknowledged);
        await await _b.SendAsync("940", acknowledge: true);
        await held.WaitAsync(Limit.Time);
        await _a.WaitForAcknowledgedAsync(2);
    }

    [Fact]
    public async Task Durable_sink_acknowledges_each_partition()
    {
        var store = new ManualSink<double>(isDurable: true);
        _engine.From(Source.Partitioned("both", _a.ToSource(), _b.ToSource()), o => o.MaxBatchDelay = TimeSpan.Zero).To(store);
        await _engine.StartAsync();
        store.Block();
        await await _a.SendAsync("1", acknowledge: true);
        await await _b.SendAsync("2", acknowledge: true);
        Assert.Empty(_a.Acknowledged.Concat(_b.Acknowledged));
        Assert.Equal(2, Assert.Single(_engine.Sources).Unacknowledged);
        store.Unblock();
        await _a.WaitForAcknowledgedAsync(1);
        await _b.WaitForAcknowledgedAsync(1);
    }

    [Fact]
    public async Task Partition_that_opens_later_has_a_say_from_its_first_event()
    {
        var source = new OnDemand();
        _engine.From(source).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)).To(_sink);
        await _engine.StartAsync();
        var writer = await source.Writer.WaitAsync(Limit.Time);
        var first = writer.OpenPartition("first");
        await WriteAsync(first, 901.0);
        var second = writer.OpenPartition("second");
        await WriteAsync(first, 911.0);
        Assert.Equal([901.0], _sink.Results);
        await WriteAsync(second, 912.0);
        await WriteAsync(first, 921.0);
        Assert.Single(_sink.Results);
        await second.ClosePartitionAsync();
        Assert.Equal([901.0, 912], _sink.Results);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await WriteAsync(second, 922.0));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await WriteAsync(writer, 922.0));
    }

    [Fact]
    public async Task Partitions_are_bounded_in_number()
    {
        var source = new OnDemand();
        _engine.From(source, o => o.MaxPartitions = 2).To(_sink);
        await _engine.StartAsync();
        var writer = await source.Writer.WaitAsync(Limit.Time);
        writer.OpenPartition("a");
        await writer.OpenPartition("b").ClosePartitionAsync();
        writer.OpenPartition("c");
        Assert.Contains("MaxPartitions", Assert.Throws<InvalidOperationException>(() => writer.OpenPartition("d")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_read_side_by_side_are_one_input_with_nothing_late()
    {
        long[] early = [.. Enumerable.Range(0, 5000).Select(i => TicksAt(i))], late = [.. Enumerable.Range(0, 5000).Select(i => TicksAt(20_000 + i))];
        double[] values = [.. Enumerable.Range(0, 5000).Select(_ => 1.0)];
        var query = _engine.From(Source.Partitioned("files", Source.FromMemory<double>(values, late), Source.FromMemory<double>(values, early)), o => o.MaxLead = Seconds(600))
            .Window(Window.Tumbling(Seconds(1000))).Select(w => w.Sum(x => x)).To(_sink);
        await _engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(Enumerable.Repeat(1000.0, 10), _sink.Results);
        Assert.Equal(0, query.LateEvents);
    }

    [Fact]
    public async Task Meters_tell_lag_pauses_and_late_events()
    {
        await StartAsync(o => (o.MaxLead, o.CapacityEvents) = (Seconds(30), 1));
        await await _b.SendAsync("900");
        await await _a.SendAsync("950");
        await await _b.SendAsync("960");
        await await _a.SendAsync("901");
        var read = new Dictionary<string, double>();
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = (instrument, l) => l.EnableMeasurementEvents(instrument),
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Read(instrument.Name, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Read(instrument.Name, value, tags));
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.Equal(
            (50.0, 40.0, 1.0, 1.0, 1.0),
            (read["iot_cep.source.watermark_lag both manual 1"], read["iot_cep.source.watermark_lag both manual 2"],
                read["iot_cep.source.pauses both"], read["iot_cep.source.late both"], read["iot_cep.query.late collecting"]));

        void Read(string name, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            read[$"{name} {string.Join(' ', tags.ToArray().Select(t => t.Value))}"] = value;
    }

    [Fact]
    public void Partitioned_sources_that_can_not_be_are_refused()
    {
        var memory = Source.FromMemory<double>(new double[1], new long[1]);
        Assert.Throws<ArgumentException>(() => Source.Partitioned("none", Array.Empty<ISource<double>>()));
        Assert.Throws<ArgumentException>(() => Source.Partitioned("mixed", memory, _a.ToSource()));
        Assert.Throws<ArgumentException>(() => Source.Partitioned("nested", Source.Partitioned("inner", memory)));
        Assert.Throws<ArgumentOutOfRangeException>(() => _engine.From(memory, o => o.MaxLead = TimeSpan.Zero));
    }

    private async Task StartAsync(Action<SourceOptions>? configure = null)
    {
        _engine.From(Source.Partitioned("both", _a.ToSource(), _b.ToSource()), o =>
        {
            o.MaxBatchDelay = TimeSpan.Zero;
            configure?.Invoke(o);
        }).WithEventTime(x => Time(x)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Max(x => x)).To(_sink);
        await _engine.StartAsync();

        // Both have begun: until then nothing can be sent.
        await _a.ConnectAsync(false);
        await _b.ConnectAsync(false);
    }

    private static ValueTask WriteAsync(SourceWriter<double> writer, double value) => writer.WriteAsync(new double[] { value }, default);

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Yield();
        }
    }

    private void Advance(double seconds)
    {
        for (double done = 0; done < seconds - 0.001; done += 0.1)
        {
            _clock.Advance(Seconds(0.1));
        }
    }

    /// <summary>Hands its writer to the test.</summary>
    private sealed class OnDemand : ISource<double>
    {
        private readonly TaskCompletionSource<SourceWriter<double>> _writer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => "on demand";

        public bool IsBounded => false;

        public bool IsPartitioned => true;

        internal Task<SourceWriter<double>> Writer => _writer.Task;

        public Task RunAsync(SourceWriter<double> writer, ConnectionContext context, CancellationToken stop)
        {
            _writer.SetResult(writer);
            return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
        }
    }
}
