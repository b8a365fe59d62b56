using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The columns of a type's public properties. Reflection looks once, when the query is built; rows are read through open
/// delegates, or through <see cref="PropertyInfo.GetValue(object)"/> under Native AOT.
/// </summary>
internal static class PropertyColumns
{
    public static SqliteColumn<T>[] Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>()
    {
        var columns = new List<SqliteColumn<T>>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in typeof(T).GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            // A property that a derived type declares anew comes first and hides the inherited one, as in C#.
            if (property.GetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0 && seen.Add(property.Name))
            {
                columns.Add(Column<T>(property));
            }
        }

        return columns.Count > 0 ? [.. columns] : throw new ArgumentException(
            $"{SqliteBinder.NameOf(typeof(T))} has no public property to make columns of. Use a record, "
            + Advice(typeof(T), "value") + ".");
    }

    private static string Advice(Type type, string column) =>
        $"or list the columns yourself: Sqlite.Table<{SqliteBinder.NameOf(type)}>(table, columns => columns.Add(\"{column}\", r => ...))";

    private static SqliteColumn<T> Column<T>(PropertyInfo property)
    {
        string name = char.ToLowerInvariant(property.Name[0]) + property.Name[1..];
        return Known<T>(property, name) ?? Enumeration<T>(property, name) ?? throw new ArgumentException(
            $"{SqliteBinder.NameOf(typeof(T))}.{property.Name} is a {SqliteBinder.NameOf(property.PropertyType)}, which a column can't hold. "
            + $"Make it {SqliteBinder.Supported}, {Advice(typeof(T), name)}.");
    }

    private static SqliteColumn<T>? Known<T>(PropertyInfo property, string name) =>
        Struct<T, double>(property, name) ?? Struct<T, float>(property, name) ?? Struct<T, decimal>(property, name) ?? Struct<T, Half>(property, name)
        ?? Struct<T, int>(property, name) ?? Struct<T, long>(property, name) ?? Struct<T, uint>(property, name) ?? Struct<T, ulong>(property, name)
        ?? Struct<T, short>(property, name) ?? Struct<T, ushort>(property, name) ?? Struct<T, byte>(property, name) ?? Struct<T, sbyte>(property, name)
        ?? Struct<T, nint>(property, name) ?? Struct<T, nuint>(property, name) ?? Struct<T, bool>(property, name) ?? Struct<T, char>(property, name)
        ?? Struct<T, DateTimeOffset>(property, name) ?? Struct<T, DateTime>(property, name) ?? Struct<T, DateOnly>(property, name)
        ?? Struct<T, TimeOnly>(property, name) ?? Struct<T, TimeSpan>(property, name) ?? Struct<T, Guid>(property, name)
        ?? Exact<T, string?>(property, name) ?? Exact<T, byte[]?>(property, name);

    private static SqliteColumn<T>? Struct<T, TValue>(PropertyInfo property, string name)
        where TValue : struct => Exact<T, TValue>(property, name) ?? Exact<T, TValue?>(property, name);

    private static SqliteColumn<T>? Exact<T, TValue>(PropertyInfo property, string name) => property.PropertyType == typeof(TValue)
        ? new SqliteColumn<T, TValue>(name, Getter<T, TValue>(property), SqliteBinder.Of<TValue>()!)
        : null;

    private static SqliteColumn<T>? Enumeration<T>(PropertyInfo property, string name)
    {
        var type = property.PropertyType;
        if (!type.IsEnum)
        {
            return Nullable.GetUnderlyingType(type) is { IsEnum: true }
                ? new SqliteColumn<T, object?>(name, (in row) => property.GetValue(row), SqliteBinder.OfBoxedEnum())
                : null;
        }

        // A delegate may read an enum as its underlying number, so most enums are neither boxed nor formatted per row.
        return RuntimeFeature.IsDynamicCodeSupported && Enum.GetUnderlyingType(type) == typeof(int)
            ? new SqliteColumn<T, int>(name, Getter<T, int>(property), SqliteBinder.OfEnum<int>(type))
            : new SqliteColumn<T, object?>(name, (in row) => property.GetValue(row), SqliteBinder.OfBoxedEnum());
    }

    private static FieldGetter<T, TValue> Getter<T, TValue>(PropertyInfo property)
    {
        if (!RuntimeFeature.IsDynamicCodeSupported)
        {
            return (in row) => (TValue)property.GetValue(row)!;
        }

        // A struct's property takes its instance by reference, a class's by value.
        if (typeof(T).IsValueType)
        {
            return property.GetMethod!.CreateDelegate<FieldGetter<T, TValue>>();
        }

        var get = property.GetMethod!.CreateDelegate<Func<T, TValue>>();
        return (in row) => get(row);
    }
}
