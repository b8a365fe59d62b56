using System.Text.RegularExpressions;

namespace IoT.Cep;

/// <summary>docs/mqtt-conformance.md is a promise: no statement of the standards is missing in it, and every test that it names is there.</summary>
public sealed partial class MqttConformanceTableTests
{
    private static readonly string _root = Root();
    private static readonly string[] _page = File.ReadAllLines(Path.Combine(_root, "docs", "mqtt-conformance.md"));

    [Theory]
    [InlineData("## MQTT 5", "mqtt-5.txt", 252)]
    [InlineData("## MQTT 3.1.1", "mqtt-3.1.1.txt", 138)]
    public void Every_statement_has_one_row(string heading, string list, int count)
    {
        string[] statements = File.ReadAllLines(Path.Combine(_root, "tests", "IoT.Cep.Transports.Tests", "Conformance", list));
        Assert.Equal(count, statements.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(statements.Order(StringComparer.Ordinal), RowsUnder(heading).Select(r => r[0]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("## MQTT 5")]
    [InlineData("## MQTT 3.1.1")]
    public void Every_cell_names_a_test_or_says_why_there_is_none(string heading)
    {
        var letters = Letters();
        foreach (string[] row in RowsUnder(heading))
        {
            Assert.Equal(5, row.Length);
            foreach (string cell in row[2..])
            {
                bool isShown = Name().IsMatch(cell) || Letter().Matches(cell).Any(m => letters.ContainsKey(m.Value));
                bool isExplained = cell.StartsWith("n/a (", StringComparison.Ordinal) || (cell.Contains("**no**", StringComparison.Ordinal) && cell.Length > "**no**: ".Length);
                Assert.True(isShown || isExplained, $"{row[0]}: '{cell}' shows nothing and explains nothing.");
            }
        }
    }

    [Fact]
    public void Every_test_that_is_named_exists()
    {
        var tests = typeof(MqttConformanceTableTests).Assembly.GetTypes()
            .SelectMany(t => t.GetMethods().Where(m => m.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0).Select(m => $"{t.Name}.{m.Name}"))
            .ToHashSet(StringComparer.Ordinal);
        string[] named = [.. _page.SelectMany(line => Name().Matches(line)).Select(m => m.Groups[1].Value).Distinct()];
        Assert.True(named.Length > 50);
        Assert.Empty(named.Except(tests));
    }

    private static Dictionary<string, string> Letters() => _page.Select(line => Definition().Match(line)).Where(m => m.Success).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value, StringComparer.Ordinal);

    private static IEnumerable<string[]> RowsUnder(string heading) => _page.SkipWhile(line => line != heading).Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
        .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && char.IsDigit(line[2])).Select(line => line.Trim('|', ' ').Split(" | "));

    private static string Root()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent!;
        }

        return root.FullName;
    }

    [GeneratedRegex("`([A-Za-z0-9]+Tests\\.[A-Za-z0-9_]+)`")]
    private static partial Regex Name();

    [GeneratedRegex("\\b[A-Z]\\b")]
    private static partial Regex Letter();

    [GeneratedRegex("^  - \\*\\*([A-Z])\\*\\*: `([A-Za-z0-9_.]+)`")]
    private static partial Regex Definition();
}
