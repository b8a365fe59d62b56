namespace IoT.Cep.Conformance;

/// <summary>Says a case's row pattern with the library's own verbs.</summary>
internal sealed class RowPatternBuilder
{
    // The library refuses a repetition without a bound in time; no case is that long.
    private static readonly TimeSpan _long = TimeSpan.FromDays(1);

    private readonly Dictionary<string, RowVariable<Row>> _variables = new(StringComparer.Ordinal);
    private int _lookback;

    internal Handles Handles { get; } = new();

    internal RowPattern<Row> Build(Case one)
    {
        var tree = RowPatternText.Parse(one.RowsPattern);
        RowDefinitions<Row>? definitions = null;
        foreach (string name in tree.Variables)
        {
            definitions = Define(definitions, name, one.Definitions.GetValueOrDefault(name));
        }

        var pattern = definitions!.Pattern(Of(tree)).Lookback(_lookback);
        pattern = one.Mode switch
        {
            "interval" => pattern.AfterInterval(TimeSpan.FromMilliseconds(one.IntervalMs)),
            "batch" => pattern.Within(_long).WhenDecided(),
            "online" when one.GivesAll => pattern.Within(_long).AllMatches(),
            "online" => pattern.Within(_long),
            _ => throw new NotSupportedException($"There is no mode '{one.Mode}'."),
        };
        return one.Json["skip"] is null ? pattern : pattern.AfterMatch(AfterOf(one.Skip));
    }

    private After AfterOf(string skip) => skip.Split(':') switch
    {
        ["pastLast"] => After.PastLastEvent,
        ["toNext"] => After.ToNext,
        ["current"] => After.NoSkip,
        ["toFirst", var name] => After.ToFirst(Require(name)).Strict(),
        ["toLast", var name] => After.ToLast(Require(name)).Strict(),
        _ => throw new NotSupportedException($"There is no skip mode '{skip}'."),
    };

    private RowVariable<Row> Require(string name) =>
        _variables.GetValueOrDefault(name) ?? throw new NotSupportedException($"There is no variable '{name}' to skip to.");

    private RowDefinitions<Row> Define(RowDefinitions<Row>? before, string name, string? text)
    {
        RowVariable<Row> variable;
        RowDefinitions<Row> definitions;
        var expression = text is null ? null : Expression.Parse(text);
        _lookback = Math.Max(_lookback, expression?.Lookback ?? 0);
        if (expression is null)
        {
            definitions = before is null ? RowPattern.Define(out variable, name) : before.Define(out variable, name);
        }
        else if (expression is { Lists.Count: 0, Lookback: 0 } && expression.Names.All(mentioned => mentioned == name))
        {
            Func<Row, bool> onRow = row => expression.Evaluate(new Scope(row, name)).IsTrue;
            definitions = before is null ? RowPattern.Define(out variable, onRow, name, text!) : before.Define(out variable, onRow, name, text!);
        }
        else
        {
            Func<Row, PartialMatch<Row>, bool> onMatch = (row, match) => expression.Evaluate(new Scope(row, match, Handles, name)).IsTrue;
            definitions = before is null ? RowPattern.Define(out variable, onMatch, name, text!) : before.Define(out variable, onMatch, name, text!);
        }

        _variables.Add(name, variable);
        Handles.Add(name, variable);
        return definitions;
    }

    private IRowExpression<Row> Of(RowTree tree) => tree switch
    {
        RowTree.Var variable => _variables[variable.Name],
        RowTree.Concat all => RowPattern.Group([.. all.Parts.Select(Of)]),
        RowTree.Alternation any => any.Parts.Select(Of).Aggregate((left, right) => left.Or(right)),
        RowTree.Permute all => RowPattern.Permute([.. all.Parts.Select(Of)]),
        RowTree.Repeat { IsReluctant: true } repeat => Repeated(repeat).Reluctant(),
        RowTree.Repeat repeat => Repeated(repeat),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private RowRepetition<Row> Repeated(RowTree.Repeat repeat)
    {
        var part = Of(repeat.Of);
        return (repeat.Min, repeat.Max) switch
        {
            (0, null) => part.ZeroOrMore(),
            (1, null) => part.OneOrMore(),
            (0, 1) => part.Optional(),
            (var min, null) => part.AtLeast(min),
            (0, { } max) => part.AtMost(max),
            (var min, { } max) => min == max ? part.Times(min) : part.Times(min, max),
        };
    }
}
