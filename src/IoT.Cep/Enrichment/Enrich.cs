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
        return new EnrichNode<T, TKey, TRow, TResult>(stream.Node, table, key, result, StreamExtensions.Shorten(text)).ToStream();
    }
}

internal sealed record EnrichNode<T, TKey, TRow, TResult>(
    StreamNode<T> Source, ITable<TKey, TRow> Table, Func<T, TKey> Key, Func<T, TRow?, TResult> Result, string Lambda) : StreamNode<T, TResult>(Source)
    where TKey : notnull
    where TRow : class
{
    internal override string Text => $"Enrich by {Lambda}";

    internal override void Build(Plan plan, Operator<TResult> next) => Input.Build(
        plan, plan.Add(this, new EnrichOperator<T, TKey, TRow, TResult>(next, plan.Query, Table, Key, Result), next));
}

internal sealed class EnrichOperator<T, TKey, TRow, TResult>(
    Operator<TResult> next, QueryContext query, ITable<TKey, TRow> table, Func<T, TKey> key, Func<T, TRow?, TResult> result)
    : Operator<T, TResult>(next, query)
    where TKey : notnull
    where TRow : class
{
    private readonly Table<TKey, TRow>? _inMemory = table as Table<TKey, TRow>;
    private int[] _found = [];
    private TResult[] _results = [];

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        var events = batch.Events;
        Pooled.Ensure(ref _results, events.Length);
        var results = _results.AsSpan(0, events.Length);
        if (_inMemory is null)
        {
            for (int i = 0; i < events.Length; i++)
            {
                results[i] = result(events[i], table.Find(key(events[i])));
            }
        }
        else
        {
            Pooled.Ensure(ref _found, events.Length);
            _inMemory.Join(events, key, result, _found.AsSpan(0, events.Length), results);
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
}
