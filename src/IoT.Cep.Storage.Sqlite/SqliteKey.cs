using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace IoT.Cep;

/// <summary>
/// A result's key as text. Two keys of one stream never have the same text, whatever a device puts into its name:
/// otherwise one device could overwrite another's rows. And equal keys have the same text: 1.0 and 1.00, 0.0 and -0.0.
/// </summary>
internal static class SqliteKey
{
    /// <summary>The text of a key; "" where the stream has none.</summary>
    /// <exception cref="NotSupportedException">The key's type has no such text, or the text can't be stored.</exception>
    public static string Of(object? key) => key switch
    {
        null or Unit => "",
        string text => Whole(text),
        ITuple tuple => OfTuple(tuple),
        bool flag => flag ? "true" : "false",
        char one => Whole(one.ToString()),
        DateTimeOffset time => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        DateTime time => new DateTime(time.Ticks, DateTimeKind.Unspecified).ToString("O", CultureInfo.InvariantCulture),
        DateOnly or TimeOnly => ((IFormattable)key).ToString("O", CultureInfo.InvariantCulture),
        Enum value => value.ToString(),
        decimal value => value.ToString("G29", CultureInfo.InvariantCulture),
        0.0 or 0.0f => "0",
        IFormattable value => Whole(value.ToString(null, CultureInfo.InvariantCulture)),
        _ => throw new NotSupportedException(
            $"a key of type {SqliteBinder.NameOf(key.GetType())} has no text of its own that SQLite could tell keys apart by: "
            + "key by a string, a number, a Guid, an enum or a tuple of these, or implement IFormattable"),
    };

    // ("a", "b, c") and ("a, b", "c") differ only if the parts are quoted.
    private static string OfTuple(ITuple tuple)
    {
        var text = new StringBuilder("[");
        for (int i = 0; i < tuple.Length; i++)
        {
            if (i > 0)
            {
                text.Append(',');
            }

            text.Append(tuple[i] is { } part ? Quoted(Of(part)) : "null");
        }

        return text.Append(']').ToString();
    }

    private static string Quoted(string part) => string.Concat(
        "\"", part.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal), "\"");

    private static string Whole(string text)
    {
        for (int i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !char.IsSurrogatePair(text, i++))
            {
                throw new NotSupportedException("the key holds half a surrogate pair, which SQLite's UTF-8 can't tell from any other half");
            }
        }

        return text;
    }
}
