namespace IoT.Cep.Conformance;

/// <summary>SQL's row patterns: regular expressions over rows.</summary>
internal sealed class RowsDialect : IDialect
{
    public string Name => "rows";

    /// <summary>Reads the pattern, so that one that can't be read is seen; it is not mapped to a builder yet.</summary>
    public CaseResult? Run(Case one, Way way)
    {
        RowPatternText.Parse((string)one.Json["rows_pattern"]!);
        return null;
    }
}
