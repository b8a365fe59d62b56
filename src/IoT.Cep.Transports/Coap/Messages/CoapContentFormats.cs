namespace IoT.Cep;

/// <summary>The numbers that CoAP writes instead of media types (IANA, CoAP Content-Formats).</summary>
internal static class CoapContentFormats
{
    internal const int Text = 0;
    internal const int LinkFormat = 40;

    private static readonly (int Number, string MediaType)[] _known =
    [
        (0, "text/plain; charset=utf-8"),
        (40, "application/link-format"),
        (41, "application/xml"),
        (42, "application/octet-stream"),
        (47, "application/exi"),
        (50, "application/json"),
        (51, "application/json-patch+json"),
        (52, "application/merge-patch+json"),
        (60, "application/cbor"),
        (61, "application/cwt"),
        (62, "application/multipart-core"),
        (63, "application/cbor-seq"),
        (64, "application/link-format+cbor"),
        (110, "application/senml+json"),
        (111, "application/sensml+json"),
        (112, "application/senml+cbor"),
        (113, "application/sensml+cbor"),
        (114, "application/senml-exi"),
        (115, "application/sensml-exi"),
        (310, "application/senml+xml"),
        (311, "application/sensml+xml"),
        (320, "application/senml-etch+json"),
        (322, "application/senml-etch+cbor"),
        (432, "application/td+json"),
    ];

    /// <summary>The media type of a number; null: unknown here.</summary>
    /// <param name="number">The content format.</param>
    internal static string? MediaType(int number)
    {
        foreach (var (known, mediaType) in _known)
        {
            if (known == number)
            {
                return mediaType;
            }
        }

        return null;
    }

    /// <summary>The number of a media type, whatever parameters it has; -1: it has none.</summary>
    /// <param name="mediaType">The media type.</param>
    internal static int Number(string mediaType)
    {
        var name = Name(mediaType);
        foreach (var (number, known) in _known)
        {
            if (name.Equals(Name(known), StringComparison.OrdinalIgnoreCase))
            {
                return number;
            }
        }

        return -1;
    }

    private static ReadOnlySpan<char> Name(string mediaType)
    {
        int end = mediaType.IndexOf(';', StringComparison.Ordinal);
        return (end < 0 ? mediaType : mediaType.AsSpan(0, end)).Trim();
    }
}
