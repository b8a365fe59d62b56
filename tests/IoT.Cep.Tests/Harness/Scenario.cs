namespace IoT.Cep.Tests;

/// <summary>
/// Rows and a query. It runs in many ways, all of which must give the same: batch by batch, event by event, saved and restored between every two
/// inputs, over several shards, and saved at one number of shards and restored at another. After each, all pooled memory must have come back.
/// </summary>
internal sealed class Scenario<T, TResult>(Row<T>[] rows, Input<T> input, StreamNode<TResult> query)
{
    private static readonly int[] _shardCounts = [1, 3, 2, 5];
    private readonly string _text = query.Text;
    private ErrorPolicy _policy = ErrorPolicy.Stop;
    private bool _canSave = true;
    private bool _isSharded = true;
    private bool _identity;
    private int _maxHeld = CepEngineOptions.DefaultMaxHeldEvents;

    internal Scenario<T, TResult> Skipping()
    {
        _policy = ErrorPolicy.Skip;
        return this;
    }

    /// <summary>The sink asks for identities.</summary>
    internal Scenario<T, TResult> WithIdentity()
    {
        _identity = true;
        return this;
    }

    /// <summary>What the query does depends on how many shards there are.</summary>
    internal Scenario<T, TResult> OnOneShard()
    {
        _isSharded = false;
        return this;
    }

    /// <summary>An operator that puts events in order holds no more than so many.</summary>
    internal Scenario<T, TResult> Holding(int maxEvents)
    {
        _maxHeld = maxEvents;
        return this;
    }

    internal Scenario<T, TResult> WithoutSaving()
    {
        _canSave = false;
        return this;
    }

    /// <summary>Runs in every way and expects these results, as seconds and value, in this order.</summary>
    internal Outcome<TResult> Expect(params (double Seconds, TResult Value)[] expected)
    {
        var outcome = Run();
        Assert.Equal(expected, outcome.Results);
        return outcome;
    }

    /// <summary>The same where the order of keys at one time is nobody's business.</summary>
    internal Outcome<TResult> ExpectSet(params (double Seconds, TResult Value)[] expected)
    {
        var outcome = Run();
        Assert.Equal(expected.OrderBy(row => row.Seconds), outcome.Results.OrderBy(row => row.Seconds).ThenBy(row => $"{row.Value}", StringComparer.Ordinal));
        return outcome;
    }

    internal Outcome<TResult> ExpectNothing() => Expect();

    /// <summary>The query stops with this error.</summary>
    internal QueryException ExpectError() => Assert.IsType<QueryException>(Run().Error);

    /// <summary>Runs in every way; all outcomes are equal.</summary>
    internal Outcome<TResult> Run()
    {
        var straight = Straight(1);
        Same(straight, OneByOne(), "one event in each batch");
        foreach (int shards in _isSharded ? new[] { 2, 3, 5 } : [])
        {
            Same(straight, Straight(shards), $"{shards} shards");
        }

        if (_canSave && straight.Error is null)
        {
            Same(straight, Restoring(1), "saved and restored between every two inputs");
            Same(straight, Restoring(_isSharded ? _shardCounts : [1]), "saved and restored at other numbers of shards");
        }

        return straight;
    }

    private static void Same(Outcome<TResult> expected, Outcome<TResult> actual, string way)
    {
        bool same = expected.Rows.SequenceEqual(actual.Rows) && expected.Completed == actual.Completed
            && expected.Error?.GetType() == actual.Error?.GetType() && expected.DeadLetters.Order().SequenceEqual(actual.DeadLetters.Order());
        Assert.True(same, $"With {way} the outcome differs:\n{actual}\ninstead of\n{expected}");
    }

    private Outcome<TResult> Straight(int shards) => Accounted(() =>
    {
        using var run = new PlanRun<T, TResult>(input, query, shards, _policy, _identity, seed: shards, maxHeld: _maxHeld);
        for (int i = 0; i < rows.Length;)
        {
            int end = i;
            while (end < rows.Length && rows[end].Kind == RowKind.Event)
            {
                end++;
            }

            Give(run, rows.AsSpan(i, Math.Max(1, end - i)));
            i = Math.Max(i + 1, end);
        }

        return Outcome<TResult>.Of([run.Sink], run.DeadLetters);
    });

