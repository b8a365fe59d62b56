using IoT.Cep.Tests;

namespace IoT.Cep.Conformance;

/// <summary>SQL's row patterns: regular expressions over rows.</summary>
internal sealed class RowsDialect : IDialect
{
    private const int MaxRows = 10_000_000;

    public string Name => "rows";

    public Case Make(int seed) => RowCaseGenerator.Make(seed);

    public CaseResult Run(Case one, Way way)
    {
        var builder = new RowPatternBuilder();
        var pattern = builder.Build(one);
        var input = new Input<Row>();
        var stream = input.ToStream().KeyBy(row => row.Key);
        var rows = CaseRun.Arriving(one, way);

        // Only of a table is it known that nothing comes any more.
        bool ends = one.Mode == "batch";
        var (found, live, error) = CaseRun.Of(one, way, input, stream.MatchRows(pattern, MaxRows).Select(match => TextOf(match), "text of match").Node, rows, ends);
        var matches = found.ConvertAll(FoundMatch.Parse);
        if (error is not null)
        {
            return new CaseResult(matches, null, live, CaseRun.ErrorOf(error));
        }

        if (one.Measures.Count > 0)
        {
            var measures = one.Measures.Select(measure => (measure.Key, Expression.Parse(measure.Value))).ToArray();
            var measured = stream.MatchRows(pattern, match => MeasuresOf(match, measures, builder.Handles), MaxRows, text: "measures");
            (found, _, error) = CaseRun.Of(one, way, input, measured.Node, rows, ends);
            matches = With(matches, found);
        }

        return new CaseResult(matches, null, live, error is null ? null : CaseRun.ErrorOf(error));
    }

    /// <summary>The matches with their measures, which come from another run over the same rows: in the same order.</summary>
    private static List<FoundMatch> With(List<FoundMatch> matches, List<string> measures)
    {
        var measured = measures.ConvertAll(FoundMatch.Parse);
        return measured.Select(match => $"{string.Join(' ', match.Ids)}").SequenceEqual(matches.Select(match => $"{string.Join(' ', match.Ids)}"))
            ? [.. matches.Zip(measured, (match, one) => match with { Measures = one.Measures })]
            : measured;
    }

    private static string TextOf(Match<Row> match)
    {
        var rows = match.AllRows();
        var bindings = rows.GroupBy(row => $"{row.Variable}", row => row.Row.Id).Select(one => (one.Key, one.ToArray()));
        return new FoundMatch([.. rows.Select(row => row.Row.Id)], FoundMatch.TextOf(bindings), string.Join(' ', rows.Select(row => row.Variable))).ToString();
    }

    private static string MeasuresOf(PartialMatch<Row> match, (string Name, Expression Expression)[] measures, Handles handles)
    {
        string[] ids = new string[match.Rows.Count];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = match.Rows[i].Id;
        }

        var values = new (string, Value)[measures.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (measures[i].Name, measures[i].Expression.Evaluate(new Scope(match.Last, match, handles, own: null)));
        }

        return new FoundMatch(ids, "", "", FoundMatch.TextOf(values)).ToString();
    }
}
