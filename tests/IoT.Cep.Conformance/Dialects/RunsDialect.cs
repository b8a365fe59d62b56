using IoT.Cep.Tests;

namespace IoT.Cep.Conformance;

/// <summary>Flink's patterns: the library's own are meant the same.</summary>
internal sealed class RunsDialect : IDialect
{
    private const int MaxPartialMatches = 10_000_000;

    public string Name => "runs";

    public Case Make(int seed) => CaseGenerator.Make(seed);

    public CaseResult Run(Case one, Way way)
    {
        var builder = new PatternBuilder();
        var elements = PatternBuilder.AtLeastOne(one.Pattern);
        var pattern = builder.Build(one, elements);
        var input = new Input<Row>();
        var matches = input.ToStream().KeyBy(row => row.Key).Match(pattern, out var timeouts, MaxPartialMatches)
            .Select(match => TextOf(match, elements, builder), "text of match");
        var rows = CaseRun.Arriving(one, way);
        var (found, live, error) = CaseRun.Of(one, way, input, matches.Node, rows);
        var timedOut = one.ExpectedTimeouts is null && !way.WantsTimeouts || error is not null
            ? null
            : CaseRun.Of(one, way, input, timeouts.Select(timeout => TextOf(timeout), "text of timeout").Node, rows).Found.Select(text => FoundTimeout.Parse(text)).ToArray();
        return new CaseResult([.. found.Select(FoundMatch.Parse)], timedOut, live, error is null ? null : CaseRun.ErrorOf(error));
    }

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
