using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The match so far, as a condition or a callback sees it: a ref struct, so nothing is allocated and nothing can be kept.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly ref partial struct PartialMatch<T>
{
    private readonly Chains<T> _chains;
    private readonly Step? _current;
    private readonly int _last;
    private readonly long _ticks;
    private readonly RowsBefore<T>? _before;

    internal PartialMatch(Chains<T> chains, int last, Step? current, long ticks, RowsBefore<T>? before = null) =>
        (_chains, _last, _current, _ticks, _before) = (chains, last, current, ticks, before);

    /// <summary>How many events it has.</summary>
    public int Count => _chains.LengthOf(_last);

    /// <summary>Its first event.</summary>
    /// <exception cref="InvalidOperationException">It has none yet.</exception>
    public T First => _chains.At(_chains.FirstOf(RequireLast())).Event;

    /// <summary>The event that it took last.</summary>
    /// <exception cref="InvalidOperationException">It has none yet.</exception>
    public T Last => _chains.At(RequireLast()).Event;

    /// <summary>The time from its first event to the one that is asked about; zero where that would be the first.</summary>
    public TimeSpan Elapsed => _last < 0 ? TimeSpan.Zero : TimeSpan.FromTicks(_ticks - _chains.At(_chains.FirstOf(_last)).Ticks);

    /// <summary>The time from the event that it took last to the one that is asked about; zero where that would be the first.</summary>
    public TimeSpan SinceLast
    {
        get
        {
            // The row that a definition is asked about is bound already.
            int last = _before is null || _last < 0 ? _last : _chains.At(_last).Previous;
            return last < 0 ? TimeSpan.Zero : TimeSpan.FromTicks(_ticks - _chains.At(last).Ticks);
        }
    }

    /// <summary>What the step under test has taken so far: its own handle is not assigned yet where its condition is written.</summary>
    public PartialEvents<T> Taken => _current is null ? default : new PartialEvents<T>(_chains, _chains.LastOf(_last, _current));

    /// <summary>The time of its first event.</summary>
    /// <exception cref="InvalidOperationException">It has none yet.</exception>
    public DateTimeOffset Start => Ticks.ToTime(_chains.At(_chains.FirstOf(RequireLast())).Ticks);

    /// <summary>The event that an earlier step took; of a step in a repeated group, the last one.</summary>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    /// <exception cref="InvalidOperationException">The step has taken no event yet: ask <see cref="Has"/>.</exception>
    public T this[Step<T> step]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(step);
            return _chains.At(Require(step)).Event;
        }
    }

    /// <summary>The events that a repeated or optional step has taken so far.</summary>
    /// <param name="steps">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    public PartialEvents<T> this[Steps<T> steps]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(steps);
            return EventsOf(steps);
        }
    }

    /// <summary>The event that a step of a narrower type took.</summary>
    /// <typeparam name="TStep">The narrower type.</typeparam>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    /// <exception cref="InvalidOperationException">The step has taken no event yet: ask <see cref="Has"/>.</exception>
    public TStep Get<TStep>(Step<TStep> step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return Cases<T>.TryGet(in _chains.At(Require(step)).Event, out TStep? found) ? found! : throw new System.Diagnostics.UnreachableException();
    }

    /// <summary>Whether a step has taken an event.</summary>
    /// <param name="step">Its handle.</param>
    public bool Has(Step step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return _chains.LastOf(_last, step) >= 0;
    }

    private PartialEvents<T> EventsOf(Step step)
    {
        int last = _chains.LastOf(_last, step);
        return last >= 0 || _chains.Shape.Knows(step) ? new PartialEvents<T>(_chains, last) : throw _chains.Shape.Missing(step, "");
    }

    private int Require(Step step)
    {
        int at = _chains.LastOf(_last, step);
        return at >= 0 ? at : throw _chains.Shape.Missing(step, "where this is asked");
    }

    private int RequireLast() => _last >= 0 ? _last : throw new InvalidOperationException("The match has no event yet: ask Count first.");
}

/// <summary>The events that a repeated step has taken so far, as a condition sees them.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <remarks>
/// <see cref="Sum"/>, <see cref="Average"/>, <see cref="Min"/> and <see cref="Max"/> cost the same however many events there are: the value up to each event is kept
/// with it. That is so for selectors that capture nothing; others are added up anew.
/// </remarks>
public readonly ref struct PartialEvents<T>
{
    private readonly Chains<T> _chains;
    private readonly int _last;

    internal PartialEvents(Chains<T> chains, int last) => (_chains, _last) = (chains, last + 1);

    /// <summary>How many.</summary>
    public int Count => _last == 0 ? 0 : _chains.At(_last - 1).Count;

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => _last == 0;

    /// <summary>The first one: found by going back over all of them.</summary>
    public T First => this[0];

    /// <summary>The last one.</summary>
    public T Last => this[Count - 1];

    /// <summary>One of them, in order; found from the last one backwards.</summary>
    /// <param name="index">From 0.</param>
    public T this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int at = _last - 1;
            for (int back = Count - 1 - index; back > 0; back--)
            {
                at = _chains.PreviousOfStep(at);
            }

            return _chains.At(at).Event;
        }
    }

    /// <summary>The sum of a value of them; 0 of none.</summary>
    /// <param name="value">The value: called once for each event.</param>
    public double Sum(Func<T, double> value) => IsEmpty ? 0 : Of(value).Sum;

    /// <summary>The average of a value of them; not a number of none.</summary>
    /// <param name="value">The value: called once for each event.</param>
    public double Average(Func<T, double> value) => IsEmpty ? double.NaN : Of(value).Sum / Count;

    /// <summary>The least value of them; not a number of none.</summary>
    /// <param name="value">The value: called once for each event.</param>
    public double Min(Func<T, double> value) => IsEmpty ? double.NaN : Of(value).Min;

    /// <summary>The greatest value of them; not a number of none.</summary>
    /// <param name="value">The value: called once for each event.</param>
    public double Max(Func<T, double> value) => IsEmpty ? double.NaN : Of(value).Max;

    private ref readonly RunningValue Of(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return ref _chains.ValueOf(_last - 1, value);
    }
}
