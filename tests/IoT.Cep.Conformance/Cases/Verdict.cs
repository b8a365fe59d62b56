namespace IoT.Cep.Conformance;

/// <summary>Compares what a case gave with what it expects, by the cases' own rules.</summary>
internal static class Verdict
{
    /// <summary>What is wrong; nothing where the case passes.</summary>
    internal static IReadOnlyList<string> Of(Case one, CaseResult result)
    {
        if (one.ExpectedError is { } error)
        {
            return result.Error == error ? [] : [$"expected the error {error}, but got {result.Error ?? "none"}"];
        }

        if (result.Error is not null)
        {
            return [$"stopped with the error {result.Error}"];
        }

        var complaints = new List<string>();
        Compare(complaints, "matches", one.Expected.Select(ids => TextOf(one, ids)), result.Matches.Select(match => TextOf(one, match.Ids)), one.Comparison == "list");
        if (one.ExpectedBindings is { } bindings)
        {
            Compare(complaints, "bindings", bindings, result.Matches.Select(match => match.Bindings), isList: false);
        }

        if (one.ExpectedTimeouts is { } timeouts)
        {
            Compare(complaints, "timeouts", timeouts.Select(SetText).Distinct(), (result.Timeouts ?? []).Select(SetText).Distinct(), isList: false);
        }

        if (one.ExpectedLive is { } live && live != result.Live)
        {
            complaints.Add($"expected {live} live partial matches, but got {result.Live}");
        }

        return complaints;
    }

    /// <summary>What differs between two results for the same case: everything that both say.</summary>
    internal static string? Difference(CaseResult expected, CaseResult actual)
    {
        if (expected.Error is not null || actual.Error is not null)
        {
            return expected.Error == actual.Error ? null : $"expected the error {expected.Error ?? "none"}, but got {actual.Error ?? "none"}";
        }

        var complaints = new List<string>();
        Compare(complaints, "matches", expected.Matches.Select(match => $"{match}"), actual.Matches.Select(match => $"{match}"), isList: false);
        if (expected.Timeouts is { } wanted && actual.Timeouts is { } got)
        {
            Compare(complaints, "timeouts", wanted.Select(one => $"{one}").Distinct(), got.Select(one => $"{one}").Distinct(), isList: false);
        }

        // The library need not look at an event of which no condition is true: a partial match may go on as one where the reference has several already.
        if (actual.Live > expected.Live || (actual.Live == 0) != (expected.Live == 0))
        {
            complaints.Add($"expected {expected.Live} live partial matches, but got {actual.Live}");
        }

        return complaints.Count == 0 ? null : string.Join("; ", complaints);
    }

    private static string TextOf(Case one, string[] ids) => string.Join(' ', one.Comparison is "ordered" or "list" ? ids : ids.Order(StringComparer.Ordinal));

    private static string SetText(FoundTimeout timeout) => $"{string.Join(' ', timeout.Ids.Order(StringComparer.Ordinal))}@{timeout.Ms}";

    private static void Compare(List<string> complaints, string what, IEnumerable<string> expected, IEnumerable<string> actual, bool isList)
    {
        string[] wanted = [.. isList ? expected : expected.Order(StringComparer.Ordinal)];
        string[] got = [.. isList ? actual : actual.Order(StringComparer.Ordinal)];
        if (!wanted.SequenceEqual(got))
        {
            complaints.Add($"{what}: expected [{string.Join("] [", wanted)}], but got [{string.Join("] [", got)}]; missing [{Less(wanted, got)}], too many [{Less(got, wanted)}]");
        }
    }

    private static string Less(IEnumerable<string> left, IEnumerable<string> right)
    {
        var rest = left.ToList();
        foreach (string one in right)
        {
            rest.Remove(one);
        }

        return string.Join("] [", rest);
    }
}
