namespace IoT.Cep;

/// <summary>
/// A table in memory whose rows are structs: they stand side by side instead of each in an object of its own, so a look-up among many rows waits for
/// memory once. It may change while queries read it: a reader sees a row as it was or as it is, never a mixture, and never waits.
/// </summary>
/// <remarks>
/// Changing it copies all its rows, since a struct can't be written at once: give changes together, or take a <see cref="Table{TKey, TRow}"/> where
/// single rows change often. A query sees a batch of events with the rows that there are when the batch begins.
/// </remarks>
/// <typeparam name="TKey">The key's type. Whole numbers that are dense, as device numbers are, find their rows without hashing.</typeparam>
/// <typeparam name="TRow">The row's type.</typeparam>
public sealed class ValueTable<TKey, TRow>
    where TKey : notnull
    where TRow : struct
{
    private readonly Lock _gate = new();
    private volatile RowSet<TKey, TRow?> _rows = new([]);

    /// <summary>An empty table.</summary>
    public ValueTable()
    {
    }

    /// <summary>A table with rows.</summary>
    /// <param name="rows">The rows.</param>
    public ValueTable(IEnumerable<KeyValuePair<TKey, TRow>> rows) => Replace(rows);

    /// <summary>How many rows it has.</summary>
    public int Count => _rows.Count;

    /// <summary>The rows as they are.</summary>
    internal RowSet<TKey, TRow?> Rows => _rows;

    /// <summary>The key's row, or null.</summary>
    /// <param name="key">The key.</param>
    public TRow? Find(TKey key) => _rows.Find(key);

    /// <summary>Puts these rows in place of all others, at once. Of two rows with one key the later counts.</summary>
    /// <param name="rows">The rows.</param>
    public void Replace(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var replaced = new RowSet<TKey, TRow?>(Slots(rows));
        lock (_gate)
        {
            _rows = replaced;
        }
    }

    /// <summary>Sets these rows and leaves the others, at once; the table is copied once.</summary>
    /// <param name="rows">The rows.</param>
    public void Set(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var slots = Slots(rows);
        lock (_gate)
        {
            _rows = _rows.With(slots);
        }
    }

    /// <summary>Sets one row; the table is copied.</summary>
    /// <param name="key">The key.</param>
    /// <param name="row">The row.</param>
    public void Set(TKey key, TRow row) => Set([KeyValuePair.Create(key, row)]);

    private static List<KeyValuePair<TKey, TRow?>> Slots(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        var slots = new List<KeyValuePair<TKey, TRow?>>();
        foreach (var (key, row) in rows)
        {
            slots.Add(KeyValuePair.Create(key, (TRow?)row));
        }

        return slots;
    }
}
