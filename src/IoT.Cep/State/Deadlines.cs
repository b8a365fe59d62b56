using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>A time at which something is to be done about a key.</summary>
/// <param name="Time">The time.</param>
/// <param name="Index">The key's index; negative where it was cancelled.</param>
/// <param name="Place">Which of the key's several things it is about; negative where that has to be looked for.</param>
internal record struct Deadline(long Time, int Index, int Place);

/// <summary>
/// Deadlines of keys, the earliest first, equal ones in the order in which they were set. One that has moved is either cancelled, or left behind and
/// passed over when its time comes: whoever takes it out then compares it with the deadline that its key has now.
/// </summary>
/// <remarks>
/// What follows from events in order of time at a constant distance is in order itself and stands in a ring, sixteen bytes written one behind the
/// other. Only what is earlier than the last one goes to a heap.
/// </remarks>
internal sealed class Deadlines
{
    private const int NotTidied = 1024;
    private const int MaxNumber = 1 << 30;

    // A ring: the deadline of a number stands where the number says. Numbers begin with 1.
    private Deadline[] _ring = new Deadline[64];
    private int _first = 1;
    private int _next = 1;

    // A binary heap by time and order of setting.
    private (Deadline Deadline, long Order)[] _heap = [];
    private int _heaped;
    private long _orders;

    // Stays when the ring runs empty: among equal deadlines, those of the ring are then always the older ones.
    private long _last = long.MinValue;
    private int _tidyFrom = NotTidied;
    private Deadline[] _taken = [];

    /// <summary>Whether so many have come that most of them may have moved.</summary>
    internal bool IsUntidy => _next - _first + _heaped > _tidyFrom || _next > MaxNumber;

    /// <summary>Sets a deadline, and cancels another one of this number, if it is not 0.</summary>
    /// <returns>Its number, by which it can be cancelled, or 0 where it can't and is left behind.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Move(int number, long time, int index, int place)
    {
        var ring = _ring;
        int next = _next;
        if (time < _last || next - _first == ring.Length)
        {
            return MoveSlowly(number, new Deadline(time, index, place));
        }

        if (number != 0)
        {
            ring[number & (ring.Length - 1)].Index = -1;
        }

        _last = time;
        _next = next + 1;
        ring[next & (ring.Length - 1)] = new Deadline(time, index, place);
        return next;
    }

    internal void Set(long time, int index) => Move(0, time, index, 0);

    internal void Cancel(int number)
    {
        if (number != 0)
        {
            At(number).Index = -1;
        }
    }

    /// <summary>What a deadline is about has another place now.</summary>
    internal void Place(int number, int place)
    {
        if (number != 0)
        {
            At(number).Place = place;
        }
    }

    /// <summary>Whether the earliest one is due by this time.</summary>
    internal bool IsDue(long time, out Deadline first)
    {
        if (_next == _first && _heaped == 0)
        {
            first = default;
            return false;
        }

        first = IsRingFirst ? At(_first) : _heap[0].Deadline;
        return first.Time <= time;
    }

    internal void RemoveFirst()
    {
        if (IsRingFirst)
        {
            _first++;
        }
        else
        {
            _heap[0] = _heap[--_heaped];
            SiftDown(0);
        }
    }

    /// <summary>What <see cref="TakeDue"/> took out.</summary>
    internal Deadline[] Taken => _taken;

    /// <summary>Takes out all that are due by this time and were not cancelled, and gives how many there were.</summary>
    internal int TakeDue(long time)
    {
        if (_taken.Length < _next - _first + _heaped)
        {
            _taken = new Deadline[(_next - _first + _heaped) * 2];
        }

        var taken = _taken.AsSpan();
        int count = 0;
        if (_heaped == 0)
        {
            // Without a branch on which are cancelled: that is anybody's guess.
            var ring = _ring;
            int number = _first;
            for (; number < _next; number++)
            {
                ref var deadline = ref ring[number & (ring.Length - 1)];
                if (deadline.Time > time)
                {
                    break;
                }

                taken[count] = deadline;
                count += ~deadline.Index >>> 31;
            }

            _first = number;
            return count;
        }

        while (IsDue(time, out var first))
        {
            taken[count] = first;
            count += ~first.Index >>> 31;
            RemoveFirst();
        }

        return count;
    }

