using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>Random cases of the dialect <c>runs</c>: all that the notation has, small, so that much happens in few events.</summary>
internal sealed class CaseGenerator
{
    private const int MaxEvents = 12;
    private const int MaxDepth = 2;
    private static readonly string[] _letters = ["a", "b", "c"];
    private static readonly string[] _contiguities = ["next", "followedBy", "followedBy", "followedByAny"];
    private static readonly string[] _inners = ["strict", "relaxed", "relaxed", "nondeterministic"];

    private readonly Random _random;
    private readonly List<string> _names = [];
    private int _steps;

    private CaseGenerator(int seed) => _random = new Random(seed);

    /// <summary>The case of a seed: the same one each time.</summary>
    internal static Case Make(int seed)
    {
        var generator = new CaseGenerator(seed);
        return new Case(JsonNode.Parse(generator.Case(seed).ToJsonString())!.AsObject());
    }

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private T Pick<T>(params T[] choices) => choices[_random.Next(choices.Length)];

    private JsonObject Case(int seed)
    {
        _steps = _random.Next(1, 6);
        var pattern = Elements(0, isTop: true);
        bool isAbsence = (bool?)pattern[^1]!["not"] == true && (string)pattern[^1]!["contiguity"]! != "next";
        var json = new JsonObject { ["id"] = $"seed-{seed}", ["dialect"] = "runs", ["pattern"] = pattern };
        // Where a repetition could go on as well, the reference sees that an absence is over only with the event after the next.
        bool isAbsenceAlone = pattern.Last(element => element!["not"] is null) is { } before && before["group"] is null && before["quantifier"] is null;
        if (isAbsence && isAbsenceAlone && Chance(0.6))
        {
            pattern[^1]!["within_prev_ms"] = _random.Next(1, 8);
        }

        if (Chance(isAbsence ? 0.8 : 0.4))
        {
            json["within_ms"] = _random.Next(1, 15);
        }

        if (Chance(0.45))
        {
            Skip(json);
        }

        json["events"] = Events(out long last);
        // Without one the reference leaves at the last event's time what is over by then: its clock moves only before an event.
        json["final_time"] = last + Pick(0, 0, 1, 5, 20);
        return json;
    }

    private void Skip(JsonObject json)
    {
        string mode = Pick("toNext", "pastLast", "toFirst:", "toLast:");
        bool isTo = mode.EndsWith(':');
        json["skip"] = isTo ? mode + Pick(_names.ToArray()) : mode;
        if (isTo && Chance(0.25))
        {
            json["skip_strict"] = true;
        }
    }

    private JsonArray Events(out long last)
    {
        var events = new JsonArray();
        int few = _random.Next(1, _letters.Length + 1);
        last = _random.Next(0, 5);
        for (int i = _random.Next(1, MaxEvents + 1); i > 0; i--)
        {
            last += Pick(0, 0, 1, 1, 1, 2, 3, 6);
            var one = new JsonObject { ["id"] = $"e{events.Count}", ["ts"] = last, ["name"] = _letters[_random.Next(few)] };
            if (Chance(0.9))
            {
                one["value"] = _random.Next(1, 4);
            }

            events.Add(one);
        }

        return events;
    }

    private JsonArray Elements(int depth, bool isTop)
    {
        var elements = new JsonArray();
        int count = isTop ? _steps : _random.Next(1, 4);
        bool takes = false;
        for (int i = 0; i < count; i++)
        {
            bool isLast = i == count - 1;
            if (i > 0 && Chance(0.15) && (isTop || !isLast))
            {
                elements.Add(Not());
                continue;
            }

            // A sequence has to take something: a round in which nothing is taken is not what the reference is about.
            bool mayBeOptional = takes || !isLast;
            var element = depth < MaxDepth && Chance(0.18) ? Group(depth, i, mayBeOptional) : Step(i, mayBeOptional);
            takes |= element["quantifier"]?["optional"] is not { } optional || !(bool)optional;
            elements.Add(element);
        }

        if (!takes)
        {
            elements.Insert(0, Step(0, mayBeOptional: false));
        }

        return elements;
    }

    private JsonObject Step(int index, bool mayBeOptional)
    {
        string name = $"s{_names.Count}";
        _names.Add(name);
        var step = new JsonObject { ["name"] = name };
        if (Chance(0.85))
        {
            step["where"] = Condition(name);
        }

        step["contiguity"] = Pick(_contiguities);
        if (Chance(0.45))
        {
            step["quantifier"] = Quantifier(mayBeOptional, mayBeGreedy: true);
            Until(step, name);
        }

        if (index > 0 && Chance(0.1))
        {
            step["within_prev_ms"] = _random.Next(1, 8);
        }

        return step;
    }

    private JsonObject Group(int depth, int index, bool mayBeOptional)
    {
        var group = new JsonObject { ["group"] = Elements(depth + 1, isTop: false), ["contiguity"] = Pick(_contiguities) };
        if (Chance(0.7))
        {
            group["quantifier"] = Quantifier(mayBeOptional, mayBeGreedy: false);
            Until(group, null);
        }

        return group;
    }

    private void Until(JsonObject element, string? name)
    {
        if (Chance(0.2))
        {
            element["until"] = name is not null && Chance(0.4) ? Pick($"count({name}) == 2", $"sum({name}.value) + value > 4", $"last({name}.value) > value") : Simple();
        }
    }

    private JsonObject Quantifier(bool mayBeOptional, bool mayBeGreedy)
    {
        int min = Pick(1, 1, 1, 2, 3);
        int? max = Pick<int?>(null, null, min, min + 1, min + 2);
        return new JsonObject
        {
            ["min"] = min,
            ["max"] = max,
            ["optional"] = mayBeOptional && Chance(0.4),
            ["greedy"] = mayBeGreedy && Chance(0.25),
            ["inner"] = Pick(_inners),
        };
    }

    private JsonObject Not() => new()
    {
        ["name"] = $"n{_random.Next(1000)}",
        ["where"] = Chance(0.8) || _names.Count == 0 ? Simple() : Condition(Pick(_names.ToArray())),
        ["contiguity"] = Pick("next", "followedBy", "followedBy"),
        ["not"] = true,
    };

    private string Simple() => Pick("name == 'a'", "name == 'b'", "name == 'c'", "name != 'a'", "value > 1", "value == 2", "isNull(value)", "name == 'a' || value >= 3");

    private string Condition(string own)
    {
        if (Chance(0.7))
        {
            return Simple();
        }

        string other = Pick([own, .. _names]);
        string asked = Pick(
            $"sum({other}.value) + value < 6", $"count({other}) < 2", $"isNull({other}.value) || value >= {other}.value", $"{other}.value == value",
            $"avg({other}.value) <= value", $"isNull(min({other}.value)) || min({other}.value) < value", $"max({other}.value) != value || count({other}) == 0",
            $"count({other}) == 0 || first({other}.value) <= last({other}.value)", $"isNull(last({other}.value, 1)) || last({other}.value, 1) == value",
            $"count(s{_random.Next(6)}) == 0 || value > s{_random.Next(6)}.value");
        return Chance(0.5) ? asked : $"{Pick("name == 'a'", "name == 'b'", "name != 'c'")} && ({asked})";
    }
}
