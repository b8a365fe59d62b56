namespace IoT.Cep.Conformance;

/// <summary>What running a case gave.</summary>
/// <param name="Matches">The matches, in the order in which they were given out.</param>
/// <param name="Timeouts">The partial matches whose time was over; null where nobody asked.</param>
/// <param name="Live">How many partial matches are left; null where nobody counted.</param>
/// <param name="Error">What stopped it, in the cases' words.</param>
internal sealed record CaseResult(IReadOnlyList<FoundMatch> Matches, IReadOnlyList<FoundTimeout>? Timeouts, int? Live, string? Error)
{
    public override string ToString() => Error ?? $"{string.Join("  ", Matches)} live {Live}{(Timeouts is null ? "" : $" timeouts {string.Join(" ", Timeouts)}")}";
}

/// <summary>A match: its events in order, which step took which, and of rows the variable of each and the measures.</summary>
internal sealed record FoundMatch(string[] Ids, string Bindings, string Variables = "", string Measures = "")
{
    private const char Bar = '|';

    internal static FoundMatch Parse(string text) => text.Split(Bar) is [var ids, var bindings, var variables, var measures]
        ? new FoundMatch(ids.Split(' '), bindings, variables, measures)
        : throw new FormatException($"'{text}' is no match.");

    /// <summary>Bindings as one text: <c>a=e1,e2 b=e3</c>, in the order of the names.</summary>
    internal static string TextOf(IEnumerable<(string Name, string[] Ids)> bindings) => string.Join(' ', bindings
        .Where(one => one.Ids.Length > 0).OrderBy(one => one.Name, StringComparer.Ordinal).Select(one => $"{one.Name}={string.Join(',', one.Ids)}"));

    /// <summary>Measures as one text, in the order of their names.</summary>
    internal static string TextOf(IEnumerable<(string Name, Value Value)> measures) =>
        string.Join(' ', measures.OrderBy(one => one.Name, StringComparer.Ordinal).Select(one => $"{one.Name}={one.Value}"));

    public override string ToString() => $"{string.Join(' ', Ids)}{Bar}{Bindings}{Bar}{Variables}{Bar}{Measures}";
}

/// <summary>A partial match whose time was over, and when that was.</summary>
internal sealed record FoundTimeout(string[] Ids, long Ms)
{
    internal static FoundTimeout Parse(string text)
    {
        int at = text.LastIndexOf('@');
        return new FoundTimeout(text[..at].Split(' '), long.Parse(text[(at + 1)..], System.Globalization.CultureInfo.InvariantCulture));
    }

    public override string ToString() => $"{string.Join(' ', Ids)}@{Ms}";
}
