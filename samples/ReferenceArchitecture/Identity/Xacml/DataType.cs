using System.Globalization;
using System.Xml;

namespace IoT.Reference.Identity.Xacml;

/// <summary>The types of XACML 3.0 that policies here may use.</summary>
internal enum DataType
{
    String,
    Boolean,
    Integer,
    Double,
    Time,
    Date,
    DateTime,
    Uri,
    Duration,
}

/// <summary>What a type is called, and how its values are read. A value is a string, bool, long, double, <see cref="TimeOnly"/>, <see cref="DateOnly"/>, <see cref="DateTimeOffset"/> or <see cref="TimeSpan"/>.</summary>
internal static class DataTypes
{
    private const string Schema = "http://www.w3.org/2001/XMLSchema#";

    /// <summary>The type as functions' names begin: <c>dateTime-equal</c>.</summary>
    internal static IReadOnlyList<(DataType Type, string Name)> Named { get; } =
    [
        (DataType.String, "string"), (DataType.Boolean, "boolean"), (DataType.Integer, "integer"), (DataType.Double, "double"), (DataType.Time, "time"),
        (DataType.Date, "date"), (DataType.DateTime, "dateTime"), (DataType.Uri, "anyURI"), (DataType.Duration, "dayTimeDuration"),
    ];

    internal static DataType? Of(string uri)
    {
        if (uri.StartsWith(Schema, StringComparison.Ordinal))
        {
            foreach (var (type, name) in Named)
            {
                if (uri.AsSpan(Schema.Length).SequenceEqual(name))
                {
                    return type;
                }
            }
        }

        return null;
    }

    internal static string NameOf(DataType type) => Named[(int)type].Name;

    /// <exception cref="FormatException">The text is no value of the type.</exception>
    internal static object Parse(DataType type, string text) => type switch
    {
        DataType.String => text,
        DataType.Boolean => Boxed(XmlConvert.ToBoolean(text.Trim())),
        DataType.Integer => XmlConvert.ToInt64(text.Trim()),
        DataType.Double => XmlConvert.ToDouble(text.Trim()),
        DataType.Time => ParseTime(text.Trim()),
        DataType.Date => DateOnly.ParseExact(text.Trim()[..Math.Min(10, text.Trim().Length)], "yyyy-MM-dd", CultureInfo.InvariantCulture),
        DataType.DateTime => DateTimeOffset.Parse(text.Trim(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).ToUniversalTime(),
        DataType.Uri => text.Trim(),
        _ => XmlConvert.ToTimeSpan(text.Trim()),
    };

    internal static string Write(object value) => value switch
    {
        bool b => b ? "true" : "false",
        double d => XmlConvert.ToString(d),
        TimeSpan t => XmlConvert.ToString(t),
        DateTimeOffset t => t.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture),
        TimeOnly t => t.ToString("HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        DateOnly d => d.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    internal static object Boxed(bool value) => value ? True : False;

    internal static object True { get; } = true;

    internal static object False { get; } = false;

    // As UTC: a zone in it is taken off, without one it is UTC.
    private static object ParseTime(string text) =>
        TimeOnly.FromDateTime(DateTimeOffset.Parse("2000-01-01T" + text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).UtcDateTime);
}
