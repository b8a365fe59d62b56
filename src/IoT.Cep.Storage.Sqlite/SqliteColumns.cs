namespace IoT.Cep;

/// <summary>Lists a table's columns for <c>Sqlite.Table(name, columns =&gt; ...)</c>.</summary>
/// <typeparam name="T">The result's type.</typeparam>
public sealed class SqliteColumns<T>
{
    private readonly List<SqliteColumn<T>> _columns = [];

    internal SqliteColumns()
    {
    }

    /// <summary>Adds a column.</summary>
    /// <typeparam name="TValue">The value's type, one of those that <c>Sqlite.Table&lt;T&gt;</c> lists.</typeparam>
    /// <param name="name">The column's name as it stands in the table; it is quoted.</param>
    /// <param name="value">Gives a result's value; if it throws, the row becomes a dead letter.</param>
    /// <exception cref="ArgumentException">The name can't be used or stands twice, or the type can't be stored.</exception>
    public SqliteColumns<T> Add<TValue>(string name, Func<T, TValue> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var binder = SqliteBinder.Of<TValue>() ?? throw new ArgumentException(
            $"The column '{name}' is a {SqliteBinder.NameOf(typeof(TValue))}, which SQLite can't hold. Store {SqliteBinder.Supported}.", nameof(value));
        _columns.Add(new SqliteColumn<T, TValue>(name, (in row) => value(row), binder));
        return this;
    }

    internal SqliteColumn<T>[] ToPlan() => _columns.Count > 0
        ? [.. _columns]
        : throw new ArgumentException("A table needs a column. Add one: columns => columns.Add(\"sensor\", r => r.Sensor).");
}
