using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What several streams come out of. The identity of this object is what they have in common: a query that uses several of them runs one operator.</summary>
internal abstract class Fork<T>(StreamNode<T> input)
{
    internal StreamNode<T> Input => input;

    /// <summary>The line that <c>Explain</c> prints where a query uses more than one output.</summary>
    internal abstract string Text { get; }

    internal abstract ForkOperator<T> Make(Operator<T> first, QueryContext query);
}

/// <summary>An operator with several outputs, on which time is the same. Events that nobody asked for go nowhere.</summary>
/// <remarks>An error goes down one output only: all of them end at the query's one sink.</remarks>
internal abstract class ForkOperator<T>(int outputs, Operator<T> first, QueryContext query) : Operator<T, T>(first, query)
{
    private readonly Operator<T>[][] _outputs = [.. Enumerable.Repeat(Array.Empty<Operator<T>>(), outputs)];

    internal void Attach(int output, Operator<T> next) => _outputs[output] = [.. _outputs[output], next];

    protected bool IsUsed(int output) => _outputs[output].Length > 0;

    protected void Emit(int output, in Batch<T> batch)
    {
        if (batch.Length == 0)
        {
            return;
        }

        foreach (var next in _outputs[output])
        {
            next.OnEvents(in batch);
        }
    }

    protected override void Advance(long watermark)
    {
        foreach (var output in _outputs)
        {
            foreach (var next in output)
            {
                next.OnWatermark(watermark);
            }
        }
    }

    internal override void OnReleased(bool isReleased)
    {
        foreach (var output in _outputs)
        {
            foreach (var next in output)
            {
                next.OnReleased(isReleased);
            }
        }
    }

    protected override void Complete()
    {
        foreach (var output in _outputs)
        {
            foreach (var next in output)
            {
                next.OnCompleted();
            }
        }
    }
}
