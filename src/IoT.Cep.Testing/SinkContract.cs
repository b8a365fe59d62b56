using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>
/// The rules that every sink keeps that writes elsewhere (<see cref="IAsyncSink{T}"/>). Give them to your test framework one by one
/// (<see cref="Rules"/>, <see cref="CheckAsync"/>) or all at once (<see cref="CheckAllAsync"/>).
/// </summary>
public static class SinkContract
{
    private const string Name = "The name is stable", Order = "Rows are in place when the write returns, in order", Empty = "A batch without rows is no trouble",
        Reject = "A rejected row is named, and the others are written", Retry = "A write that failed is tried again and nothing is lost", End = "It ends, also twice and after a failure";

    /// <summary>The rules, as sentences: use them as the data of a test.</summary>
    public static IReadOnlyList<string> Rules { get; } = [Name, Order, Empty, Reject, Retry, End];

    /// <summary>Tries one rule. A rule about what the fixture says it can't do is passed over.</summary>
    /// <typeparam name="T">The row's type.</typeparam>
    /// <param name="rule">One of <see cref="Rules"/>.</param>
    /// <param name="fixture">Makes the fixture; it is disposed at the end.</param>
    /// <exception cref="ContractException">The rule is broken.</exception>
    public static async Task CheckAsync<T>(string rule, Func<SinkFixture<T>> fixture)
    {
        ArgumentNullException.ThrowIfNull(rule);
        ArgumentNullException.ThrowIfNull(fixture);
        await using var made = fixture();
        await (rule switch
        {
            Name => NameIsStableAsync(made, rule),
            Order => WriteInOrderAsync(made, rule),
            Empty => WriteNothingAsync(made, rule),
            Reject => RejectAsync(made, rule),
            Retry => RetryAsync(made, rule),
            End => EndAsync(made, rule),
            _ => throw new ArgumentException($"There is no rule '{rule}'; take one of SinkContract.Rules.", nameof(rule)),
        });
    }

    /// <summary>Tries all rules, each with a fixture of its own.</summary>
    /// <typeparam name="T">The row's type.</typeparam>
    /// <param name="fixture">Makes a fixture.</param>
    /// <exception cref="ContractException">A rule is broken; the ones behind it were not tried.</exception>
    public static async Task CheckAllAsync<T>(Func<SinkFixture<T>> fixture)
    {
        foreach (string rule in Rules)
        {
            await CheckAsync(rule, fixture);
        }
    }

    private static async Task NameIsStableAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        string name = run.Sink.Name;
        await run.WriteAsync(run.Rows(0, 1));
        if (string.IsNullOrEmpty(name) || SafeText.Escape(name, int.MaxValue) != name || run.Sink.Name != name)
        {
            throw new ContractException(rule, $"the name was '{SafeText.Escape(name)}' and is '{SafeText.Escape(run.Sink.Name)}'; it must stay, and can be shown.");
        }
    }

    private static async Task WriteInOrderAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        int[] ends = [1, 3, 50, 51, 300];
        int from = 0;
        foreach (int to in ends)
        {
            if (await run.TryAsync(run.Rows(from, to)) is { } error)
            {
                throw new ContractException(rule, $"writing rows {from} to {to - 1} failed: {error.Message}", error);
            }

            await run.ExpectAsync([.. Enumerable.Range(0, to)], exactly: true);
            from = to;
        }
    }

    private static async Task WriteNothingAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        if (await run.TryAsync(SinkRun<T>.Batch([])) is { } error)
        {
            throw new ContractException(rule, $"it threw {error.GetType().Name}: {error.Message}", error);
        }

        await run.WriteAsync(run.Rows(0, 2));
        await run.ExpectAsync([0, 1], exactly: true);
    }

    private static async Task RejectAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        if (!fixture.HasBadRow)
        {
            return;
        }

        int[] bad = [3, 4, 30];
        T[] rows = [.. Enumerable.Range(0, 40).Select(i => bad.Contains(i) ? fixture.BadRow() : fixture.Row(i))];
        var error = await run.TryAsync(SinkRun<T>.Batch([fixture.BadRow()]));
        if (error is not SinkRejectedException { Row: 0 })
        {
            throw new ContractException(rule, $"a bad row alone should be rejected as row 0, and {(error is null ? "nothing was thrown" : $"{error.GetType().Name} was thrown: {error.Message}")}.", error);
        }

        if (SafeText.Escape(error.Message, int.MaxValue) != error.Message)
        {
            throw new ContractException(rule, $"the reason has characters that can't be shown: '{SafeText.Escape(error.Message)}'.", error);
        }

        var rejected = await run.WriteAsync(SinkRun<T>.Batch(rows));
        if (!rejected.Order().SequenceEqual(bad))
        {
            throw new ContractException(rule, $"rows {string.Join(", ", bad)} are bad, and {string.Join(", ", rejected)} were rejected.");
        }

        // A rejected row splits its batch, and what stood before it was tried and may have been written: nothing may stand twice where the sink said so.
        await run.ExpectAsync([.. Enumerable.Range(0, 40).Except(bad)], fixture.IsExact);
    }

    private static async Task RetryAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        if (!fixture.CanBreak)
        {
            return;
        }

        await run.WriteAsync(run.Rows(0, 10));
        await run.ExpectAsync([.. Enumerable.Range(0, 10)], exactly: true);
        await fixture.BreakAsync();
        var batch = run.Rows(10, 30);
        var error = await run.TryAsync(batch);
        if (error is null or SinkRejectedException)
        {
            throw new ContractException(rule, error is null ? "the write returned although its store was broken." : $"a store that is away is no fault of a row: {error.Message}", error);
        }

        int[] left = [.. Enumerable.Range(10, 20).Where(i => !batch.IsWritten(i - 10))];
        await fixture.RepairAsync();
        await run.WriteAsync(SinkRun<T>.Batch([.. left.Select(fixture.Row)]));
        await run.WriteAsync(run.Rows(30, 35));
        await run.ExpectAsync([.. Enumerable.Range(0, 35)], fixture.IsExact);
    }

    private static async Task EndAsync<T>(SinkFixture<T> fixture, string rule)
    {
        await using var run = await SinkRun<T>.StartAsync(fixture, rule);
        await run.WriteAsync(run.Rows(0, 1));
        if (fixture.CanBreak)
        {
            await fixture.BreakAsync();
            await run.TryAsync(run.Rows(1, 2));
        }

        for (int i = 0; i < 2; i++)
        {
            try
            {
                await run.Sink.DisposeAsync().AsTask().WaitAsync(fixture.Patience);
            }
            catch (Exception error)
            {
                throw new ContractException(rule, $"DisposeAsync threw {error.GetType().Name}: {error.Message}", error);
            }
        }
    }
}
