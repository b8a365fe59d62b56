using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Puts streams of one type together. Time is that of the slowest input; an input that has ended no longer holds it back, nor does one that is connected and idle, once it had an event. Events lose their identity: a
    /// store appends them.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="others">The other streams; all from one engine, or all in place.</param>
    public static IEventStream<T> Union<T>(this IEventStream<T> stream, params IEventStream<T>[] others)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(others);
        var inputs = others.Prepend(stream).Select(s => s.Node).ToArray();
        if (inputs.Any(node => node.Engine != inputs[0].Engine))
        {
            throw new ArgumentException("The streams of a Union begin at sources of one engine, or all of them in place.", nameof(others));
        }

        var union = new UnionNode<T>(inputs);
        if (union.IsUpdating)
        {
            throw new ArgumentException(
                "One of the streams may correct its results (AllowLate), and in a union a result can't be told from another stream's. Store them apart, or leave AllowLate out.",
                nameof(others));
        }

        return union.ToStream();
    }

    /// <summary>The same as <see cref="Union"/>, under Rx's name.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="other">The other stream.</param>
    public static IEventStream<T> Merge<T>(this IEventStream<T> stream, IEventStream<T> other) => stream.Union(other);
}

internal sealed record UnionNode<T>(StreamNode<T>[] Inputs) : StreamNode<T>
{
    internal override string Text => "Union";

    internal override CepEngine? Engine => Inputs[0].Engine;

    internal override int Depth => Inputs.Max(node => node.Depth);

    internal override bool IsStateless => Inputs.All(node => node.IsStateless);

    internal override bool IsUpdating => Inputs.Any(node => node.IsUpdating);

    internal override bool CanRetract => Inputs.Any(node => node.CanRetract);

    // Two inputs' windows of one key and time would be one row to a store.
    internal override bool HasIdentity => false;

    internal override void Build(Plan plan, Operator<T> next)
    {
        var union = plan.Add(this, new UnionOperator<T>(next, Inputs.Length), next);
        for (int i = 0; i < Inputs.Length; i++)
        {
            Inputs[i].Build(plan, plan.Gather(Inputs[i], Depth, union, union.Inputs[i]));
        }
    }
}

/// <summary>Passes events through and keeps the least watermark of its inputs.</summary>
internal sealed class UnionOperator<T> : Operator<T>
{
    private readonly Operator<T> _next;

    // State that checkpoints save.
    private readonly long[] _watermarks;
    private readonly bool[] _completed;
    private long _watermark = long.MinValue;

    internal UnionOperator(Operator<T> next, int inputs)
    {
        _next = next;
        _watermarks = new long[inputs];
        Array.Fill(_watermarks, long.MinValue);
        _completed = new bool[inputs];
        Inputs = [.. Enumerable.Range(0, inputs).Select(i => new Input(this, i))];
    }

    internal override bool IsStateful => true;

    internal IReadOnlyList<Operator<T>> Inputs { get; }

    internal override void OnEvents(in Batch<T> batch) => _next.OnEvents(new Batch<T>(batch.Events, batch.Ticks));

    internal override void OnWatermark(long watermark) => throw new System.Diagnostics.UnreachableException();

    internal override void OnCompleted() => throw new System.Diagnostics.UnreachableException();

    internal override void OnError(Exception error) => _next.OnError(error);

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_watermark);
        for (int i = 0; i < _watermarks.Length; i++)
        {
            writer.Int64(_watermarks[i]);
            writer.Boolean(_completed[i]);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = reader.Int64();
        for (int i = 0; i < _watermarks.Length; i++)
        {
            _watermarks[i] = reader.Int64();
            _completed[i] = reader.Boolean();
        }
    }

    private void Advance(int input, long watermark)
    {
        _watermarks[input] = Math.Max(_watermarks[input], watermark);
        long least = long.MaxValue;
        for (int i = 0; i < _watermarks.Length; i++)
        {
            least = _completed[i] ? least : Math.Min(least, _watermarks[i]);
        }

        if (least > _watermark && least != long.MaxValue)
        {
            _watermark = least;
            _next.OnWatermark(least);
        }
    }

    private void Complete(int input)
    {
        if (_completed[input])
        {
            return;
        }

        _completed[input] = true;
        if (_completed.AsSpan().Contains(false))
        {
            Advance(input, long.MinValue);
            return;
        }

        long last = _watermarks.Max();
        if (last > _watermark)
        {
            _next.OnWatermark(last);
        }

        _next.OnCompleted();
    }

    private sealed class Input(UnionOperator<T> union, int index) : Operator<T>
    {
        internal override void OnEvents(in Batch<T> batch) => union.OnEvents(in batch);

        internal override void OnWatermark(long watermark) => union.Advance(index, watermark);

        internal override void OnCompleted() => union.Complete(index);

        internal override void OnError(Exception error) => union.OnError(error);
    }
}
