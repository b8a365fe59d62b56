using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SinkTests
{
    [Fact]
    public async Task Blocked_sink_holds_the_source_back_and_nothing_is_lost()
    {
        const int Count = 300_000;
        var store = new ManualSink<double>();
        store.Block();
        int taken = 0;
        await using var engine = new CepEngine();
        double[] events = [.. Enumerable.Range(0, Count).Select(i => (double)i)];
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var query = engine.From(Source.FromMemory<double>(events, new long[Count])).Select(x =>
        {
            if (++taken == SinkWorker<double>.CapacityEvents)
            {
                full.SetResult();
            }

            return x;
        }).To(store);
        var run = engine.RunAsync();
        await full.Task.WaitAsync(Limit.Time);
        Assert.InRange(query.Sink!.Waiting, SinkWorker<double>.CapacityEvents - 1024, (2 * SinkWorker<double>.CapacityEvents) + 2048);
        store.Unblock();
        await run.WaitAsync(Limit.Time);
        Assert.Equal(events, store.Rows);
    }

    [Fact]
    public async Task Failing_sink_is_tried_again_later()
    {
        var clock = new FakeTimeProvider();
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new ManualSink<double>
        {
            BeforeWrite = (_, tries) =>
            {
                if (tries < 3)
                {
                    failed.TrySetResult();
                    throw new IOException("disk full");
                }
            },
        };
        await using var engine = new CepEngine(new CepEngineOptions { TimeProvider = clock, DrainTimeout = TimeSpan.FromDays(40) });
        var query = engine.From(Source.FromMemory<double>(new double[] { 1, 2 }, new long[2])).To(store);
        var run = engine.RunAsync();
        await failed.Task.WaitAsync(Limit.Time);
        var written = store.WaitForAsync(2);
        while (!written.IsCompleted)
        {
            clock.Advance(Seconds(0.05));
            await Task.Yield();
        }

        await run.WaitAsync(Limit.Time);
        Assert.Equal((2, 3, 2L, 2L, (string?)null), (store.Rows.Count, store.Tries, query.Sink!.Written, query.Sink.Retries, query.Sink.LastError));
    }

    [Fact]
    public async Task Rejected_row_is_a_dead_letter_and_the_others_are_written()
    {
        var store = new ManualSink<double>
        {
            BeforeWrite = (batch, _) =>
            {
                int row = batch.Events.Span.IndexOf(3.0);
                if (row >= 0)
                {
                    throw new SinkRejectedException(row, "three is too many");
                }
            },
        };
        await using var engine = new CepEngine();
        var query = engine.From(Source.FromMemory<double>(new double[] { 1, 2, 3, 4 }, new long[4])).To(store);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([1.0, 2, 4], store.Rows);
        Assert.Equal((3L, 1L), (query.Sink!.Written, query.Sink.Rejected));
        var letter = Assert.Single(engine.DeadLetters.Latest);
        Assert.Equal((DeadLetterReason.SinkRejected, "three is too many", "3"), (letter.Reason, letter.Detail, letter.Prefix));
    }

    [Fact]
    public async Task Drain_gives_a_dead_sink_up_at_its_time_limit()
    {
        var clock = new FakeTimeProvider();
        var store = new ManualSink<double>();
        store.Block();
        await using var engine = new CepEngine(new CepEngineOptions { TimeProvider = clock, DrainTimeout = Seconds(5) });
        engine.From(Source.FromMemory<double>(new double[] { 1, 2 }, new long[2])).To(store);
        await engine.StartAsync();
        await engine.Completion.WaitAsync(Limit.Time);
        var drain = engine.DrainAsync();
        clock.Advance(Seconds(5));
        await drain.WaitAsync(Limit.Time);
        Assert.Empty(store.Rows);
    }

    [Fact]
    public void Corrections_are_refused_by_a_sink_that_appends()
    {
        var engine = new CepEngine();
        var windows = engine.From(new ManualTransport().ToSource()).Window(Window.Tumbling(Seconds(1)).AllowLate(Seconds(1))).Select(w => w.Sum(x => x));
        Assert.Contains("appends", Assert.Throws<ArgumentException>(() => windows.To(new ManualSink<double>())).Message, StringComparison.Ordinal);
        windows.To(new ManualSink<double>(usesIdentity: true));
    }
}
