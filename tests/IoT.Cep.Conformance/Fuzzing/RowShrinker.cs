using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>Smaller candidates of the dialect <c>rows</c>: less of the pattern, plainer definitions.</summary>
internal static class RowShrinker
{
    internal static IEnumerable<JsonObject> Candidates(JsonObject json)
    {
        if (json["rows_pattern"] is not { } text)
        {
            yield break;
        }

        foreach (var tree in Smaller(RowPatternText.Parse((string)text!)))
        {
            yield return Shrinker.Changed(json, copy => copy["rows_pattern"] = $"{tree}");
        }

        foreach (string name in json["define"]!.AsObject().Select(one => one.Key))
        {
            yield return Shrinker.Changed(json, copy => copy["define"]!.AsObject().Remove(name));
            if (((string)json["define"]![name]!).Length > "name == 'a'".Length)
            {
                yield return Shrinker.Changed(json, copy => copy["define"]![name] = "name == 'a'");
            }
        }
    }

    private static IEnumerable<RowTree> Smaller(RowTree tree) => tree switch
    {
        RowTree.Concat all => Fewer(all.Parts, parts => new RowTree.Concat(parts)),
        RowTree.Alternation any => Fewer(any.Parts, parts => new RowTree.Alternation(parts)),
        RowTree.Permute all => Fewer(all.Parts, parts => new RowTree.Permute(parts)),
        RowTree.Repeat repeat => Smaller(repeat.Of).Select(inner => repeat with { Of = inner })
            .Concat(repeat.IsReluctant ? [repeat with { IsReluctant = false }] : [])
            .Concat(repeat.Max > Math.Max(1, repeat.Min) ? [repeat with { Max = repeat.Max - 1 }] : [])
            .Concat(repeat.Min > 0 ? [repeat with { Min = repeat.Min - 1 }] : [])
            .Prepend(repeat.Of),
        _ => [],
    };

    /// <summary>One part alone, all but one, or one of them smaller.</summary>
    private static IEnumerable<RowTree> Fewer(RowTree[] parts, Func<RowTree[], RowTree> of)
    {
        for (int i = 0; i < parts.Length; i++)
        {
            yield return parts[i];
            if (parts.Length > 2)
            {
                yield return of([.. parts[..i], .. parts[(i + 1)..]]);
            }

            foreach (var smaller in Smaller(parts[i]))
            {
                yield return of([.. parts[..i], smaller, .. parts[(i + 1)..]]);
            }
        }
    }
}
