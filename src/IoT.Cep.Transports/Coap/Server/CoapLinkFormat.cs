using System.Globalization;
using System.Text;

namespace IoT.Cep;

/// <summary>A resource in a list of links (RFC 6690).</summary>
/// <param name="Path">Its path, without a slash in front.</param>
internal sealed record CoapLinkDescription(string Path)
{
    /// <summary>What it is about (rt), words separated by blanks.</summary>
    internal string? ResourceType { get; init; }

    /// <summary>How it is used (if).</summary>
    internal string? Interface { get; init; }

    /// <summary>Its content format (ct).</summary>
    internal int? ContentFormat { get; init; }

    /// <summary>Whether it can be observed (obs).</summary>
    internal bool IsObservable { get; init; }

    /// <summary>Whether a query lets it through: <c>rt=temperature</c>, <c>href=/plant*</c>; what is no filter hides nothing.</summary>
    /// <param name="query">The query.</param>
    internal bool Matches(string query)
    {
        int equals = query.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            return true;
        }

        string wanted = query[(equals + 1)..];
        return query[..equals] switch
        {
            "href" => MatchesOne("/" + Path, wanted),
            "rt" => MatchesWord(ResourceType, wanted),
            "if" => MatchesWord(Interface, wanted),
            "ct" => MatchesWord(ContentFormat?.ToString(CultureInfo.InvariantCulture), wanted),
            "obs" => IsObservable,

            // No link has this attribute.
            _ => false,
        };
    }

    private static bool MatchesWord(string? words, string wanted)
    {
        foreach (string word in (words ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (MatchesOne(word, wanted))
            {
                return true;
            }
        }

        return false;
    }

    private static bool MatchesOne(string value, string wanted) =>
        wanted.EndsWith('*') ? value.StartsWith(wanted.AsSpan(0, wanted.Length - 1), StringComparison.Ordinal) : value == wanted;
}

/// <summary>Writes lists of links.</summary>
internal static class CoapLinkFormat
{
    internal static byte[] Write(IEnumerable<CoapLinkDescription> links)
    {
        var text = new StringBuilder();
        foreach (var link in links)
        {
            text.Append(text.Length == 0 ? "" : ",").Append("</").Append(Escape(link.Path)).Append('>');
            Attribute(text, "rt", link.ResourceType);
            Attribute(text, "if", link.Interface);
            if (link.ContentFormat is { } format)
            {
                text.Append(CultureInfo.InvariantCulture, $";ct={format}");
            }

            text.Append(link.IsObservable ? ";obs" : "");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Attribute(StringBuilder text, string name, string? value)
    {
        if (value is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $";{name}=\"").Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }
    }

    // The braces of a template stay, so that people can read which places there are: a link list is for them as well (RFC 6570 writes them so).
    private static string Escape(string path) =>
        string.Join('/', path.Split('/').Select(static s => Uri.EscapeDataString(Uri.UnescapeDataString(s)).Replace("%7B", "{", StringComparison.Ordinal).Replace("%7D", "}", StringComparison.Ordinal)));
}
