using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The partial matches of all keys in one arena: chains of taken events, and an order by start time in which they expire. Freed places are used
/// again, so nothing is allocated in steady state.
/// </summary>
internal sealed class PartialMatches<T>(Step<T>[] steps)
{
    private const int None = -1;

    private Taken[] _taken = new Taken[64];
    private int _takenCount;
    private int _takenFree = None;

    internal Step<T>[] Steps => steps;

    /// <summary>How many events are held.</summary>
    internal int Count { get; private set; }

    internal int Take(T value, long ticks, int previous)
    {
        int index = _takenFree;
        if (index == None)
        {
            if (_takenCount == _taken.Length)
            {
                Array.Resize(ref _taken, _taken.Length * 2);
            }

            index = _takenCount++;
        }
        else
        {
            _takenFree = _taken[index].Previous;
        }

        Count++;
        _taken[index] = new Taken { Event = value, Ticks = ticks, Previous = previous };
        return index;
    }

    internal ref readonly Taken At(int index) => ref _taken[index];

    /// <summary>Gives a chain of events back.</summary>
    internal void Free(int last)
    {
        while (last != None)
        {
            int previous = _taken[last].Previous;
            if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
            {
                _taken[last].Event = default!;
            }

            Count--;
            _taken[last].Previous = _takenFree;
            _takenFree = last;
            last = previous;
        }
    }

    internal T EventOf(int last, Step<T> step)
    {
        ArgumentNullException.ThrowIfNull(step);
        int length = Length(last);
        if (step.Index >= length || steps[step.Index] != step)
        {
            throw new ArgumentException(
                $"The step '{step}' has taken no event where this condition is asked: it is of another pattern or comes later.", nameof(step));
        }

        for (int back = length - 1 - step.Index; back > 0; back--)
        {
            last = _taken[last].Previous;
        }

        return _taken[last].Event;
    }

    internal int Length(int last)
    {
        int length = 0;
        for (; last != None; last = _taken[last].Previous)
        {
            length++;
        }

        return length;
    }

    /// <summary>Makes the match of a finished chain; the chain is freed.</summary>
    internal Match<T> Finish(int last)
    {
        int length = steps.Length;
        Debug.Assert(Length(last) == length, "A finished match has an event for each step.");
        long end = _taken[last].Ticks, start = end;
        T first = default!, second = default!;
        T[] more = length > 2 ? new T[length - 2] : [];
        int at = last;
        for (int i = length - 1; i >= 0; i--)
        {
            ref var taken = ref _taken[at];
            (start, at) = (taken.Ticks, taken.Previous);
            switch (i)
            {
                case 0:
                    first = taken.Event;
                    break;
                case 1:
                    second = taken.Event;
                    break;
                default:
                    more[i - 2] = taken.Event;
                    break;
            }
        }

        Free(last);
        return new Match<T>(steps, first, second, more, start, end);
    }

    internal struct Taken
    {
        internal T Event;
        internal long Ticks;
        internal int Previous;
    }
}
