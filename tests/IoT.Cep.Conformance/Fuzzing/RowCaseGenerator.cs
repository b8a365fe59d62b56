using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>Random cases of the dialect <c>rows</c>: all that the notation has, small, so that much happens in few rows.</summary>
internal sealed class RowCaseGenerator
{
    private const int MaxRows = 9;
    private const int MaxDepth = 2;
    private static readonly string[] _letters = ["a", "b", "c"];
    private static readonly string[] _names = ["A", "B", "C", "D"];

    private readonly Random _random;

    private RowCaseGenerator(int seed) => _random = new Random(seed);

    /// <summary>The case of a seed: the same one each time.</summary>
    internal static Case Make(int seed)
    {
        var generator = new RowCaseGenerator(seed);
        return new Case(JsonNode.Parse(generator.Case(seed).ToJsonString())!.AsObject());
    }

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private T Pick<T>(params T[] choices) => choices[_random.Next(choices.Length)];

    private JsonObject Case(int seed)
    {
        var tree = Sequence(0);
        string[] variables = [.. tree.Variables];
        var json = new JsonObject { ["id"] = $"rows-seed-{seed}", ["dialect"] = "rows", ["rows_pattern"] = $"{tree}", ["define"] = Definitions(variables) };
        string mode = Pick("online", "online", "batch", "interval");
        if (mode != "online")
        {
            json["mode"] = mode;
        }

        if (mode == "interval")
        {
            json["interval_ms"] = _random.Next(1, 15);
        }

        if (mode == "online" && Chance(0.35))
        {
            json["all_matches"] = true;
        }

        bool isPartitioned = Chance(0.25);
        if (Chance(0.55))
        {
            json["skip"] = Skip(mode, isPartitioned, variables);
        }

        if (Chance(0.3))
        {
            json["measures"] = Measures(variables);
        }

        if (isPartitioned)
        {
            json["partition_by"] = new JsonArray("part");
        }

        json["events"] = Rows(isPartitioned, out long last);
        json["final_time"] = last + Pick(0, 0, 1, 5, 20);
        return json;
    }

    private string Skip(string mode, bool isPartitioned, string[] variables) => Pick("toNext", "toNext", "current", "current", "toFirst:", "toLast:") switch
    {
        // Over a table that would be the same match again, for ever.
        "current" when mode == "batch" => "toNext",
        // Which of several partitions is the first to stop is another question.
        var to when to.EndsWith(':') && isPartitioned => "toNext",
        var to when to.EndsWith(':') => to + Pick(variables),
        var other => other,
    };

    private JsonObject Measures(string[] variables)
    {
        var measures = new JsonObject();
        for (int i = _random.Next(1, 3); i > 0; i--)
        {
            string of = Pick([.. variables, "match"]);
            measures[$"m{i}"] = Pick(
                $"sum({of}.value)", $"count({of})", $"first({of}.value)", $"last({of}.value, 1)", $"avg({of}.value)", $"min({of}.value) + value", $"max({of}.value)",
                $"{Pick(variables)}.value", $"last({of}.name)", $"count({of}) > 1");
        }

        return measures;
    }

    private JsonArray Rows(bool isPartitioned, out long last)
    {
        var rows = new JsonArray();
        int few = _random.Next(1, _letters.Length + 1);
        last = _random.Next(0, 5);
        for (int i = _random.Next(1, MaxRows + 1); i > 0; i--)
        {
            last += Pick(0, 1, 1, 1, 2, 3, 6);
            var one = new JsonObject { ["id"] = $"e{rows.Count}", ["ts"] = last, ["name"] = _letters[_random.Next(few)] };
            if (Chance(0.9))
            {
                one["value"] = _random.Next(1, 5);
            }

            if (isPartitioned)
            {
                one["part"] = _random.Next(2);
            }

            rows.Add(one);
        }

        return rows;
    }

    private RowTree Sequence(int depth)
    {
        var parts = new RowTree[_random.Next(1, depth == 0 ? 5 : 4)];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = Part(depth);
        }

        return parts is [var only] ? only : new RowTree.Concat(parts);
    }

    private RowTree Part(int depth)
    {
        RowTree part = new RowTree.Var(Pick(_names));
        if (depth < MaxDepth && Chance(0.35))
        {
            part = Pick(0, 0, 1, 1, 2) switch
            {
                0 => Sequence(depth + 1),
                1 => new RowTree.Alternation(Several(depth)),
                _ => new RowTree.Permute(Several(depth)),
            };
        }

        if (!Chance(0.45))
        {
            return part;
        }

        int min = Pick(0, 0, 0, 1, 1, 2);
        int? max = Pick<int?>(null, null, Math.Max(1, min), min + 1, min + 2);
        return new RowTree.Repeat(part, min, max, Chance(0.3));
    }

    private RowTree[] Several(int depth)
    {
        var parts = new RowTree[Pick(2, 2, 3)];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = Sequence(depth + 1);
        }

        return parts;
    }

    private JsonObject Definitions(string[] variables)
    {
        var definitions = new JsonObject();
        bool areAlone = Chance(0.45);
        foreach (string name in variables.Where(_ => Chance(0.85)))
        {
            string alone = Alone(name);
            definitions[name] = areAlone || Chance(0.4) ? alone : Chance(0.4) ? $"{alone} && ({Asking(name, variables)})" : Asking(name, variables);
        }

        return definitions;
    }

    private string Alone(string own) => Pick(
        "name == 'a'", "name == 'b'", "name != 'a'", "name == 'a' || value >= 3", "value > 1", "isNull(value)", $"{own}.value < 3", $"{own}.name != 'b'", $"{own}.value % 2 == 0");

    private string Asking(string own, string[] variables)
    {
        string other = Pick([own, "match", .. variables]);
        return Pick(
            $"isNull(last({own}.value, 1)) || {own}.value > last({own}.value, 1)", $"sum({other}.value) < 8", $"count({other}) <= 2", $"count({other}) != 1 || name == 'a'",
            $"isNull({other}.value) || value >= {other}.value", $"avg({other}.value) <= value", $"isNull(first({other}.value)) || first({other}.value) == value",
            $"min({other}.value) != value || count({other}) == 1", $"max({other}.value) < 4", "isNull(last(match.value, 1)) || last(match.value, 1) != value", "count(match) < 4",
            "value > prev(value)", "isNull(prev(value, 2)) || value != prev(value, 2)", "prev(name) == 'a'", $"isNull(prev(name)) || prev(name) != {own}.name");
    }
}
