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
        return new EnrichNode<T, TResult>(
            stream.Node,
            table is Table<TKey, TRow> rows
                ? (events, places, results) => rows.Join(events, key, result, places, results)
                : (events, _, results) => FindEach(table, events, key, result, results),
            StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>The same with a table whose rows are structs.</summary>
    /// <inheritdoc cref="Enrich{T, TKey, TRow, TResult}(IEventStream{T}, ITable{TKey, TRow}, Func{T, TKey}, Func{T, TRow, TResult}, string)"/>
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
        return new EnrichNode<T, TResult>(
            stream.Node, (events, places, results) => table.Join(events, key, result, places, results), StreamExtensions.Shorten(text)).ToStream();
    }

    private static void FindEach<T, TKey, TRow, TResult>(
        ITable<TKey, TRow> table, ReadOnlySpan<T> events, Func<T, TKey> key, Func<T, TRow?, TResult> result, Span<TResult> results)
        where TKey : notnull
        where TRow : class
    {
        for (int i = 0; i < events.Length; i++)
        {
            results[i] = result(events[i], table.Find(key(events[i])));
        }
    }
}

/// <summary>Joins a batch with a table's rows. The numbers are for the table's own use.</summary>
internal delegate void Join<T, TResult>(ReadOnlySpan<T> events, Span<int> places, Span<TResult> results);

internal sealed record EnrichNode<T, TResult>(StreamNode<T> Source, Join<T, TResult> Join, string Lambda) : StreamNode<T, TResult>(Source)
{
    internal override string Text => $"Enrich by {Lambda}";

    internal override void Build(Plan plan, Operator<TResult> next) =>
        Input.Build(plan, plan.Add(this, new EnrichOperator<T, TResult>(next, plan.Query, Join), next));
}

internal sealed class EnrichOperator<T, TResult>(Operator<TResult> next, QueryContext query, Join<T, TResult> join) : Operator<T, TResult>(next, query)
{
    private int[] _places = [];
    private TResult[] _results = [];

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        int count = batch.Length;
        Pooled.Ensure(ref _results, count);
        Pooled.Ensure(ref _places, count);
        var results = _results.AsSpan(0, count);
        if (batch.Kinds.IsEmpty)
        {
            join(batch.Events, _places.AsSpan(0, count), results);
        }
        else
        {
            for (int i = 0; Retractions.TryNextRun(batch.Kinds, ref i, out var run, results);)
            {
                join(batch.Events[run], _places.AsSpan(run), results[run]);
            }
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
        Pooled.Return(ref _places, 0);
    }
}
