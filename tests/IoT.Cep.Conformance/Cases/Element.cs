using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>An element of a pattern in the dialect <c>runs</c>.</summary>
internal abstract record Element(string Contiguity, Quantifier? Quantifier, string? Until)
{
    internal static Element[] ListOf(JsonNode list) => [.. list.AsArray().Select(one => Of(one!.AsObject()))];

    private static Element Of(JsonObject json)
    {
        string contiguity = (string?)json["contiguity"] ?? "next";
        var quantifier = json["quantifier"] is JsonObject written ? Quantifier.Of(written) : null;
        string? until = (string?)json["until"];
        if (json["group"] is { } group)
        {
            return new GroupElement(contiguity, quantifier, until, ListOf(group));
        }

        string name = (string)json["name"]!;
        string? where = (string?)json["where"];
        long? gap = (long?)json["within_prev_ms"];
        return (bool?)json["not"] == true ? new NotElement(contiguity, where ?? "true", gap) : new StepElement(contiguity, quantifier, until, name, where, gap);
    }
}

internal sealed record StepElement(string Contiguity, Quantifier? Quantifier, string? Until, string Name, string? Where, long? MaxGapMs)
    : Element(Contiguity, Quantifier, Until);

internal sealed record NotElement(string Contiguity, string Where, long? MaxGapMs) : Element(Contiguity, null, null);

internal sealed record GroupElement(string Contiguity, Quantifier? Quantifier, string? Until, Element[] Elements) : Element(Contiguity, Quantifier, Until);

/// <summary>How often an element comes.</summary>
internal sealed record Quantifier(int Min, int? Max, bool IsOptional, bool IsGreedy, string Inner)
{
    internal static Quantifier Of(JsonObject json) => new(
        (int?)json["min"] ?? 1,
        json.ContainsKey("max") ? (int?)json["max"] : 1,
        (bool?)json["optional"] ?? false,
        (bool?)json["greedy"] ?? false,
        (string?)json["inner"] ?? "relaxed");

    internal Times ToTimes()
    {
        var times = Max is { } max ? Times.Between(Min, max) : Times.AtLeast(Min);
        return IsOptional ? times.OrNone : times;
    }
}
