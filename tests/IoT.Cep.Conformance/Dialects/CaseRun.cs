using IoT.Cep.Extensibility;
using IoT.Cep.Tests;

namespace IoT.Cep.Conformance;

/// <summary>Runs a query over a case's events, in one of the ways.</summary>
internal static class CaseRun
{
    /// <param name="one">The case.</param>
    /// <param name="way">In which way.</param>
    /// <param name="input">Where its events go in.</param>
    /// <param name="query">What makes a text of each result.</param>
    /// <param name="rows">The events, as <see cref="Arriving"/> gives them.</param>
    /// <param name="ends">Whether it is known behind the last event that none comes any more.</param>
    internal static (List<string> Found, int Live, Exception? Error) Of(
        Case one, Way way, Input<Row> input, StreamNode<string> query, Row[] rows, bool ends = false)
    {
        var found = new List<string>();
        ReadOnlyMemory<byte>? saved = null;
        for (int i = 0; ;)
        {
            using var run = new PlanRun<Row, string>(input, query, way.Shards);
            if (saved is { } state)
            {
                run.Plan.Load(new StateReader(state));
            }

            int end = way.RestoresAlways ? i + 1 : i < way.RestoreAt ? way.RestoreAt.Value : rows.Length;
            for (end = Math.Min(end, rows.Length); i < end;)
            {
                int some = way.IsOneByOne ? 1 : end - i;
                run.Push(rows.AsSpan(i, some), [.. rows[i..(i + some)].Select(row => row.Ticks)]);
                i += some;
                run.Advance(SafeTime(rows, i));
            }

            if (i == rows.Length && one.FinalTime is { } final)
            {
                run.Advance(Row.TicksAt(final));
            }

            if (i == rows.Length && ends && run.Sink.Error is null)
            {
                run.Complete();
            }

            found.AddRange(run.Sink.Results.Select(result => result.Value));
            int live = (int)run.Plan.Operators.OfType<IHoldsMatches>().Sum(operation => operation.Held.Open);
            if (i == rows.Length || run.Sink.Error is not null)
            {
                return (found, live, run.Sink.Error);
            }

            saved = run.Save().ToArray();
        }
    }

    /// <summary>The case's events in the order in which they come, for each of the way's keys.</summary>
    internal static Row[] Arriving(Case one, Way way)
    {
        var rows = one.Rows;
        if (way.Keys > 1)
        {
            rows = [.. rows.SelectMany(row => Enumerable.Range(0, way.Keys).Select(i => row with { Key = $"{row.Key}#{i}", Id = $"{row.Id}#{i}" }))];
        }

        if (way.ShuffleSeed is { } seed)
        {
            new Random(seed).Shuffle(rows);
        }

        return rows;
    }

    /// <summary>What stopped a run, in the cases' words.</summary>
    internal static string ErrorOf(Exception error) => error.InnerException switch
    {
        AfterMatchException after when after.Message.Contains("has taken no event", StringComparison.Ordinal) => "skip-target-missing",
        AfterMatchException after when after.Message.Contains("has no row", StringComparison.Ordinal) => "skip-target-missing",
        AfterMatchException => "skip-to-start",
        { } inner => $"{inner.GetType().Name}: {inner.Message}",
        null => error.Message,
    };

    /// <summary>The time that no event that is still to come lies before.</summary>
    private static long SafeTime(Row[] rows, int from)
    {
        long safe = rows[from - 1].Ticks;
        foreach (var row in rows.AsSpan(from))
        {
            safe = Math.Min(safe, row.Ticks);
        }

        return from == rows.Length ? rows.Max(row => row.Ticks) : safe;
    }
}
