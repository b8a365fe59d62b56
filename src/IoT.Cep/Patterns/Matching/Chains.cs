using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The events of all partial matches in one arena: chains of taken events that share what they have in common. Freed places are used again, so nothing is
/// allocated in steady state.
/// </summary>
internal sealed class Chains<T>(PatternShape<T> shape)
{
    internal const int None = -1;

    private Taken<T>[] _taken = new Taken<T>[64];
    private int _used;
    private int _free = None;
    private RunningValues<T>? _values;

    internal PatternShape<T> Shape => shape;

    /// <summary>How many events are held.</summary>
    internal int Count { get; private set; }

    /// <summary>How many places there are: each chain's number is less.</summary>
    internal int Places => _taken.Length;

    /// <summary>How many bytes the arena has.</summary>
    internal long Bytes => (long)_taken.Length * Unsafe.SizeOf<Taken<T>>();

    internal ref Taken<T> At(int index) => ref _taken[index];

    /// <summary>Appends an event to a chain. The new one is held once, and holds the one before.</summary>
    internal int Add(in T value, long ticks, long position, int label, int previous)
    {
        int index = Rent();
        ref var taken = ref _taken[index];
        (taken.Event, taken.Ticks, taken.Position, taken.Label, taken.Previous) = (value, ticks, position, label, previous);
        (taken.References, taken.Count, taken.Before) = (1, 1, previous);
        if (previous == None)
        {
            return index;
        }

        ref var before = ref _taken[previous];
        before.References++;
        var handle = shape.HandleOf(label);
        if (before.Label == label || shape.HandleOf(before.Label) == handle)
        {
            (taken.Count, taken.Before) = (before.Count + 1, before.Before);
            return index;
        }

        int last = LastOf(previous, handle);
        taken.Count = last == None ? 1 : _taken[last].Count + 1;
        return index;
    }

    /// <summary>The last event of a chain that a step took, or <see cref="None"/>. Repetitions are passed in one step.</summary>
    internal int LastOf(int at, Step handle)
    {
        while (at != None && shape.HandleOf(_taken[at].Label) != handle)
        {
            at = _taken[at].Before;
        }

        return at;
    }

    /// <summary>The event of the same step that was taken before, or <see cref="None"/>.</summary>
    internal int PreviousOfStep(int at) => _taken[at].Count == 1 ? None : LastOf(_taken[at].Previous, shape.HandleOf(_taken[at].Label));

    internal int FirstOf(int at)
    {
        while (_taken[at].Previous != None)
        {
            at = _taken[at].Previous;
        }

        return at;
    }

    internal int LengthOf(int at)
    {
        int length = 0;
        for (; at != None; at = _taken[at].Previous)
        {
            length++;
        }

        return length;
    }

    internal void Hold(int at)
    {
        if (at != None)
        {
            _taken[at].References++;
        }
    }

    /// <summary>Lets a chain go: what nobody holds any more is freed.</summary>
    internal void Free(int at)
    {
        while (at != None && --_taken[at].References == 0)
        {
            int previous = _taken[at].Previous;
            if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
            {
                _taken[at].Event = default!;
            }

            Debug.Assert(Count > 0, "What is freed was held.");
            Count--;
            _taken[at].Previous = _free;
            _free = at;
            at = previous;
        }
    }

    /// <summary>The match of a chain: one array, whatever it holds.</summary>
    internal Match<T> ToMatch(int at)
    {
        var events = new MatchEvent<T>[LengthOf(at)];
        for (int i = events.Length - 1; i >= 0; i--)
        {
            ref var taken = ref _taken[at];
            events[i].Put(in taken.Event, taken.Ticks, taken.Label);
            at = taken.Previous;
        }

        return new Match<T>(shape, events);
    }

    /// <summary>Running values of a step's events, which are computed once for each event.</summary>
    internal ref readonly RunningValue ValueOf(int at, Func<T, double> selector)
    {
        _values ??= new RunningValues<T>(this);
        return ref _values.Of(at, selector);
    }

