using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace IoT.Cep.Tests;

/// <summary>What other engines' suites say of row patterns (rows.json, taken from them): each case runs in every way of the harness.</summary>
public sealed partial class RowCaseTests
{
    private static readonly JsonElement[] _cases = [.. JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Patterns", "rows.json"))).RootElement.EnumerateArray()];

    public static TheoryData<string> Names => [.. _cases.Select(one => one.GetProperty("id").GetString()!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Matches_are_those_of_the_case(string name)
    {
        var one = _cases.Single(other => other.GetProperty("id").GetString() == name);
        var pattern = PatternOf(one);
        var rows = Timeline.Of<CaseRow>();
        foreach (var row in one.GetProperty("events").EnumerateArray())
        {
            rows.At(row.GetProperty("ts").GetInt64() / 1000.0, RowOf(one, row));
        }

        rows.Watermark(one.TryGetProperty("final_time", out var final) ? final.GetInt64() / 1000.0 : 1000).End();
        var expected = one.GetProperty("expected").EnumerateArray().Zip(one.GetProperty("expected_vars").EnumerateArray(), (ids, variables) =>
            string.Join(' ', ids.EnumerateArray().Zip(variables.EnumerateArray(), (id, variable) => $"{variable}:{id}")));
        var outcome = rows.Through(s => s.KeyBy(row => row.Part).MatchRows(pattern).Select(m => string.Join(' ', m.AllRows().Select(row => $"{row.Variable}:{row.Row.Id}")))).Run();
        Assert.Null(outcome.Error);
        Assert.Equal(expected.Order(StringComparer.Ordinal), outcome.Rows.Select(row => row.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Measures_are_those_of_the_case()
    {
        var pattern = RowPattern.Define<CaseRow>(out var a, r => r.Value >= 10).Define(out var b, r => r.Value > 1).Define(out var c, r => r.Value < -1)
            .Define(out var d, r => r.Value == 999).Pattern(a, b, b, c, c, d);
        var one = _cases.Single(other => other.GetProperty("id").GetString() == "esper-measures-partitioned");
        var rows = Timeline.Of<CaseRow>();
        foreach (var row in one.GetProperty("events").EnumerateArray())
        {
            rows.At(row.GetProperty("ts").GetInt64(), RowOf(one, row));
        }

        rows.End().Through(s => s.KeyBy(row => row.Part).MatchRows(pattern, m => (m[b].Sum(r => r.Value), m[c].Sum(r => r.Value)))).Expect((11, (7, -11)), (12, (15, -7)));
    }

    private static CaseRow RowOf(JsonElement one, JsonElement row) => new(
        row.GetProperty("id").GetString()!, one.TryGetProperty("partition_by", out var fields) ? row.GetProperty(fields[0].GetString()!).ToString() : "",
        row.TryGetProperty("name", out var name) ? name.GetString()! : "", row.TryGetProperty("value", out var value) ? value.GetDouble() : double.NaN);

    private static RowPattern<CaseRow> PatternOf(JsonElement one)
    {
        string text = one.GetProperty("rows_pattern").GetString()!;
        var definitions = RowDefinitions<CaseRow>.Empty;
        var variables = new Dictionary<string, RowVariable<CaseRow>>();
        foreach (System.Text.RegularExpressions.Match name in Variable().Matches(text))
        {
            if (variables.ContainsKey(name.Value))
            {
                continue;
            }

            definitions = one.GetProperty("define").TryGetProperty(name.Value, out var condition)
                ? definitions.Define(out var variable, ConditionOf(condition.GetString()!, variables), name.Value)
                : definitions.Define(out variable, name.Value);
            variables[name.Value] = variable;
        }

        var pattern = definitions.Pattern(new RowText(text, variables).Read()).Lookback(1);
        string mode = one.TryGetProperty("mode", out var said) ? said.GetString()! : "online";
        pattern = mode == "interval" ? pattern.AfterInterval(TimeSpan.FromMilliseconds(one.GetProperty("interval_ms").GetInt32())) : pattern.Within(TimeSpan.FromDays(1));
        pattern = mode == "batch" ? pattern.WhenDecided() : pattern;
        pattern = one.TryGetProperty("all_matches", out _) ? pattern.AllMatches() : pattern;
        return one.TryGetProperty("skip", out _) ? pattern.AfterMatch(After.NoSkip) : pattern;
    }

    private static Func<CaseRow, PartialMatch<CaseRow>, bool> ConditionOf(string text, Dictionary<string, RowVariable<CaseRow>> variables)
    {
        switch (text)
        {
            case "isNull(last(A.value, 1)) || A.value > last(A.value, 1)":
                return (r, m) => m.Taken.Count < 2 || r.Value > m[variables["A"]][^2].Value;
            case "B.value < last(A.value)":
                return (r, m) => r.Value < m[variables["A"]].Last.Value;
            case "last(match.value, 1) < C.value":
                return (r, m) => m.Rows[^2].Value < r.Value;
            case "A.value > prev(value)":
                return (r, m) => r.Value > m.Previous(other => other.Value);
            case "B.value == 1 || B.value == 2":
                return (r, m) => r.Value is 1 or 2;
        }

        var simple = Simple().Match(text);
        Assert.True(simple.Success, text);
        string literal = simple.Groups[3].Value.Trim('\'');
        return (simple.Groups[1].Value, simple.Groups[2].Value) switch
        {
            ("name", "==") => (r, m) => r.Name == literal,
            ("value", var comparison) => (r, m) => r.Value.CompareTo(double.Parse(literal, CultureInfo.InvariantCulture)) is var order
                && (comparison switch { "==" => order == 0, "<" => order < 0, ">" => order > 0, ">=" => order >= 0, _ => throw new NotSupportedException(comparison) }),
            _ => throw new NotSupportedException(text),
        };
    }

    [GeneratedRegex(@"\b(?!PERMUTE)[A-Z]\b")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^(?:\w\.)?(name|value) (==|<|>|>=) (\S+)$")]
    private static partial Regex Simple();

    /// <summary>Reads a row pattern as SQL writes it.</summary>
    private sealed partial class RowText(string text, Dictionary<string, RowVariable<CaseRow>> variables)
    {
        private readonly Queue<string> _tokens = new(Token().Matches(text).Select(token => token.Value));

        internal RowExpression<CaseRow> Read()
        {
            var all = Sequence();
            while (_tokens.TryPeek(out string? token) && token == "|")
            {
                _tokens.Dequeue();
                all = all.Or(Sequence());
            }

            return all;
        }

        private RowExpression<CaseRow> Sequence()
        {
            var parts = new List<IRowExpression<CaseRow>>();
            while (_tokens.TryPeek(out string? token) && token is not ("|" or ")" or ","))
            {
                parts.Add(Repeated());
            }

            return RowPattern.Group(parts.ToArray());
        }

        private IRowExpression<CaseRow> Repeated()
        {
            var part = Part();
            while (_tokens.TryPeek(out string? token) && (token is "*" or "+" or "?" || token[0] == '{'))
            {
                _tokens.Dequeue();
                string[] bounds = token.Trim('{', '}').Split(',');
                var repeated = token switch
                {
                    "*" => part.ZeroOrMore(),
                    "+" => part.OneOrMore(),
                    "?" => part.Optional(),
                    _ when bounds.Length == 1 => part.Times(int.Parse(bounds[0], CultureInfo.InvariantCulture)),
                    _ when bounds[1].Length == 0 => part.AtLeast(int.Parse(bounds[0], CultureInfo.InvariantCulture)),
                    _ => part.Times(bounds[0].Length == 0 ? 0 : int.Parse(bounds[0], CultureInfo.InvariantCulture), int.Parse(bounds[1], CultureInfo.InvariantCulture)),
                };
                part = repeated;
                if (_tokens.TryPeek(out string? next) && next == "?")
                {
                    _tokens.Dequeue();
                    part = repeated.Reluctant();
                }
            }

            return part;
        }

        private IRowExpression<CaseRow> Part()
        {
            string token = _tokens.Dequeue();
            if (token is not ("(" or "PERMUTE"))
            {
                return variables[token];
            }

            if (token == "(")
            {
                var inner = Read();
                _tokens.Dequeue();
                return inner;
            }

            var parts = new List<IRowExpression<CaseRow>>();
            while (_tokens.Dequeue() != ")")
            {
                parts.Add(Read());
            }

            return RowPattern.Permute(parts.ToArray());
        }

        [GeneratedRegex(@"PERMUTE\b|\w+|\{\d*,?\d*\}|[()|,*+?]")]
        private static partial Regex Token();
    }
}

internal readonly record struct CaseRow(string Id, string Part, string Name, double Value)
{
#pragma warning disable CA2255 // as the source generator does it for [Event] types
    [ModuleInitializer]
    internal static void Register() => StateCodec.Register<CaseRow>(
        static (writer, row) =>
        {
            writer.Text(row.Id);
            writer.Text(row.Part);
            writer.Text(row.Name);
            writer.Double(row.Value);
        },
        static reader => new CaseRow(reader.Text()!, reader.Text()!, reader.Text()!, reader.Double()));
#pragma warning restore CA2255
}
