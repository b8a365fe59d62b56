namespace IoT.Reference.Portal.Api;

/// <summary>Addresses of the layers, from words that come from the network.</summary>
internal static class Paths
{
    /// <summary>A path; each of its parts is escaped.</summary>
    internal static string Of(string first, params ReadOnlySpan<string> parts)
    {
        string path = first;
        foreach (string part in parts)
        {
            // Dots would be taken for another level, escaped or not.
            path += "/" + (part is "." or ".." ? throw new BadHttpRequestException("This name is not possible.") : Uri.EscapeDataString(part));
        }

        return path;
    }

    /// <summary>A path with the parameters that are given.</summary>
    internal static string With(this string path, params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var query = QueryString.Empty;
        foreach (var (name, value) in parameters)
        {
            if (!string.IsNullOrEmpty(value))
            {
                query = query.Add(name, value);
            }
        }

        return path + query;
    }
}
