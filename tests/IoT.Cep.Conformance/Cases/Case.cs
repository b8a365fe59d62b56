using System.Text.Json;
using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>A case as its JSON has it: a pattern, its input, and what is expected.</summary>
internal sealed class Case(JsonObject json)
{
    internal JsonObject Json => json;

    internal string Id => (string?)json["id"] ?? "";

    internal string Dialect => (string?)json["dialect"] ?? "runs";

    internal Element[] Pattern => Element.ListOf(json["pattern"]!);

    internal long? WithinMs => (long?)json["within_ms"];

    internal long? FinalTime => (long?)json["final_time"];

    internal string Skip => (string?)json["skip"] ?? "none";

    internal bool IsSkipStrict => (bool?)json["skip_strict"] ?? false;

    internal string? ExpectedError => (string?)json["expected_error"];

    internal int? ExpectedLive => (int?)json["expected_live"];

    /// <summary>How matches are compared: as a set of sets where nothing is said; <c>ordered</c>, <c>list</c>.</summary>
    internal string Comparison => (string?)json["compare"] ?? "";

    internal IReadOnlyList<string[]> Expected => [.. json["expected"]!.AsArray().Select(ids => IdsOf(ids!))];

    internal IReadOnlyList<string>? ExpectedBindings => json["bindings"]?.AsArray().Select(bindings => FoundMatch.TextOf(
        bindings!.AsObject().Select(one => (one.Key, IdsOf(one.Value!))))).ToArray();

    internal IReadOnlyList<FoundTimeout>? ExpectedTimeouts =>
        json["expected_timeouts"]?.AsArray().Select(one => new FoundTimeout(IdsOf(one!["events"]!), (long)one["ts"]!)).ToArray();

    /// <summary>The events in order of arrival, each with the key that <c>partition_by</c> makes of it.</summary>
    internal Row[] Rows
    {
        get
        {
            string[] partition = json["partition_by"] is { } by ? IdsOf(by) : [];
            return [.. json["events"]!.AsArray().Select(one => RowOf(one!.AsObject(), partition))];
        }
    }

    /// <summary>Reads a file of cases.</summary>
    internal static IReadOnlyList<Case> Read(string file)
    {
        using var stream = File.OpenRead(file);
        var root = JsonNode.Parse(stream, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
        var cases = root as JsonArray ?? root?["cases"] as JsonArray ?? throw new InvalidDataException($"{file} has no list of cases.");
        return [.. cases.Select(one => new Case(one!.AsObject()))];
    }

    internal static string[] IdsOf(JsonNode ids) => [.. ids.AsArray().Select(id => (string)id!)];

    private static Row RowOf(JsonObject one, string[] partition)
    {
        var fields = one.ToDictionary(field => field.Key, field => ValueOf(field.Value), StringComparer.Ordinal);
        string key = string.Join('|', partition.Select(name => fields.GetValueOrDefault(name).ToString()));
        return new Row((string)one["id"]!, (long)fields["ts"].Number, key, fields);
    }

    private static Value ValueOf(JsonNode? node) => node?.GetValueKind() switch
    {
        null or JsonValueKind.Null => Value.Null,
        JsonValueKind.String => Value.Of((string)node!),
        JsonValueKind.True => Value.Of(true),
        JsonValueKind.False => Value.Of(false),
        _ => Value.Of((double)node!),
    };
}
