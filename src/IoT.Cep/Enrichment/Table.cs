using System.Runtime.CompilerServices;

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

/// <summary>
/// A table in memory that may change while queries read it: a reader sees a row as it was or as it is, and never waits. Where rows are structs, see
/// <see cref="ValueTable{TKey, TRow}"/>.
/// </summary>
/// <remarks>A key that is a whole number, as device numbers are, says itself where its row stands as long as the keys are dense.</remarks>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="TRow">The row's type.</typeparam>
public sealed class Table<TKey, TRow> : ITable<TKey, TRow>
    where TKey : notnull
    where TRow : class
{
    private readonly Lock _gate = new();
    private volatile RowIndex<TKey, TRow> _index = new([]);

    /// <summary>An empty table.</summary>
    public Table()
    {
    }

    /// <summary>A table with rows; of several with one key the last.</summary>
    /// <param name="rows">The rows.</param>
    public Table(IEnumerable<KeyValuePair<TKey, TRow>> rows) => Replace(rows);

    /// <summary>How many rows it has.</summary>
    public int Count => _index.Count;

    /// <inheritdoc/>
    public TRow? Find(TKey key)
    {
        var index = _index;
        int place = index.PlaceOf(key);
        return place < 0 ? null : index.Rows[place];
    }

    /// <summary>Joins a batch with the rows that there are when it begins.</summary>
    internal void Join<T, TResult>(
        ReadOnlySpan<T> events, Func<T, TKey> keyOf, Func<T, TRow?, TResult> make, Span<int> places, Span<TResult> results)
    {
        var index = _index;
        if (index.TryView(out var view))
        {
            JoinDirect(events, keyOf, make, view, results);
            return;
        }

        var rows = index.Rows;
        if (index.IsCached)
        {
            for (int i = 0; i < events.Length && i < results.Length; i++)
            {
                int place = index.PlaceOf(keyOf(events[i]));
                results[i] = make(events[i], (uint)place < (uint)rows.Length ? rows[place] : null);
            }

            return;
        }

        index.FindPlaces(events, keyOf, places);
        for (int i = 0; i < events.Length && i < places.Length && i < results.Length; i++)
        {
            int place = places[i];
            results[i] = make(events[i], (uint)place < (uint)rows.Length ? rows[place] : null);
        }
    }

    /// <summary>The loop that joins by device number spend their time in.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void JoinDirect<T, TResult>(
        ReadOnlySpan<T> events, Func<T, TKey> keyOf, Func<T, TRow?, TResult> make, RowIndex<TKey, TRow>.DirectView view, Span<TResult> results)
    {
        for (int i = 0; i < events.Length && i < results.Length; i++)
        {
            Ahead.Prefetch(in events[i]);
            ulong place = WholeNumber.Of(keyOf(events[i]));
            results[i] = make(events[i], view.Has(place) ? view.At(place) : null);
        }
    }

    /// <summary>Puts these rows in place of all others, at once.</summary>
    /// <param name="rows">The rows.</param>
    public void Replace(IEnumerable<KeyValuePair<TKey, TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        lock (_gate)
        {
            _index = new RowIndex<TKey, TRow>(rows);
        }
    }

    /// <summary>Sets one row. A key that is there already costs one write; a new one copies the table, so set many by <see cref="Replace"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="row">The row.</param>
    public void Set(TKey key, TRow row)
    {
        lock (_gate)
        {
            int place = _index.PlaceOf(key);
            if (place >= 0)
            {
                Volatile.Write(ref _index.Rows[place], row);
                return;
            }

            _index = new RowIndex<TKey, TRow>(_index.Pairs().Append(KeyValuePair.Create(key, row)));
        }
    }
}
