namespace IoT.Cep;

/// <summary>One column of a table: its name, its type in SQLite, and how a result's value gets into a statement.</summary>
internal abstract class SqliteColumn<T>(string name, string type)
{
    public string Name => name;

    public string Type => type;

    public abstract void Bind(SqliteStatement statement, int parameter, in T row);
}

/// <summary>A column of a known type: two delegate calls per value and no boxing.</summary>
internal sealed class SqliteColumn<T, TValue>(string name, FieldGetter<T, TValue> get, SqliteBinder<TValue> binder)
    : SqliteColumn<T>(name, binder.Type)
{
    private readonly FieldGetter<T, TValue> _get = get;
    private readonly Action<SqliteStatement, int, TValue> _bind = binder.Bind;

    public override void Bind(SqliteStatement statement, int parameter, in T row) => _bind(statement, parameter, _get(in row));
}