    private Outcome<TResult> OneByOne() => Accounted(() =>
    {
        using var run = new PlanRun<T, TResult>(input, query, 1, _policy, _identity, maxHeld: _maxHeld);
        for (int i = 0; i < rows.Length; i++)
        {
            Give(run, rows.AsSpan(i, 1));
        }

        return Outcome<TResult>.Of([run.Sink], run.DeadLetters);
    });

    private Outcome<TResult> Restoring(params int[] shardCounts) => Accounted(() =>
    {
        var sinks = new List<Collector<TResult>>();
        var letters = new List<string>();
        ReadOnlyMemory<byte>? saved = null;
        for (int i = 0; i < rows.Length; i++)
        {
            using var run = new PlanRun<T, TResult>(input, query, shardCounts[i % shardCounts.Length], _policy, _identity, seed: i, maxHeld: _maxHeld);
            if (saved is { } state)
            {
                run.Plan.Load(new Extensibility.StateReader(state));
            }

            Give(run, rows.AsSpan(i, 1));
            saved = run.Save();
            sinks.Add(run.Sink);
            letters.AddRange(run.DeadLetters);
        }

        return Outcome<TResult>.Of(sinks, letters);
    });

    private static void Give(PlanRun<T, TResult> run, ReadOnlySpan<Row<T>> some)
    {
        switch (some[0].Kind)
        {
            case RowKind.Watermark:
                run.Advance(some[0].Ticks);
                break;
            case RowKind.Running:
                run.Run(some[0].Ticks);
                break;
            case RowKind.Released or RowKind.Resumed:
                run.Release(some[0].Kind == RowKind.Released);
                break;
            case RowKind.End:
                run.Complete();
                break;
            default:
                var events = new T[some.Length];
                long[] ticks = new long[some.Length];
                for (int i = 0; i < some.Length; i++)
                {
                    (events[i], ticks[i]) = (some[i].Value, some[i].Ticks);
                }

                run.Push(events, ticks);
                break;
        }
    }

    private Outcome<TResult> Accounted(Func<Outcome<TResult>> way)
    {
        long before = Pooled.OutstandingHere;
        var outcome = way();
        Assert.True(before == Pooled.OutstandingHere, $"{Pooled.OutstandingHere - before} pooled buffers did not come back from '{_text}'.");
        return outcome;
    }
}

/// <summary>What a way of running gave.</summary>
internal sealed record Outcome<TResult>(
    IReadOnlyList<(long Ticks, TResult Value, Extensibility.ResultId? Id, Extensibility.EventKind Kind)> Rows, bool Completed, Exception? Error,
    IReadOnlyList<string> DeadLetters, long LateEvents, long DiscardedPartialMatches, long EvictedKeys)
{
    internal IEnumerable<(double Seconds, TResult Value)> Results => Rows.Select(row => (Span.SecondsAt(row.Ticks), row.Value));

    internal long DroppedWindowEvents { get; private init; }

    internal long OverflowedEvents { get; private init; }

    internal static Outcome<TResult> Of(IReadOnlyList<Collector<TResult>> sinks, IReadOnlyList<string> deadLetters) => new(
        [.. sinks.SelectMany(sink => sink.Results)], sinks.Any(sink => sink.Completed), sinks.FirstOrDefault(sink => sink.Error is not null)?.Error,
        [.. deadLetters], sinks.Sum(sink => sink.LateEvents), sinks.Sum(sink => sink.Query.DiscardedPartialMatches), sinks.Sum(sink => sink.Query.EvictedKeys))
    {
        DroppedWindowEvents = sinks.Sum(sink => sink.Query.DroppedWindowEvents),
        OverflowedEvents = sinks.Sum(sink => sink.Query.OverflowedEvents),
    };

    public override string ToString() =>
        string.Join("\n", Rows.Select(row => $"  {Span.SecondsAt(row.Ticks)}: {row.Value} {row.Kind} {row.Id}"))
        + (Completed ? "\n  completed" : "") + (Error is null ? "" : $"\n  {Error.Message}") + string.Concat(DeadLetters.Select(l => $"\n  dead letter {l}"));
}
