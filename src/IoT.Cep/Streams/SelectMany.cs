using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Turns each event into any number of results, all with the event's time. The results have no identity: a store appends them.
    /// Remembers nothing; late events pass like any other. The enumerable that the selector makes is the caller's allocation.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="selector">Called once for each event, on the thread that runs the query.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> SelectMany<T, TResult>(
        this IEventStream<T> stream, Func<T, IEnumerable<TResult>> selector, [CallerArgumentExpression(nameof(selector))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(selector);
        if (stream.Node.IsUpdating)
        {
            throw new ArgumentException(
                "SelectMany loses the identity by which a later result corrects an earlier one. Use it before the window, or use a window without AllowLate.",
                nameof(stream));
        }

        return new SelectManyNode<T, TResult>(stream.Node, selector, StreamExtensions.Shorten(text)).ToStream();
    }
}

internal sealed record SelectManyNode<T, TResult>(StreamNode<T> Source, Func<T, IEnumerable<TResult>> Selector, string Lambda)
    : StreamNode<T, TResult>(Source)
{
    internal override string Text => $"SelectMany {Lambda}";

    internal override bool HasIdentity => false;

    internal override void Build(Plan plan, Operator<TResult> next) =>
        Input.Build(plan, plan.Add(this, new SelectManyOperator<T, TResult>(next, plan.Query, Selector), next));
}

internal sealed class SelectManyOperator<T, TResult>(Operator<TResult> next, QueryContext query, Func<T, IEnumerable<TResult>> selector)
    : Operator<T, TResult>(next, query)
{
    private readonly BatchBuilder<TResult> _output = new();

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        _output.Begin(batch.Length);
        for (int i = 0; i < batch.Length; i++)
        {
            foreach (var result in selector(batch.Events[i]))
            {
                _output.Ensure(_output.Count + 1);
                _output.Events[_output.Count] = result;
                _output.Ticks[_output.Count++] = batch.Ticks[i];
            }
        }

        if (_output.Count > 0)
        {
            Next.OnEvents(_output.Batch);
        }
    }

    protected override void Release() => _output.Dispose();
}
