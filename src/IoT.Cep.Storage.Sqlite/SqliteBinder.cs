using System.Globalization;

namespace IoT.Cep;

/// <summary>How values of one type are stored: the column's type in SQLite and the call that hands a value to a statement.</summary>
internal sealed record SqliteBinder<TValue>(string Type, Action<SqliteStatement, int, TValue> Bind);

/// <summary>The types that SQLite can hold, and how.</summary>
internal static class SqliteBinder
{
    public const string Supported =
        "a number, bool, char, string, DateTimeOffset, DateTime, DateOnly, TimeOnly, TimeSpan, Guid, enum, byte[], or a nullable one of these";

    private const string Integer = "INTEGER", Real = "REAL", Text = "TEXT", Blob = "BLOB";

    private static readonly Dictionary<Type, object> _known = Known();

    /// <summary>The binder of a type, or null where it can't be stored.</summary>
    public static SqliteBinder<TValue>? Of<TValue>()
    {
        if (_known.TryGetValue(typeof(TValue), out object? binder))
        {
            return (SqliteBinder<TValue>)binder;
        }

        var type = Nullable.GetUnderlyingType(typeof(TValue)) ?? typeof(TValue);
        return type.IsEnum ? new SqliteBinder<TValue>(Text, BindEnum) : null;
    }

    /// <summary>The enum's binder for a member whose type is known only by reflection, read as its underlying number.</summary>
    public static SqliteBinder<TNumber> OfEnum<TNumber>(Type type)
        where TNumber : struct
    {
        var names = new Dictionary<TNumber, string>();
        return new SqliteBinder<TNumber>(Text, (s, i, value) =>
        {
            if (!names.TryGetValue(value, out string? name))
            {
                name = Enum.ToObject(type, value).ToString()!;

                // Undefined numbers could come from a device: they must not fill the table without end.
                if (names.Count < 1024)
                {
                    names[value] = name;
                }
            }

            s.Text(i, name);
        });
    }

    /// <summary>An enum that was boxed.</summary>
    public static SqliteBinder<object?> OfBoxedEnum() => new(Text, (s, i, value) => s.Text(i, value?.ToString()));

    /// <summary>A type's name as C# writes it, for messages.</summary>
    public static string NameOf(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return NameOf(inner) + "?";
        }

        int arity = type.Name.IndexOf('`', StringComparison.Ordinal);
        return arity < 0 ? type.Name : $"{type.Name[..arity]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>";
    }

    private static void BindEnum<TValue>(SqliteStatement statement, int parameter, TValue value) =>
        statement.Text(parameter, value?.ToString());

    private static Dictionary<Type, object> Known()
    {
        var known = new Dictionary<Type, object>();
        Struct<bool>(known, Integer, (s, i, v) => s.Integer(i, v ? 1 : 0));
        Struct<sbyte>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<byte>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<short>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<ushort>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<int>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<uint>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<long>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<ulong>(known, Integer, (s, i, v) => s.Integer(i, Signed(v)));
        Struct<nint>(known, Integer, (s, i, v) => s.Integer(i, v));
        Struct<nuint>(known, Integer, (s, i, v) => s.Integer(i, Signed(v)));
        Struct<Half>(known, Real, (s, i, v) => s.Real(i, (double)v));
        Struct<float>(known, Real, (s, i, v) => s.Real(i, v));
        Struct<double>(known, Real, (s, i, v) => s.Real(i, v));
        Struct<decimal>(known, Text, (s, i, v) => s.Formatted(i, v, ""));
        Struct<char>(known, Text, (s, i, v) => s.Text(i, v.ToString()));
        Struct<Guid>(known, Text, (s, i, v) => s.Formatted(i, v, "D"));
        Struct<DateTimeOffset>(known, Text, (s, i, v) => s.Formatted(i, v.UtcDateTime, "O"));
        Struct<DateTime>(known, Text, (s, i, v) => s.Formatted(i, Utc(v), "O"));
        Struct<DateOnly>(known, Text, (s, i, v) => s.Formatted(i, v, "O"));
        Struct<TimeOnly>(known, Text, (s, i, v) => s.Formatted(i, v, "O"));
        Struct<TimeSpan>(known, Real, (s, i, v) => s.Real(i, v.TotalSeconds));
        known[typeof(string)] = new SqliteBinder<string?>(Text, (s, i, v) => s.Text(i, v));
        known[typeof(byte[])] = new SqliteBinder<byte[]?>(Blob, (s, i, v) => s.Blob(i, v));
        return known;
    }

    private static void Struct<TValue>(Dictionary<Type, object> known, string type, Action<SqliteStatement, int, TValue> bind)
        where TValue : struct
    {
        known[typeof(TValue)] = new SqliteBinder<TValue>(type, bind);
        known[typeof(TValue?)] = new SqliteBinder<TValue?>(type, (s, i, v) =>
        {
            if (v is { } value)
            {
                bind(s, i, value);
            }
            else
            {
                s.Null(i);
            }
        });
    }

    private static long Signed(ulong value) => value <= long.MaxValue
        ? (long)value
        : throw new OverflowException($"SQLite's integers end at {long.MaxValue.ToString(CultureInfo.InvariantCulture)}");

    // A time without a zone is taken for UTC: the machine's own zone must not decide what is stored.
    private static DateTime Utc(DateTime time) =>
        time.Kind == DateTimeKind.Unspecified ? DateTime.SpecifyKind(time, DateTimeKind.Utc) : time.ToUniversalTime();
}
