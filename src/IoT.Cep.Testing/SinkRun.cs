using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.Testing;

/// <summary>A sink that is driven as an engine drives it: what is not written is given again, in order, without the rows that are in place or were rejected.</summary>
internal sealed class SinkRun<T> : IAsyncDisposable
{
    private readonly string _rule;

    private SinkRun(SinkFixture<T> fixture, string rule, IAsyncSink<T> sink) => (Fixture, _rule, Sink) = (fixture, rule, sink);

    internal SinkFixture<T> Fixture { get; }

    internal IAsyncSink<T> Sink { get; }

    internal static async Task<SinkRun<T>> StartAsync(SinkFixture<T> fixture, string rule)
    {
        using var patience = new CancellationTokenSource(fixture.Patience);
        var sink = await fixture.StartAsync(patience.Token);
        var context = new SinkContext(TimeProvider.System, fixture.Connections, NullLogger.Instance, HasIdentity: false);
        await sink.CheckAsync(context, patience.Token);
        await sink.OpenAsync(context, patience.Token);
        return new SinkRun<T>(fixture, rule, sink);
    }

    internal static SinkBatch<T> Batch(IReadOnlyList<T> rows) => new()
    {
        Events = rows.ToArray(),
        Ticks = Enumerable.Range(0, rows.Count).Select(i => (long)i * TimeSpan.TicksPerSecond).ToArray(),
    };

    internal SinkBatch<T> Rows(int from, int to) => Batch([.. Enumerable.Range(from, to - from).Select(Fixture.Row)]);

    /// <summary>Writes once.</summary>
    /// <returns>What it threw; null where all is in place.</returns>
    internal async Task<Exception?> TryAsync(SinkBatch<T> batch)
    {
        using var patience = new CancellationTokenSource(Fixture.Patience);
        try
        {
            await Sink.WriteAsync(batch, patience.Token).AsTask().WaitAsync(Fixture.Patience * 2);
            return null;
        }
        catch (TimeoutException late)
        {
            throw new ContractException(_rule, "WriteAsync did not end when it was told to give up.", late);
        }
#pragma warning disable CA1031 // whatever a sink throws is looked at
        catch (Exception error)
#pragma warning restore CA1031
        {
            return error;
        }
    }

    /// <summary>Writes until all is in place or rejected.</summary>
    /// <returns>The rows that were rejected, by their places in the batch.</returns>
    internal async Task<List<int>> WriteAsync(SinkBatch<T> batch)
    {
        var rejected = new List<int>();
        var runs = new Stack<(int From, int To)>([(0, batch.Length)]);

        // Twice for each row is more than a sink needs that leaves nothing half done.
        for (int tries = 0; runs.TryPop(out var run); tries++)
        {
            if (tries > 10 + (4 * batch.Length))
            {
                throw new ContractException(_rule, $"{batch.Length} rows are not in place after {tries} tries.");
            }

            var part = Batch([.. batch.Events.Slice(run.From, run.To - run.From).ToArray()]);
            var error = await TryAsync(part);
            if (error is null)
            {
                continue;
            }

            int bad = error is SinkRejectedException { Row: var row } ? row : -1;
            if (error is SinkRejectedException && ((uint)bad >= (uint)part.Length || part.IsWritten(bad)))
            {
                throw new ContractException(_rule, $"row {bad} was rejected, which is not in its batch of {part.Length} or is in place.", error);
            }

            if (bad >= 0)
            {
                rejected.Add(run.From + bad);
            }

            Push(runs, run, part, bad);
        }

        return rejected;
    }

    /// <summary>Sees that exactly these rows are in place, in order.</summary>
    internal async Task ExpectAsync(int[] rows, bool exactly)
    {
        using var patience = new CancellationTokenSource(Fixture.Patience);
        var written = await Fixture.WrittenAsync(rows.Length, patience.Token);
        int[] firsts = [.. written.Distinct()];
        if (!firsts.AsSpan().SequenceEqual(rows))
        {
            throw new ContractException(_rule, $"the rows {Show(rows)} were expected in this order, and {Show(written)} are in place.");
        }

        if (exactly && written.Count != rows.Length)
        {
            throw new ContractException(_rule, $"rows stand more than once: {Show(written)}.");
        }
    }

    public ValueTask DisposeAsync() => Sink.DisposeAsync();

    private static void Push(Stack<(int From, int To)> runs, (int From, int To) run, SinkBatch<T> part, int bad)
    {
        for (int end = part.Length; end > 0;)
        {
            int start = end;
            while (start > 0 && start - 1 != bad && !part.IsWritten(start - 1))
            {
                start--;
            }

            if (start < end)
            {
                runs.Push((run.From + start, run.From + end));
            }

            end = start - 1;
        }
    }

    private static string Show(IReadOnlyList<int> rows) => rows.Count == 0 ? "none" : string.Join(", ", rows.Take(40)) + (rows.Count > 40 ? ", ..." : "");
}
