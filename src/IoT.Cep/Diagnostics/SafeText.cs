using System.Globalization;
using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>Makes text from devices safe to show: in a terminal, a log line, a message.</summary>
public static class SafeText
{
    /// <summary>
    /// The text with control characters, bidirectional overrides and lone surrogates written as <c>\u001B</c>, cut to a length. It can neither
    /// move a cursor nor forge a log line. It is not markup-safe: escape for HTML or a markup language on top.
    /// </summary>
    /// <param name="text">The text; null gives "".</param>
    /// <param name="maxLength">The longest result; a longer one ends in an ellipsis.</param>
    public static string Escape(string? text, int maxLength = 256)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "";
        }

        int first = 0;
        while (first < text.Length && !IsUnsafe(text, first))
        {
            first++;
        }

        if (first == text.Length && text.Length <= maxLength)
        {
            return text;
        }

        var safe = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            string piece = IsUnsafe(text, i) ? "\\u" + ((int)text[i]).ToString("X4", CultureInfo.InvariantCulture) : text[i].ToString();
            if (safe.Length + piece.Length > maxLength - 1)
            {
                return safe.Append('…').ToString();
            }

            safe.Append(piece);
        }

        return safe.ToString();
    }

    /// <summary>The same for bytes that should be UTF-8.</summary>
    /// <param name="utf8">The bytes.</param>
    /// <param name="maxLength">The longest result.</param>
    public static string Escape(ReadOnlySpan<byte> utf8, int maxLength = 256) =>
        Escape(Encoding.UTF8.GetString(utf8.Length > maxLength ? utf8[..maxLength] : utf8), maxLength);

    private static bool IsUnsafe(string text, int i) => char.GetUnicodeCategory(text[i]) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned => true,
        UnicodeCategory.Surrogate => !(char.IsHighSurrogate(text[i]) ? i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])
            : i > 0 && char.IsHighSurrogate(text[i - 1])),
        _ => false,
    };
}