    private int Rent()
    {
        int index = _free;
        if (index != None)
        {
            _free = _taken[index].Previous;
        }
        else
        {
            if (_used == _taken.Length)
            {
                Array.Resize(ref _taken, _taken.Length * 2);
            }

            index = _used++;
        }

        Count++;
        _values?.Forget(index);
        return index;
    }
}

/// <summary>An event that a partial match took.</summary>
internal struct Taken<T>
{
    internal T Event;
    internal long Ticks;

    /// <summary>Its number among the events that the operator has seen.</summary>
    internal long Position;
    internal int Label;
    internal int Previous;

    /// <summary>The last event of another step before it.</summary>
    internal int Before;

    /// <summary>How many events its step has up to here.</summary>
    internal int Count;
    internal int References;
}

/// <summary>Sum, least and greatest value of a step's events so far.</summary>
internal struct RunningValue
{
    internal double Sum;
    internal double Min;
    internal double Max;
    internal bool IsKnown;
}

/// <summary>
/// For each event and selector the running value up to it: the one of the event before and one more, so that a condition on a long repetition costs the same
/// as on a short one.
/// </summary>
internal sealed class RunningValues<T>(Chains<T> chains)
{
    // A condition asks for few different values; one whose selectors are new each time gets no column and is added up anew.
    private const int MaxColumns = 8;

    private readonly List<(Func<T, double> Selector, RunningValue[] Values)> _columns = [];
    private readonly Stack<int> _unknown = new();
    private RunningValue _scanned;

    internal ref readonly RunningValue Of(int at, Func<T, double> selector)
    {
        try
        {
            int column = ColumnOf(selector);
            return ref column < 0 ? ref Scanned(at, selector) : ref Kept(column, at, selector);
        }
        finally
        {
            // A selector that throws leaves some.
            _unknown.Clear();
        }
    }

    private ref readonly RunningValue Scanned(int at, Func<T, double> selector)
    {
        _scanned = default;
        for (int i = at; i != Chains<T>.None; i = chains.PreviousOfStep(i))
        {
            _unknown.Push(i);
        }

        while (_unknown.TryPop(out int i))
        {
            Add(ref _scanned, selector(chains.At(i).Event));
        }

        return ref _scanned;
    }

    private ref readonly RunningValue Kept(int column, int at, Func<T, double> selector)
    {
        var values = Room(column, at);
        for (int i = at; i != Chains<T>.None; i = chains.PreviousOfStep(i))
        {
            // Places are used again: an earlier event may stand behind a later one.
            values = Room(column, i);
            if (values[i].IsKnown)
            {
                break;
            }

            _unknown.Push(i);
        }

        while (_unknown.TryPop(out int i))
        {
            int previous = chains.PreviousOfStep(i);
            var value = previous == Chains<T>.None ? default : values[previous];
            Add(ref value, selector(chains.At(i).Event));
            values[i] = value;
        }

        return ref values[at];
    }

    /// <summary>The place is another event's now.</summary>
    internal void Forget(int at)
    {
        foreach (var (_, values) in _columns)
        {
            if (at < values.Length)
            {
                values[at].IsKnown = false;
            }
        }
    }

    private static void Add(ref RunningValue running, double value)
    {
        running.Sum += value;
        running.Min = running.IsKnown ? Math.Min(running.Min, value) : value;
        running.Max = running.IsKnown ? Math.Max(running.Max, value) : value;
        running.IsKnown = true;
    }

    private int ColumnOf(Func<T, double> selector)
    {
        for (int i = 0; i < _columns.Count; i++)
        {
            if (ReferenceEquals(_columns[i].Selector, selector) || _columns[i].Selector.Equals(selector))
            {
                return i;
            }
        }

        if (_columns.Count == MaxColumns)
        {
            return -1;
        }

        _columns.Add((selector, []));
        return _columns.Count - 1;
    }

    private RunningValue[] Room(int column, int at)
    {
        var (selector, values) = _columns[column];
        if (at >= values.Length)
        {
            Array.Resize(ref values, Math.Max(64, (at + 1) * 2));
            _columns[column] = (selector, values);
        }

        return values;
    }
}
