using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Puts streams of one type together. Time is that of the slowest input; an input that has ended no longer holds it back, nor does one of whose source nothing was heard for the idle bound since it began, or that had no
    /// connection for so long: when it speaks again its events may be late. Events lose their identity: a store appends them.
    /// </summary>
    /// <remarks>
    /// Where inputs are branches of one source and one of them has been through a window, a pattern or the like, events come out in order of time (equal
    /// times by key group, then by input), and each waits until all those branches have reached it: up to 1,000,000 events, beyond which the earliest
    /// is given out. Events of different sources, and of branches without state, come out as they arrive.
    /// </remarks>
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

    internal override object Origin => Inputs.All(node => ReferenceEquals(node.Origin, Inputs[0].Origin)) ? Inputs[0].Origin : this;

    internal override void Build(Plan plan, Operator<T> next)
    {
        var union = plan.Add(this, new UnionOperator<T>(next, Branches()), next);
        for (int i = 0; i < Inputs.Length; i++)
        {
            Inputs[i].Build(plan, plan.Gather(Inputs[i], Depth, union, union.Inputs[i]));
        }
    }

    /// <summary>
    /// For each input the number of the source whose branch it is, or -1 where nothing has to be put in order: branches without an exchange
    /// run one after the other on any number of shards, and between two sources there is no order but that of arrival.
    /// </summary>
    private int[] Branches()
    {
        int[] branches = new int[Inputs.Length];
        for (int i = 0; i < Inputs.Length; i++)
        {
            var one = Inputs.Where(node => ReferenceEquals(node.Origin, Inputs[i].Origin)).ToArray();
            branches[i] = one.Length > 1 && one.Any(node => node.Depth > 0) ? Array.IndexOf(Inputs, one[0]) : -1;
        }

        return branches;
    }
}

/// <summary>Passes events through, those of one source's branches in order of time, and keeps the least watermark of the inputs that have a say.</summary>
/// <remarks>
/// That an input has no say any more counts from the next sign of life of another one, and by it alone: where the network fails them all, the order in which
/// they are missed moves no time, and what is sent afterwards is not late.
/// </remarks>
internal sealed class UnionOperator<T> : Operator<T>
{
    private readonly Operator<T> _next;
    private readonly int[] _branches;

    // State that checkpoints save.
    private readonly long[] _watermarks;
    private readonly bool[] _completed;
    private readonly bool[] _released;
    private readonly UnionOrder<T>?[] _orders;
    private long _watermark = long.MinValue;
    private bool _isReleased;
    private bool _isDue;

    // Whether events have gone out behind the last watermark.
    private bool _hasPassed;

    /// <summary>A union.</summary>
    /// <param name="next">Where events go.</param>
    /// <param name="branches">For each input a number that those inputs share whose events are put in order, or -1.</param>
    internal UnionOperator(Operator<T> next, params int[] branches)
    {
        _next = next;
        _branches = branches;
        _watermarks = new long[branches.Length];
        Array.Fill(_watermarks, long.MinValue);
        _completed = new bool[branches.Length];
        _released = new bool[branches.Length];
        Inputs = [.. Enumerable.Range(0, branches.Length).Select(i => new Input(this, i))];
        _orders = new UnionOrder<T>?[branches.Length];
        foreach (int branch in branches.Where(b => b >= 0))
        {
            _orders[branch] ??= new UnionOrder<T>(next);
        }
    }

    internal override bool IsStateful => true;

    internal IReadOnlyList<Operator<T>> Inputs { get; }

    internal override void OnEvents(in Batch<T> batch) => throw new System.Diagnostics.UnreachableException();

    internal override void OnWatermark(long watermark) => throw new System.Diagnostics.UnreachableException();

    internal override void OnCompleted() => throw new System.Diagnostics.UnreachableException();

