using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.Diagnostics;

namespace IoT.Cep.Generators.Tests;

/// <summary>docs/analyzers.md says what is so: its code compiles, or is refused where it says that it is.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string _page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "analyzers.md"));

    public static TheoryData<string> Queries => [.. Blocks().Where(IsQuery).SelectMany(static block => block.Split("\n\n"))];

    public static TheoryData<string> Declarations => [.. Blocks().Where(static block => !IsQuery(block))];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task A_query_is_refused_exactly_where_the_page_says_so(string query)
    {
        string statement = string.Join('\n', query.Split('\n').Select(static line => line.Split("//")[0]));
        var ids = (await Snippet.Diagnose(
            $$"""
            using System; using System.Reactive.Linq; using IoT.Cep;
            #pragma warning disable CS0436
            public record struct Reading(string Sensor, double Celsius);
            static class Query { static object F(IWindowedStream<string, Reading> windows) => {{statement}}; }
            """,
            StandInWindows.Source)).Select(static d => d.Id);
        Assert.Equal(RuleId().Matches(query).Select(static m => m.Value), ids);
    }

    [Theory]
    [MemberData(nameof(Declarations))]
    public async Task An_event_type_compiles(string declaration) =>
        Assert.Empty((await Snippet.Diagnose("using System; using IoT.Cep;\n" + declaration)).Select(Snippet.Print));

    [Fact]
    public void Every_rule_has_its_section()
    {
        DiagnosticAnalyzer[] analyzers = [new EventTypeAnalyzer(), new TypeArgumentAnalyzer(), new ProjectionAnalyzer(), new PatternAnalyzer()];
        Assert.Equal(
            analyzers.SelectMany(static a => a.SupportedDiagnostics).Select(static d => "## " + d.Id).Order(StringComparer.Ordinal),
            _page.Split('\n').Where(static line => line.StartsWith("## CEP", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Blocks() => CodeBlock().Matches(_page).Select(static m => m.Groups[1].Value.TrimEnd());

    private static bool IsQuery(string block) => block.StartsWith("windows", StringComparison.Ordinal);

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex("CEP\\d{3}")]
    private static partial Regex RuleId();
}
