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
    /// <summary>So many rows stay in a core's second cache, where a look-up waits for nothing and one pass is faster than two.</summary>
    private const int MaxCachedRows = 8_192;

    private readonly Lock _gate = new();
    private volatile KeyedMap<TKey, TRow?> _rows = new();

    /// <summary>An empty table.</summary>
    public Table()
    {
    }

    /// <summary>A table with rows.</summary>
    /// <param name="rows">The rows.</param>
    public Table(IEnumerable<KeyValuePair<TKey, TRow>> rows) => Replace(rows);

    /// <summary>How many rows it has.</summary>
    public int Count => _rows.Count;

    /// <inheritdoc/>
    public TRow? Find(TKey key)
    {
        var rows = _rows;
        int index = rows.IndexOf(key);
        return index < 0 ? null : rows.Entries[index].State;
    }

    /// <summary>
    /// Joins a batch with the rows that there are when it begins: look-ups first, so that those of several events wait for memory together.
    /// </summary>
    internal void Join<T, TResult>(
        ReadOnlySpan<T> events, Func<T, TKey> keyOf, Func<T, TRow?, TResult> make, Span<int> found, Span<TResult> results)
    {
        var rows = _rows;
        var view = new KeyedMap<TKey, TRow?>.View(rows);
        if (rows.Count <= MaxCachedRows)
        {
            for (int i = 0; i < events.Length && i < results.Length; i++)
            {
                ref readonly var value = ref events[i];
                int index = view.IndexOf(keyOf(value), out _);
                results[i] = make(value, index < 0 ? null : view.StateAt(index));
            }

            return;
        }

        for (int i = 0; i < events.Length && i < found.Length; i++)
        {
            found[i] = view.IndexOf(keyOf(events[i]), out _);
        }

        for (int i = 0; i < events.Length && i < found.Length && i < results.Length; i++)
        {
            int index = found[i];
            results[i] = make(events[i], index < 0 ? null : view.StateAt(index));
        }
    }

    /// <summary>Puts these rows in place of all others, at once.</summary>
    /// <param name="rows">The rows.</param>
    public void Replace(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        lock (_gate)
        {
            _rows = Copy(rows);
        }
    }

    /// <summary>Sets one row. A key that is there already costs one write; a new one copies the table, so set many by <see cref="Replace"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="row">The row.</param>
    public void Set(TKey key, TRow row)
    {
        lock (_gate)
        {
            int index = _rows.IndexOf(key);
            if (index >= 0)
            {
                Volatile.Write(ref _rows.Entries[index].State, row);
                return;
            }

            _rows = Copy(Rows().Append(KeyValuePair.Create(key, row)));
        }
    }

    private static KeyedMap<TKey, TRow?> Copy(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        var map = new KeyedMap<TKey, TRow?>();
        foreach (var (key, row) in rows)
        {
            map.GetOrAdd(key, out _) = row;
        }

        return map;
    }

    private List<KeyValuePair<TKey, TRow>> Rows()
    {
        var rows = new List<KeyValuePair<TKey, TRow>>(_rows.Count + 1);
        foreach (ref var entry in _rows.Entries)
        {
            rows.Add(KeyValuePair.Create(entry.Key, entry.State!));
        }

        return rows;
    }
}
