using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A found match: the events that the pattern's steps took. One allocation for each match, however many events it has.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <remarks>Two are equal where they are the same match, not where they have equal events.</remarks>
public readonly struct Match<T> : IEquatable<Match<T>>
{
    private readonly PatternShape<T> _shape;
    private readonly MatchEvent<T>[] _events;
    private readonly int _from;
    private readonly int _count;

    internal Match(PatternShape<T> shape, MatchEvent<T>[] events)
        : this(shape, events, 0, events.Length)
    {
    }

    internal Match(PatternShape<T> shape, MatchEvent<T>[] events, int from, int count) => (_shape, _events, _from, _count) = (shape, events, from, count);

    /// <summary>The time of its first event.</summary>
    public DateTimeOffset Start => Extensibility.Ticks.ToTime(StartTicks);

    /// <summary>The time of its last event.</summary>
    public DateTimeOffset End => Extensibility.Ticks.ToTime(EndTicks);

    /// <summary>How many events it has.</summary>
    public int Count => _count;

    /// <summary>Its first event.</summary>
    public T First => Events[0].Event;

    /// <summary>Its last event.</summary>
    public T Last => Events[^1].Event;

    /// <summary>Of several patterns that are matched together: the index of the one that it is a match of.</summary>
    public int Variant => _shape.Variant;

    internal long StartTicks => Events[0].Ticks;

    internal long EndTicks => Events[^1].Ticks;

    internal PatternShape<T> Shape => _shape;

    internal ReadOnlySpan<MatchEvent<T>> Events => _events.AsSpan(_from, _count);

    /// <summary>The event that a step took; of a step in a repeated group, the last one.</summary>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    /// <exception cref="InvalidOperationException">The step took no event: ask <see cref="Has"/>.</exception>
    public T this[Step<T> step]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(step);
            return Events[LastOf(step)].Event;
        }
    }

    /// <summary>The events that a repeated or optional step took: a list, which may be empty.</summary>
    /// <param name="steps">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    public StepEvents<T> this[Steps<T> steps]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(steps);
            Require(steps);
            int first = -1, last = -1, count = 0;
            for (int i = 0; i < _count; i++)
            {
                if (_shape.HandleOf(Events[i].Label) == steps)
                {
                    (first, last, count) = (first < 0 ? i : first, i, count + 1);
                }
            }

            return new StepEvents<T>(_shape, _events, steps, _from + Math.Max(first, 0), count == 0 ? 0 : last - first + 1, count);
        }
    }

    /// <summary>The matches of a repeated group: a list, which may be empty.</summary>
    /// <param name="groups">The group's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    public GroupMatches<T> this[Group<T> groups]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(groups);
            Require(groups);
            return new GroupMatches<T>(this, groups, _events, _from);
        }
    }

    /// <summary>The event that a step of a narrower type took.</summary>
    /// <typeparam name="TStep">The narrower type.</typeparam>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    /// <exception cref="InvalidOperationException">The step took no event: ask <see cref="Has"/>.</exception>
    public TStep Get<TStep>(Step<TStep> step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return Cases<T>.TryGet(in Events[LastOf(step)].Event, out TStep? found) ? found! : throw new System.Diagnostics.UnreachableException();
    }

    /// <summary>Whether a step or group took an event.</summary>
    /// <param name="step">Its handle.</param>
    public bool Has(Step step)
    {
        ArgumentNullException.ThrowIfNull(step);
        foreach (ref readonly var one in Events)
        {
            if (_shape.HandleOf(one.Label) == step || _shape.IsIn(one.Label, step, out _))
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public bool Equals(Match<T> other) => ReferenceEquals(_events, other._events) && _from == other._from && _count == other._count;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Match<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(_events), _from, _count);

    /// <summary>Whether both are the same match.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(Match<T> left, Match<T> right) => left.Equals(right);

    /// <summary>Whether they are different matches.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(Match<T> left, Match<T> right) => !left.Equals(right);

    /// <summary>Each event with its time, its step and the condition that it met; one line each.</summary>
    internal string Explain()
    {
        var shape = _shape;
        return $"match of '{shape.Pattern}'\n" + string.Concat(Events.ToArray().Select(one =>
            $"  {Extensibility.Ticks.ToTime(one.Ticks):O}  {shape.HandleOf(one.Label)} ({shape.ConditionOf(one.Label).Text}): {one.Event}\n"));
    }

    /// <summary>The steps and their events, in order.</summary>
    public override string ToString()
    {
        if (_events is null)
        {
            return "";
        }

        var shape = _shape;
        return string.Join(", ", Events.ToArray().Select(one => $"{shape.HandleOf(one.Label)}: {one.Event}"));
    }

    internal void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<T>();
        writer.Int32(_count);
        foreach (ref readonly var one in Events)
        {
            writer.Int32(one.Label);
            writer.Int64(one.Ticks);
            codec.Write(writer, one.Event);
        }
    }

    internal static Match<T> Load(StateReader reader, PatternShape<T> shape)
    {
        var codec = StateCodec.Require<T>();
        var events = new MatchEvent<T>[reader.Int32()];
        for (int i = 0; i < events.Length; i++)
        {
            var (label, ticks) = (reader.Int32(), reader.Int64());
            events[i].Put(codec.Read(reader), ticks, label);
        }

        return new Match<T>(shape, events);
    }

    private void Require(Step step)
    {
        if (!_shape.Knows(step))
        {
            throw _shape.Missing(step, "");
        }
    }

    private int LastOf(Step step)
    {
        var events = Events;
        for (int i = events.Length - 1; i >= 0; i--)
        {
            if (_shape.HandleOf(events[i].Label) == step)
            {
                return i;
            }
        }

        throw _shape.Missing(step, "in this match");
    }
}

/// <summary>An event of a match, with its time and the label that says which step took it.</summary>
internal struct MatchEvent<T>
{
    internal T Event;
    internal long Ticks;
    internal int Label;

    /// <summary>Fills it where it stands: field by field, since a copy by way of a local waits for its parts to be written.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    internal void Put(in T value, long ticks, int label)
    {
        Event = value;
        Ticks = ticks;
        Label = label;
    }
}

/// <summary>A partial match that did not become complete in time.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="Partial">What it had: handles of steps that it did not reach have no events.</param>
/// <param name="At">When its time was over: the first event's time and the pattern's <c>Within</c>, or the last one's and <c>MaxGap</c>.</param>
public readonly record struct Timeout<T>(Match<T> Partial, DateTimeOffset At);
