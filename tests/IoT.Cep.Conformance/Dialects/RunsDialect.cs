using IoT.Cep.Extensibility;
using IoT.Cep.Tests;

namespace IoT.Cep.Conformance;

/// <summary>Flink's patterns: the library's own are meant the same.</summary>
internal sealed class RunsDialect : IDialect
{
    private const int MaxPartialMatches = 10_000_000;

    public string Name => "runs";

    public CaseResult Run(Case one, Way way)
    {
        var builder = new PatternBuilder();
        var elements = PatternBuilder.AtLeastOne(one.Pattern);
        var pattern = builder.Build(one, elements);
        var input = new Input<Row>();
        var matches = input.ToStream().KeyBy(row => row.Key).Match(pattern, out var timeouts, MaxPartialMatches)
            .Select(match => TextOf(match, elements, builder), "text of match");
        var rows = Arriving(one, way);
        var (found, live, error) = Run(one, way, input, matches.Node, rows);
        var timedOut = one.ExpectedTimeouts is null && !way.WantsTimeouts || error is not null
            ? null
            : Run(one, way, input, timeouts.Select(timeout => TextOf(timeout), "text of timeout").Node, rows).Found.Select(text => FoundTimeout.Parse(text)).ToArray();
        return new CaseResult([.. found.Select(FoundMatch.Parse)], timedOut, live, error);
    }

    private static (List<string> Found, int Live, string? Error) Run(Case one, Way way, Input<Row> input, StreamNode<string> query, Row[] rows)
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

            found.AddRange(run.Sink.Results.Select(result => result.Value));
            int live = (int)run.Plan.Operators.OfType<IHoldsMatches>().Sum(operation => operation.Held.Open);
            if (i == rows.Length || run.Sink.Error is not null)
            {
                return (found, live, run.Sink.Error is { } error ? ErrorOf(error) : null);
            }

            saved = run.Save().ToArray();
        }
    }

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

    private static Row[] Arriving(Case one, Way way)
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

    private static string ErrorOf(Exception error) => error.InnerException switch
    {
        AfterMatchException after when after.Message.Contains("has taken no event", StringComparison.Ordinal) => "skip-target-missing",
        AfterMatchException => "skip-to-start",
        { } inner => $"{inner.GetType().Name}: {inner.Message}",
        null => error.Message,
    };

    private static string TextOf(Match<Row> match, Element[] elements, PatternBuilder builder)
    {
        var bindings = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        Bind(match, elements, builder, bindings);
        var found = new FoundMatch(IdsOf(match), FoundMatch.TextOf(bindings.Select(one => (one.Key, one.Value.ToArray()))));
        return found.ToString();
    }

    private static string TextOf(Timeout<Row> timeout) => new FoundTimeout(IdsOf(timeout.Partial), timeout.At.ToUnixTimeMilliseconds()).ToString();

    private static string[] IdsOf(Match<Row> match)
    {
        string[] ids = new string[match.Count];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = match.Events[i].Event.Id;
        }

        return ids;
    }

    /// <summary>Reads what each step took as a user does: a step by its handle, what is in a repeated group from each of the group's matches.</summary>
    private static void Bind(Match<Row> match, Element[] elements, PatternBuilder builder, Dictionary<string, List<string>> bindings)
    {
        foreach (var element in elements)
        {
            switch (element)
            {
                case StepElement step:
                    if (!bindings.TryGetValue(step.Name, out var ids))
                    {
                        bindings[step.Name] = ids = [];
                    }

                    var handle = builder.Handles.Find(step.Name)!;
                    ids.AddRange(handle is Steps<Row> steps ? match[steps].Select(row => row.Id) : match.Has(handle) ? [match[(Step<Row>)handle].Id] : []);
                    break;
                case GroupElement group when builder.Groups.TryGetValue(group, out var groups):
                    foreach (var inner in match[groups])
                    {
                        Bind(inner, group.Elements, builder, bindings);
                    }

                    break;
                case GroupElement group:
                    Bind(match, group.Elements, builder, bindings);
                    break;
                default:
                    break;
            }
        }
    }
}
