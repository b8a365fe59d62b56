using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Joins each event with a row of a table as it is at that moment. Remembers nothing; late events pass like any other. The row is null where
    /// the table has none.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The table's key.</typeparam>
    /// <typeparam name="TRow">The table's row.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="table">The table.</param>
    /// <param name="key">The key of an event's row.</param>
    /// <param name="result">Makes the result of an event and its row.</param>
    /// <param name="text">The key's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> Enrich<T, TKey, TRow, TResult>(
        this IEventStream<T> stream, ITable<TKey, TRow> table, Func<T, TKey> key, Func<T, TRow?, TResult> result,
        [CallerArgumentExpression(nameof(key))] string text = "")
        where TKey : notnull
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(result);
        Func<RowSet<TKey, TRow?>>? rows = table is Table<TKey, TRow> inMemory ? () => inMemory.Rows : null;
        return new EnrichNode<T, TKey, TRow?, TResult>(stream.Node, rows, table.Find, key, result, StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>The same with a table of structs.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The table's key.</typeparam>
    /// <typeparam name="TRow">The table's row.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="table">The table.</param>
    /// <param name="key">The key of an event's row.</param>
    /// <param name="result">Makes the result of an event and its row.</param>
    /// <param name="text">The key's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> Enrich<T, TKey, TRow, TResult>(
        this IEventStream<T> stream, ValueTable<TKey, TRow> table, Func<T, TKey> key, Func<T, TRow?, TResult> result,
        [CallerArgumentExpression(nameof(key))] string text = "")
        where TKey : notnull
        where TRow : struct
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(result);
        return new EnrichNode<T, TKey, TRow?, TResult>(
            stream.Node, () => table.Rows, table.Find, key, result, StreamExtensions.Shorten(text)).ToStream();
    }
}

/// <summary>Joins with the rows in memory, where <paramref name="Rows"/> gives such, or by asking for each.</summary>
internal sealed record EnrichNode<T, TKey, TSlot, TResult>(
    StreamNode<T> Source, Func<RowSet<TKey, TSlot>>? Rows, Func<TKey, TSlot> Find, Func<T, TKey> Key, Func<T, TSlot, TResult> Result, string Lambda)
    : StreamNode<T, TResult>(Source)
    where TKey : notnull
{
    internal override string Text => $"Enrich by {Lambda}";

    internal override void Build(Plan plan, Operator<TResult> next) => Input.Build(
        plan, plan.Add(this, new EnrichOperator<T, TKey, TSlot, TResult>(next, plan.Query, Rows, Find, Key, Result), next));
}

internal sealed class EnrichOperator<T, TKey, TSlot, TResult>(
    Operator<TResult> next, QueryContext query, Func<RowSet<TKey, TSlot>>? rows, Func<TKey, TSlot> find, Func<T, TKey> key, Func<T, TSlot, TResult> result)
    : Operator<T, TResult>(next, query)
    where TKey : notnull
{
    // So many rows stay in a core's second cache, where a look-up waits for nothing and one pass is faster than two.
    private const int MaxCachedRows = 8_192;

    private int[] _found = [];
    private TResult[] _results = [];

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        var events = batch.Events;
        Pooled.Ensure(ref _results, events.Length);
        var results = _results.AsSpan(0, events.Length);
        if (rows is null)
        {
            for (int i = 0; i < events.Length; i++)
            {
                results[i] = result(events[i], find(key(events[i])));
            }
        }
        else if (rows() is { Hashed: { } hashed })
        {
            JoinHashed(events, hashed, results);
        }
        else
        {
            JoinDirect(events, rows().Places);
        }

        Next.OnEvents(new Batch<TResult>(results, batch.Ticks)
        {
            Ids = batch.Ids,
            Kinds = batch.Kinds,
            Groups = batch.Groups,
            IsSorted = batch.IsSorted,
        });
    }

    protected override void Release()
    {
        Pooled.Return(ref _results, _results.Length);
        Pooled.Return(ref _found, 0);
    }

    /// <summary>What this loop needs over a call fits the registers that calls leave alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void JoinDirect(ReadOnlySpan<T> events, TSlot[] places)
    {
        var keyOf = key;
        for (int i = 0; i < events.Length; i++)
        {
            Ahead.Prefetch(in events[i]);
            ulong place = WholeNumber.Of(keyOf(events[i]));
            var made = result(events[i], place < (ulong)places.Length ? places[place] : default!);
            _results[i] = made;
        }
    }

    private void JoinHashed(ReadOnlySpan<T> events, KeyedMap<TKey, TSlot> rows, Span<TResult> results)
    {
        var view = new KeyedMap<TKey, TSlot>.View(rows);
        var keyOf = key;
        if (rows.Count <= MaxCachedRows)
        {
            for (int i = 0; i < events.Length && i < results.Length; i++)
            {
                int index = view.IndexOf(keyOf(events[i]), out _);
                results[i] = result(events[i], index < 0 ? default! : view.StateAt(index));
            }

            return;
        }

        // Look-ups first, so that those of several events wait for memory together.
        Pooled.Ensure(ref _found, events.Length);
        var found = _found.AsSpan(0, events.Length);
        for (int i = 0; i < events.Length && i < found.Length; i++)
        {
            found[i] = view.IndexOf(keyOf(events[i]), out _);
        }

        for (int i = 0; i < events.Length && i < found.Length && i < results.Length; i++)
        {
            int index = found[i];
            results[i] = result(events[i], index < 0 ? default! : view.StateAt(index));
        }
    }
}
