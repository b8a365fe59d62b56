namespace IoT.Cep.Conformance;

/// <summary>What running a case gave.</summary>
/// <param name="Matches">The matches, in the order in which they were given out.</param>
/// <param name="Timeouts">The partial matches whose time was over; null where nobody asked.</param>
/// <param name="Live">How many partial matches are left.</param>
/// <param name="Error">What stopped it, in the cases' words.</param>
internal sealed record CaseResult(IReadOnlyList<FoundMatch> Matches, IReadOnlyList<FoundTimeout>? Timeouts, int Live, string? Error)
{
    public override string ToString() => Error ?? $"{string.Join("  ", Matches)} live {Live}{(Timeouts is null ? "" : $" timeouts {string.Join(" ", Timeouts)}")}";
}

/// <summary>A match: its events in order, and which step took which.</summary>
internal sealed record FoundMatch(string[] Ids, string Bindings)
{
    private const char Bar = '|';

    internal static FoundMatch Parse(string text)
    {
        int bar = text.IndexOf(Bar, StringComparison.Ordinal);
        return new FoundMatch(text[..bar].Split(' '), text[(bar + 1)..]);
    }

    /// <summary>Bindings as one text: <c>a=e1,e2 b=e3</c>, in the order of the names.</summary>
    internal static string TextOf(IEnumerable<(string Name, string[] Ids)> bindings) => string.Join(' ', bindings
        .Where(one => one.Ids.Length > 0).OrderBy(one => one.Name, StringComparer.Ordinal).Select(one => $"{one.Name}={string.Join(',', one.Ids)}"));

    public override string ToString() => $"{string.Join(' ', Ids)}{Bar}{Bindings}";
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
