using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Projects each event; its time and its identity stay. Remembers nothing; late events pass like any other. A result that is taken back
    /// (<see cref="EventKind.Retract"/>) is not projected.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="selector">Called once for each event, on the thread that runs the query.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> Select<T, TResult>(
        this IEventStream<T> stream, Func<T, TResult> selector, [CallerArgumentExpression(nameof(selector))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(selector);
        return new SelectNode<T, TResult>(stream.Node, selector, $"Select {StreamExtensions.Shorten(text)}").ToStream();
    }
}

internal sealed record SelectNode<T, TResult>(StreamNode<T> Source, Func<T, TResult> Selector, string Line) : StreamNode<T, TResult>(Source)
{
    internal override string Text => Line;

    internal override void Build(Plan plan, Operator<TResult> next) =>
        Input.Build(plan, plan.Add(this, new SelectOperator<T, TResult>(next, plan.Query, Selector), next));
}

internal sealed class SelectOperator<T, TResult>(Operator<TResult> next, QueryContext query, Func<T, TResult> selector)
    : Operator<T, TResult>(next, query)
{
    private TResult[] _results = [];

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        var events = batch.Events;
        if (_results.Length < events.Length)
        {
            Pooled.Grow(ref _results, 0, Math.Max(events.Length, 1024));
        }

        var results = _results.AsSpan(0, events.Length);
        if (batch.Kinds.IsEmpty)
        {
            Project(events, results);
        }
        else
        {
            for (int i = 0; Retractions.TryNextRun(batch.Kinds, ref i, out var run, results);)
            {
                Project(events[run], results[run]);
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

    private void Project(ReadOnlySpan<T> events, Span<TResult> results)
    {
        var select = selector;
        for (int i = 0; i < events.Length; i++)
        {
            results[i] = select(events[i]);
        }
    }

    protected override void Release() => Pooled.Return(ref _results, _results.Length);
}
