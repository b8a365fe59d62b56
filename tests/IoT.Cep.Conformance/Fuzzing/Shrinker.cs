using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>Makes a failing case smaller while it still fails: events, elements, parts of elements, times.</summary>
internal static class Shrinker
{
    private static readonly string[] _parts = ["quantifier", "until", "where", "within_prev_ms", "within_ms", "skip", "skip_strict", "value"];
    private static readonly (string Part, JsonNode Plain)[] _plain =
        [("optional", false), ("greedy", false), ("inner", "relaxed"), ("min", 1), ("max", 1), ("max", 2), ("contiguity", "followedBy"), ("where", "name == 'a'"), ("name", "a")];

    internal static Case Shrink(Case failing, Func<Case, bool> fails)
    {
        var smallest = failing.Json;
        for (bool isSmaller = true; isSmaller;)
        {
            isSmaller = false;
            foreach (var candidate in Candidates(smallest))
            {
                if (candidate.ToJsonString() != smallest.ToJsonString() && fails(new Case(candidate)))
                {
                    smallest = candidate;
                    isSmaller = true;
                    break;
                }
            }
        }

        return new Case(smallest);
    }

    private static IEnumerable<JsonObject> Candidates(JsonObject json)
    {
        // Places are named by their number in a fixed walk, so that each candidate is changed in a copy of its own.
        for (int i = json["events"]!.AsArray().Count - 1; i >= 0; i--)
        {
            yield return Changed(json, copy => copy["events"]!.AsArray().RemoveAt(i));
        }

        int lists = Lists(json).Count();
        for (int list = 0; list < lists; list++)
        {
            int length = Lists(json).ElementAt(list).Count;
            for (int i = 0; i < length; i++)
            {
                if (length > 1)
                {
                    yield return Changed(json, copy => Lists(copy).ElementAt(list).RemoveAt(i));
                }

                yield return Changed(json, copy => Unwrap(Lists(copy).ElementAt(list), i));
            }
        }

        int objects = Objects(json).Count();
        for (int place = 0; place < objects; place++)
        {
            foreach (string part in _parts.Where(part => Objects(json).ElementAt(place).ContainsKey(part)))
            {
                yield return Changed(json, copy => Objects(copy).ElementAt(place).Remove(part));
            }

            foreach (var (part, plain) in _plain.Where(plain => Objects(json).ElementAt(place)[plain.Part] is not null))
            {
                if (!IsNameOfStep(Objects(json).ElementAt(place), part))
                {
                    yield return Changed(json, copy => Objects(copy).ElementAt(place)[part] = plain.DeepClone());
                }
            }
        }

        for (int i = json["events"]!.AsArray().Count - 1; i > 0; i--)
        {
            yield return Changed(json, copy => MoveCloser(copy["events"]!.AsArray(), i));
        }
    }

    private static bool IsNameOfStep(JsonObject place, string part) => part == "name" && !place.ContainsKey("ts");

    private static JsonObject Changed(JsonObject json, Action<JsonObject> change)
    {
        var copy = json.DeepClone().AsObject();
        change(copy);
        return JsonNode.Parse(copy.ToJsonString())!.AsObject();
    }

    /// <summary>A group's elements in the group's place.</summary>
    private static void Unwrap(JsonArray list, int at)
    {
        if (list[at]!["group"] is JsonArray inner)
        {
            list.RemoveAt(at);
            foreach (var element in inner.Reverse())
            {
                list.Insert(at, element!.DeepClone());
            }
        }
    }

    private static void MoveCloser(JsonArray events, int from)
    {
        long gap = (long)events[from]!["ts"]! - (long)events[from - 1]!["ts"]!;
        for (int i = from; i < events.Count && gap > 1; i++)
        {
            events[i]!["ts"] = (long)events[i]!["ts"]! - (gap - 1);
        }
    }

    private static IEnumerable<JsonArray> Lists(JsonObject json) => ListsIn(json["pattern"]!.AsArray());

    private static IEnumerable<JsonArray> ListsIn(JsonArray list) =>
        list.SelectMany(element => element!["group"] is JsonArray inner ? ListsIn(inner) : []).Prepend(list);

    private static IEnumerable<JsonObject> Objects(JsonObject json) => Lists(json).SelectMany(list => list)
        .SelectMany(element => element!["quantifier"] is JsonObject quantifier ? new[] { element.AsObject(), quantifier } : [element.AsObject()])
        .Concat(json["events"]!.AsArray().Select(one => one!.AsObject())).Prepend(json);
}
