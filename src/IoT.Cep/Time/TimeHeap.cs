using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Events in a binary heap by time, ties in order of arrival. The heap moves 24-byte entries; the events stay where they are.</summary>
/// <remarks>An event that is later than all others costs one comparison to add; taking one out costs the logarithm of how many there are.</remarks>
internal sealed class TimeHeap<T>
{
    private const int Initial = 64;

    private Entry[] _heap = [];
    private T[] _events = [];
    private int[] _free = [];
    private long _arrivals;

    internal int Count { get; private set; }

    /// <summary>The earliest event's time; there is one.</summary>
    internal long FirstTicks => _heap[0].Ticks;

    internal void Add(T value, long ticks)
    {
        if (Count == _heap.Length)
        {
            Grow();
        }

        // Places are given out from the end of the free list, which holds exactly those that no entry names.
        int place = _free[Count];
        _events[place] = value;
        var added = new Entry(ticks, _arrivals++, place);
        int at = Count++;
        while (at > 0 && added.IsBefore(in _heap[(at - 1) / 2]))
        {
            _heap[at] = _heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _heap[at] = added;
    }

    /// <summary>Takes the earliest event out.</summary>
    internal T RemoveFirst(out long ticks)
    {
        var first = _heap[0];
        ticks = first.Ticks;
        var value = _events[first.Place];
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            _events[first.Place] = default!;
        }

        var moved = _heap[--Count];
        _free[Count] = first.Place;
        int at = 0;
        while (true)
        {
            int child = (2 * at) + 1;
            if (child >= Count)
            {
                break;
            }

            if (child + 1 < Count && _heap[child + 1].IsBefore(in _heap[child]))
            {
                child++;
            }

            if (!_heap[child].IsBefore(in moved))
            {
                break;
            }

            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = moved;
        return value;
    }

    /// <summary>Gives the events in order, for saving: added in this order again, they come out in this order.</summary>
    internal IEnumerable<(T Value, long Ticks)> InOrder() =>
        _heap.Take(Count).OrderBy(entry => entry.Ticks).ThenBy(entry => entry.Arrival).Select(entry => (_events[entry.Place], entry.Ticks));

    private void Grow()
    {
        int old = _heap.Length, length = Math.Max(Initial, old * 2);
        Array.Resize(ref _heap, length);
        Array.Resize(ref _events, length);
        Array.Resize(ref _free, length);
        for (int i = old; i < length; i++)
        {
            _free[i] = i;
        }
    }

    private readonly record struct Entry(long Ticks, long Arrival, int Place)
    {
        internal bool IsBefore(in Entry other) => Ticks != other.Ticks ? Ticks < other.Ticks : Arrival < other.Arrival;
    }
}
