namespace IoT.Cep;

/// <summary>Rows by key, for <c>Enrich</c>. Asked on the thread that runs the query, so it must be quick and safe against its own changes.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="TRow">The row's type.</typeparam>
public interface ITable<in TKey, out TRow>
    where TKey : notnull
    where TRow : class
{
    /// <summary>The key's row, or null.</summary>
    /// <param name="key">The key.</param>
    TRow? Find(TKey key);
}

/// <summary>A table in memory that may change while queries read it: a reader sees a row as it was or as it is, and never waits.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="TRow">The row's type.</typeparam>
public sealed class Table<TKey, TRow> : ITable<TKey, TRow>
    where TKey : notnull
    where TRow : class
{
    private readonly Lock _gate = new();
    private volatile RowSet<TKey, TRow?> _rows = new([]);

    /// <summary>An empty table.</summary>
    public Table()
    {
    }

    /// <summary>A table with rows.</summary>
    /// <param name="rows">The rows.</param>
    public Table(IEnumerable<KeyValuePair<TKey, TRow>> rows) => Replace(rows);

    /// <summary>How many rows it has.</summary>
    public int Count => _rows.Count;

    /// <summary>The rows as they are.</summary>
    internal RowSet<TKey, TRow?> Rows => _rows;

    /// <inheritdoc/>
    public TRow? Find(TKey key) => _rows.Find(key);

    /// <summary>Puts these rows in place of all others, at once. Of two rows with one key the later counts.</summary>
    /// <param name="rows">The rows.</param>
    public void Replace(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var replaced = new RowSet<TKey, TRow?>([.. rows!]);
        lock (_gate)
        {
            _rows = replaced;
        }
    }

    /// <summary>Sets one row. A key that is there already costs one write; a new one may copy the table, so set many by <see cref="Replace"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="row">The row.</param>
    public void Set(TKey key, TRow row)
    {
        lock (_gate)
        {
            if (!_rows.TryReplace(key, row))
            {
                _rows = _rows.With([KeyValuePair.Create(key, (TRow?)row)]);
            }
        }
    }
}
