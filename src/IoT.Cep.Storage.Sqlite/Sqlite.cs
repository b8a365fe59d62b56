using System.Diagnostics.CodeAnalysis;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Sinks that write results into tables of a SQLite file; name the file with <c>cep.Sqlite(file)</c>.</summary>
public static class Sqlite
{
    /// <summary>
    /// A table with one row per result and one column per public property of <typeparamref name="T"/>, named like the property
    /// with a lower-case first letter. It is created where it does not exist. Results that carry an identity (a window's or a
    /// match's) replace the row of the same identity; others are appended.
    /// </summary>
    /// <typeparam name="T">
    /// The result's type. Its properties are numbers, <see cref="bool"/>, <see cref="char"/>, <see cref="string"/>, dates and times,
    /// <see cref="TimeSpan"/> (stored as seconds), <see cref="Guid"/>, enums (by name), byte arrays, or the nullable forms of these.
    /// </typeparam>
    /// <param name="table">The table's name. Any text but one that begins with <c>sqlite_</c>; it is quoted.</param>
    /// <param name="connection">The connection's name, as given to <c>cep.Sqlite</c>.</param>
    /// <exception cref="ArgumentException">
    /// A name can't be used, or a property's type can't be stored; the message names it and the remedy.
    /// </exception>
    public static ISink<T> Table<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>(
        string table, string connection = Connections.Default) => new SqliteTable<T>(table, PropertyColumns.Of<T>(), connection);

    /// <summary>
    /// A table whose columns are listed one by one: <c>columns =&gt; columns.Add("sensor", r =&gt; r.Sensor).Add("max", r =&gt; r.Max)</c>.
    /// For results with nested members, other names, or computed columns.
    /// </summary>
    /// <typeparam name="T">The result's type; any.</typeparam>
    /// <param name="table">The table's name. Any text but one that begins with <c>sqlite_</c>; it is quoted.</param>
    /// <param name="columns">Lists the columns; called once, at once.</param>
    /// <param name="connection">The connection's name, as given to <c>cep.Sqlite</c>.</param>
    /// <exception cref="ArgumentException">A name can't be used, there is no column, or a column's type can't be stored.</exception>
    public static ISink<T> Table<T>(string table, Action<SqliteColumns<T>> columns, string connection = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(columns);
        var list = new SqliteColumns<T>();
        columns(list);
        return new SqliteTable<T>(table, list.ToPlan(), connection);
    }
}
