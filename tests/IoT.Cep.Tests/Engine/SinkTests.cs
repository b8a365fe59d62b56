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

    [Theory]
    [InlineData(1000, 0, 500, 999)]
    [InlineData(1000, 0, 1, 2, 3, 500, 998, 999)]
    [InlineData(4, 0, 1, 2, 3)]
    public async Task Rejected_rows_cost_two_more_tries_each_at_most_and_write_no_row_a_third_time(int count, params int[] bad)
    {
        int rows = 0;
        int tries = 0;
        var store = new ManualSink<double>
        {
            BeforeWrite = (batch, _) =>
            {
                tries++;
                int row = batch.Events.Span.IndexOfAny([.. bad.Select(b => (double)b)]);
                rows += row < 0 ? batch.Length : row + 1;
                if (row >= 0)
                {
                    throw new SinkRejectedException(row, "bad");
                }
            },
        };
        store.Block();
        await using var engine = new CepEngine();
        var query = engine.From(Source.FromMemory<double>(Enumerable.Range(0, count).Select(i => (double)i).ToArray(), new long[count])).To(store);
        await engine.StartAsync();
        await engine.Completion;
        store.Unblock();
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(Enumerable.Range(0, count).Except(bad).Select(i => (double)i), store.Rows);
        Assert.Equal(((long)count - bad.Length, (long)bad.Length, 0, 0L), (query.Sink!.Written, query.Sink.Rejected, query.Sink.Waiting, query.Sink.Retries));
        Assert.Equal(bad.Select(b => $"{b}"), engine.DeadLetters.Latest.Select(l => l.Prefix));
        Assert.InRange(tries, 1, (2 * bad.Length) + 2);
        Assert.InRange(rows, 1, 2 * count);
    }

    [Fact]
    public async Task Rows_that_were_marked_as_written_are_not_given_again()
    {
        var given = new List<double[]>();
        var store = new ManualSink<double>
        {
            BeforeWrite = (batch, tries) =>
            {
                given.Add(batch.Events.ToArray());
                if (tries == 1)
                {
                    batch.MarkWritten(0);
                    batch.MarkWritten(3);
                    Assert.Throws<ArgumentOutOfRangeException>(() => batch.MarkWritten(5));
                    throw new SinkRejectedException(1, "bad");
                }

                if (tries == 2)
                {
                    throw new IOException("gone");
                }
            },
        };
        store.Block();
        await using var engine = new CepEngine();
        var query = engine.From(Source.FromMemory<double>(new double[] { 0, 1, 2, 3, 4 }, new long[5])).To(store);
        await engine.StartAsync();
        await engine.Completion;
        store.Unblock();
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal([[0, 1, 2, 3, 4], [2], [2], [4]], given);
        Assert.Equal((4L, 1L, 1L), (query.Sink!.Written, query.Sink.Rejected, query.Sink.Retries));
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
    public async Task Corrections_reach_a_store_with_their_kind()
    {
        var seen = new List<(double, EventKind)>();
        var store = new ManualSink<double>(usesIdentity: true) { BeforeWrite = (batch, _) => Add(seen, batch) };
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<double>(new double[] { 1, 2, 4 }, new[] { TicksAt(1), TicksAt(11), TicksAt(2) }))
            .WithEventTime(x => Time(x switch { 1 => 1, 2 => 11, _ => 2 }))
            .Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(20))).Select(w => w.Sum(x => x)).To(store);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([(1, EventKind.Insert), (5, EventKind.Update), (2, EventKind.Insert)], seen);

        static void Add(List<(double, EventKind)> seen, SinkBatch<double> batch)
        {
            for (int i = 0; i < batch.Length; i++)
            {
                seen.Add((batch.Events.Span[i], batch.Kinds.Span[i]));
            }
        }
    }

    [Fact]
    public void Corrections_are_refused_by_a_sink_that_appends()
    {
        var engine = new CepEngine();
        var windows = engine.From(new ManualTransport().ToSource()).Window(Window.Tumbling(Seconds(1)).AllowLate(Seconds(1))).Select(w => w.Sum(x => x));
        Assert.Contains("appends", Assert.Throws<ArgumentException>(() => windows.To(new ManualSink<double>())).Message, StringComparison.Ordinal);
        windows.To(new ManualSink<double>(usesIdentity: true));
    }

    [Fact]
    public async Task A_sink_on_the_shards_thread_holds_the_last_result_of_each_identity()
    {
        var latest = new Latest(takesRetractions: false);
        await using var engine = new CepEngine();
        Corrected(engine).Select(w => w.Sum(x => x)).To(latest);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([2, 5], latest.Results.Values.Order());
    }

    [Fact]
    public async Task A_sink_on_the_shards_thread_lets_go_of_what_is_taken_back()
    {
        var latest = new Latest(takesRetractions: true);
        await using var engine = new CepEngine();
        Corrected(engine).Select(w => w.Sum(x => x)).Where(sum => sum < 5).To(latest);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([2], latest.Results.Values);
    }

    [Fact]
    public async Task A_sink_that_asks_for_no_identities_takes_no_corrections_on_the_shards_thread_either()
    {
        await using var engine = new CepEngine();
        var sums = Corrected(engine).Select(w => w.Sum(x => x));
        Assert.Contains("UsesIdentity", Assert.Throws<ArgumentException>(() => sums.To(new Collecting<double>())).Message, StringComparison.Ordinal);
        Assert.Contains(
            "can't take a result back",
            Assert.Throws<ArgumentException>(() => sums.Where(sum => sum < 5).To(new Latest(takesRetractions: false))).Message, StringComparison.Ordinal);
    }

    /// <summary>The event at 2 comes behind the one at 11: the first window's sum is 1, and 5 in the end.</summary>
    private static IWindowedStream<Unit, double> Corrected(CepEngine engine) =>
        engine.From(Source.FromMemory<double>(new double[] { 1, 2, 4 }, new[] { TicksAt(1), TicksAt(11), TicksAt(2) }))
            .WithEventTime(x => Time(x switch { 1 => 1, 2 => 11, _ => 2 })).Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(20)));

    private sealed class Latest(bool takesRetractions) : IInlineSink<double>
    {
        public string Name => "latest";

        public bool UsesIdentity => true;

        public bool TakesRetractions => takesRetractions;

        internal Dictionary<ResultId, double> Results { get; } = [];

        public void Write(in Batch<double> batch)
        {
            for (int i = 0; i < batch.Length; i++)
            {
                if (batch.Kinds[i] == EventKind.Retract)
                {
                    Results.Remove(batch.Ids[i]);
                }
                else
                {
                    Results[batch.Ids[i]] = batch.Events[i];
                }
            }
        }
    }
}
