using System.Collections;

namespace IoT.Cep;

/// <summary>The events that a repeated step took. It has a count and an indexer, so list patterns work: <c>m[rises] is [var low, .., var high]</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly struct StepEvents<T> : IReadOnlyList<T>, IEquatable<StepEvents<T>>
{
    private readonly PatternShape<T> _shape;
    private readonly MatchEvent<T>[] _events;
    private readonly Step _step;
    private readonly int _from;
    private readonly int _length;

    internal StepEvents(PatternShape<T> shape, MatchEvent<T>[] events, Step step, int from, int length, int count) =>
        (_shape, _events, _step, _from, _length, Count) = (shape, events, step, from, length, count);

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>Whether the step took none.</summary>
    public bool IsEmpty => Count == 0;

    /// <summary>The first one.</summary>
    public T First => this[0];

    /// <summary>The last one.</summary>
    public T Last => this[Count - 1];

    /// <summary>One of them, in order.</summary>
    /// <param name="index">From 0.</param>
    public T this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            if (_length == Count)
            {
                return _events[_from + index].Event;
            }

            int at = _from;
            for (; index > 0 || _shape.HandleOf(_events[at].Label) != _step; at++)
            {
                index -= _shape.HandleOf(_events[at].Label) == _step ? 1 : 0;
            }

            return _events[at].Event;
        }
    }

    /// <summary>The sum of a value of them; 0 of none.</summary>
    /// <param name="value">The value.</param>
    public double Sum(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double sum = 0;
        foreach (var one in this)
        {
            sum += value(one);
        }

        return sum;
    }

    /// <summary>The average of a value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Average(Func<T, double> value) => Sum(value) / Count;

    /// <summary>The least value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Min(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double min = double.NaN;
        foreach (var one in this)
        {
            min = double.IsNaN(min) ? value(one) : Math.Min(min, value(one));
        }

        return min;
    }

    /// <summary>The greatest value of them; not a number of none.</summary>
    /// <param name="value">The value.</param>
    public double Max(Func<T, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        double max = double.NaN;
        foreach (var one in this)
        {
            max = double.IsNaN(max) ? value(one) : Math.Max(max, value(one));
        }

        return max;
    }

    /// <summary>Enumerates them in order.</summary>
    public IEnumerator<T> GetEnumerator()
    {
        for (int i = _from; i < _from + _length; i++)
        {
            if (_shape.HandleOf(_events[i].Label) == _step)
            {
                yield return _events[i].Event;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(StepEvents<T> other) => ReferenceEquals(_events, other._events) && _step == other._step && _from == other._from && Count == other.Count;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is StepEvents<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_step, _from, Count);

    /// <summary>Whether both are of the same step of the same match.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(StepEvents<T> left, StepEvents<T> right) => left.Equals(right);

    /// <summary>Whether they are of different steps or matches.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(StepEvents<T> left, StepEvents<T> right) => !left.Equals(right);
}

/// <summary>The matches of a repeated group. It has a count and an indexer, so list patterns work: <c>m[flaps] is [var first, ..]</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly struct GroupMatches<T> : IReadOnlyList<Match<T>>, IEquatable<GroupMatches<T>>
{
    private readonly Match<T> _match;
    private readonly Step _group;
    private readonly MatchEvent<T>[] _events;
    private readonly int _from;

    internal GroupMatches(Match<T> match, Step group, MatchEvent<T>[] events, int from)
    {
        (_match, _group, _events, _from) = (match, group, events, from);
        foreach (ref readonly var one in match.Events)
        {
            Count += match.Shape.IsIn(one.Label, group, out bool begins) && begins ? 1 : 0;
        }
    }

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>The first one.</summary>
    public Match<T> First => this[0];

    /// <summary>The last one.</summary>
    public Match<T> Last => this[Count - 1];

    /// <summary>One of them, in order.</summary>
    /// <param name="index">From 0.</param>
    public Match<T> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int at = Next(0, index);
            return Slice(at, End(at));
        }
    }

    /// <summary>Enumerates them in order.</summary>
    public IEnumerator<Match<T>> GetEnumerator()
    {
        int at = 0;
        for (int i = 0; i < Count; i++)
        {
            at = Next(at, 0);
            int end = End(at);
            yield return Slice(at, end);
            at = end;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(GroupMatches<T> other) => _match == other._match && _group == other._group;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is GroupMatches<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_match, _group);

    /// <summary>Whether both are of the same group of the same match.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(GroupMatches<T> left, GroupMatches<T> right) => left.Equals(right);

    /// <summary>Whether they are of different groups or matches.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(GroupMatches<T> left, GroupMatches<T> right) => !left.Equals(right);

    /// <summary>Where, from a place on, the group begins once more after so many times.</summary>
    private int Next(int at, int skip)
    {
        while (true)
        {
            if (_match.Shape.IsIn(_match.Events[at].Label, _group, out bool begins) && begins && skip-- == 0)
            {
                return at;
            }

            at++;
        }
    }

    private int End(int at)
    {
        var events = _match.Events;
        for (at++; at < events.Length && _match.Shape.IsIn(events[at].Label, _group, out bool begins) && !begins; at++)
        {
        }

        return at;
    }

    private Match<T> Slice(int from, int end) => new(_match.Shape, _events, _from + from, end - from);
}