    internal override void OnError(Exception error) => _next.OnError(error);

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_watermark);
        writer.Boolean(_isReleased);
        writer.Boolean(_isDue);
        for (int i = 0; i < _watermarks.Length; i++)
        {
            writer.Int64(_watermarks[i]);
            writer.Boolean(_completed[i]);
            writer.Boolean(_released[i]);
            _orders[i]?.Save(writer);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = reader.Int64();
        _isReleased = reader.Boolean();
        _isDue = reader.Boolean();
        for (int i = 0; i < _watermarks.Length; i++)
        {
            _watermarks[i] = reader.Int64();
            _completed[i] = reader.Boolean();
            _released[i] = reader.Boolean();
            _orders[i]?.Load(reader);
        }
    }

    protected override void Release()
    {
        foreach (var order in _orders)
        {
            order?.Dispose();
        }
    }

    private void Add(int input, in Batch<T> batch)
    {
        if (_isDue && HasSay(input))
        {
            Raise(Least());
        }

        if (_branches[input] is >= 0 and var branch)
        {
            _orders[branch]!.Add(input, in batch, _watermarks[input]);
        }
        else
        {
            _hasPassed = true;
            _next.OnEvents(new Batch<T>(batch.Events, batch.Ticks));
        }
    }

    private void Advance(int input, long watermark)
    {
        // What an input tells again is told again behind the union, where its events went through.
        bool isRepeated = watermark == _watermarks[input] && _hasPassed;
        _watermarks[input] = Math.Max(_watermarks[input], watermark);
        ReleaseOrder(input);
        long least = Least();

        // One that is back and silent has no say beside others; where there is no other, its time goes on and the union's with it.
        Raise(least == long.MaxValue ? LeastWith(input) : least, isRepeated);
    }

    private void Raise(long watermark, bool isRepeated = false)
    {
        if (watermark == long.MaxValue)
        {
            return;
        }

        _isDue = false;
        if ((watermark > _watermark || (isRepeated && watermark == _watermark)) && watermark != long.MinValue)
        {
            (_watermark, _hasPassed) = (watermark, false);
            _next.OnWatermark(watermark);
        }
    }

    private void SetReleased(int input, bool isReleased)
    {
        _released[input] = isReleased;
        _isDue |= isReleased;
        if (_branches[input] is >= 0 and var branch && !HasSay(input))
        {
            // All branches of the source were told: what waits for its time to go on would only become late.
            _orders[branch]!.Release(long.MaxValue);
        }

        TellReleased();
    }

    private void TellReleased()
    {
        bool isReleased = _completed.AsSpan().Contains(false) && Least() == long.MaxValue;
        if (isReleased != _isReleased)
        {
            _isReleased = isReleased;
            _next.OnReleased(isReleased);
        }
    }

    /// <summary>Gives out what all branches of a source have reached.</summary>
    private void ReleaseOrder(int input)
    {
        if (_branches[input] is >= 0 and var branch)
        {
            _orders[branch]!.Release(LeastWith(input));
        }
    }

    /// <summary>The time that all inputs with a say have reached; <see cref="long.MaxValue"/> where there is none.</summary>
    private long Least()
    {
        long least = long.MaxValue;
        for (int i = 0; i < _watermarks.Length; i++)
        {
            least = !_completed[i] && HasSay(i) ? Math.Min(least, _watermarks[i]) : least;
        }

        return least;
    }

    /// <summary>The time that an input and the other branches of its source have reached; <see cref="long.MaxValue"/> where all of them have ended.</summary>
    private long LeastWith(int input)
    {
        long least = long.MaxValue;
        for (int i = 0; i < _watermarks.Length; i++)
        {
            least = !_completed[i] && AreOne(i, input) ? Math.Min(least, _watermarks[i]) : least;
        }

        return least;
    }

    /// <summary>Branches of one source are told one after the other, by several threads: they lose their say with the last and have it again with the first.</summary>
    private bool HasSay(int input)
    {
        for (int i = 0; i < _released.Length; i++)
        {
            if (!_released[i] && !_completed[i] && AreOne(i, input))
            {
                return true;
            }
        }

        return false;
    }

    private bool AreOne(int input, int other) => input == other || (_branches[input] >= 0 && _branches[input] == _branches[other]);

    private void Complete(int input)
    {
        if (_completed[input])
        {
            return;
        }

        _completed[input] = true;
        ReleaseOrder(input);
        if (_completed.AsSpan().Contains(false))
        {
            Raise(Least());
            TellReleased();
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
        internal override void OnEvents(in Batch<T> batch) => union.Add(index, in batch);

        internal override void OnWatermark(long watermark) => union.Advance(index, watermark);

        internal override void OnReleased(bool isReleased) => union.SetReleased(index, isReleased);

        internal override void OnCompleted() => union.Complete(index);

        internal override void OnError(Exception error) => union.OnError(error);
    }
}