    /// <summary>In order; for saved state.</summary>
    internal List<Deadline> ToList() => [.. Enumerable.Range(_first, _next - _first).Select(number => At(number)).Where(deadline => deadline.Index >= 0)
        .Concat(_heap.Take(_heaped).OrderBy(item => item.Order).Select(item => item.Deadline))
        .OrderBy(deadline => deadline.Time)];

    /// <summary>Drops what was cancelled or has moved, and tells the others where their keys are now.</summary>
    internal void Tidy<TOwner>(TOwner owner, ReadOnlySpan<int> places)
        where TOwner : IDeadlineOwner
    {
        // Numbers begin anew, so the ring begins at another place: it is copied out and in again.
        int count = CopyOut();
        int kept = 0;
        foreach (var deadline in _taken.AsSpan(0, count))
        {
            int index = deadline.Index < 0 ? -1 : places[deadline.Index];
            if (index >= 0 && owner.Has(deadline with { Index = index }, this))
            {
                At(++kept) = deadline with { Index = index };
                owner.Number(At(kept), kept, this);
            }
        }

        (_first, _next) = (1, kept + 1);
        kept = 0;
        for (int i = 0; i < _heaped; i++)
        {
            var (deadline, order) = _heap[i];
            if (places[deadline.Index] >= 0 && owner.Has(deadline with { Index = places[deadline.Index] }, this))
            {
                deadline.Index = places[deadline.Index];
                _heap[kept++] = (deadline, order);
            }
        }

        _heaped = kept;
        for (int i = (_heaped / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }

        _tidyFrom = NotTidied + ((_next - _first + _heaped) * 2);
    }

    private int CopyOut()
    {
        int count = _next - _first;
        if (_taken.Length < count)
        {
            _taken = new Deadline[count * 2];
        }

        for (int i = 0; i < count; i++)
        {
            _taken[i] = At(_first + i);
        }

        return count;
    }

    private bool IsRingFirst => _next != _first && (_heaped == 0 || At(_first).Time <= _heap[0].Deadline.Time);

    private ref Deadline At(int number) => ref _ring[number & (_ring.Length - 1)];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int MoveSlowly(int number, Deadline deadline)
    {
        Cancel(number);
        if (deadline.Time < _last)
        {
            Push((deadline with { Place = -1 }, _orders++));
            return 0;
        }

        var old = _ring;
        _ring = new Deadline[old.Length * 2];
        for (int i = _first; i < _next; i++)
        {
            At(i) = old[i & (old.Length - 1)];
        }

        return Move(0, deadline.Time, deadline.Index, deadline.Place);
    }

    private void Push((Deadline Deadline, long Order) item)
    {
        if (_heaped == _heap.Length)
        {
            Array.Resize(ref _heap, Math.Max(64, _heap.Length * 2));
        }

        int at = _heaped++;
        while (at > 0 && IsBefore(in item, in _heap[(at - 1) / 2]))
        {
            _heap[at] = _heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _heap[at] = item;
    }

    private void SiftDown(int at)
    {
        var item = _heap[at];
        while ((2 * at) + 1 < _heaped)
        {
            int child = (2 * at) + 1;
            if (child + 1 < _heaped && IsBefore(in _heap[child + 1], in _heap[child]))
            {
                child++;
            }

            if (!IsBefore(in _heap[child], in item))
            {
                break;
            }

            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = item;
    }

    private static bool IsBefore(in (Deadline Deadline, long Order) a, in (Deadline Deadline, long Order) b) =>
        a.Deadline.Time < b.Deadline.Time || (a.Deadline.Time == b.Deadline.Time && a.Order < b.Order);
}

/// <summary>Knows which deadlines its keys have at the moment.</summary>
internal interface IDeadlineOwner
{
    bool Has(Deadline deadline, Deadlines among);

    /// <summary>The deadline has another number now.</summary>
    void Number(Deadline deadline, int number, Deadlines among);
}
