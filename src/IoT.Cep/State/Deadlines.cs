namespace IoT.Cep;

/// <summary>
/// Deadlines of keys, the earliest first, equal ones in the order in which they were set. One that has moved is left behind and passed over when its
/// time comes: whoever takes it out compares it with the deadline that its key has now.
/// </summary>
/// <remarks>
/// What follows from events in order of time at a constant distance is in order itself and stands in a ring, sixteen bytes written one behind the
/// other. Only what is earlier than the last one goes to a heap.
/// </remarks>
internal sealed class Deadlines
{
    private const int NotTidied = 1024;

    private (long Deadline, int Index)[] _ring = new (long, int)[64];
    private int _head;
    private int _count;

    // A binary heap by deadline and number; the number is the order in which they were set.
    private (long Deadline, long Number, int Index)[] _heap = [];
    private int _heaped;
    private long _numbers;
    private int _tidyFrom = NotTidied;

    // Stays when the ring runs empty: among equal deadlines, those of the ring are then always the older ones.
    private long _last = long.MinValue;

    /// <summary>Whether so many have come that most of them may have moved.</summary>
    internal bool IsUntidy => _count + _heaped > _tidyFrom;

    /// <summary>Whether the earliest one is due by this time.</summary>
    internal bool IsDue(long time, out (long Deadline, int Index) first)
    {
        if (_count + _heaped == 0)
        {
            first = default;
            return false;
        }

        first = IsRingFirst ? _ring[_head] : (_heap[0].Deadline, _heap[0].Index);
        return first.Deadline <= time;
    }

    internal void Set(long deadline, int index)
    {
        if (deadline < _last)
        {
            Push((deadline, _numbers++, index));
            return;
        }

        if (_count == _ring.Length)
        {
            Grow();
        }

        _last = deadline;
        _ring[(_head + _count++) & (_ring.Length - 1)] = (deadline, index);
    }

    internal void RemoveFirst()
    {
        if (IsRingFirst)
        {
            _head = (_head + 1) & (_ring.Length - 1);
            _count--;
        }
        else
        {
            _heap[0] = _heap[--_heaped];
            SiftDown(0);
        }
    }

    /// <summary>In order; for saved state.</summary>
    internal List<(long Deadline, int Index)> ToList() => [.. Enumerable.Range(0, _count).Select(i => _ring[(_head + i) & (_ring.Length - 1)])
        .Concat(_heap.Take(_heaped).OrderBy(item => item.Number).Select(item => (item.Deadline, item.Index)))
        .OrderBy(item => item.Deadline)];

    /// <summary>Drops what has moved, and tells the others where their keys are now.</summary>
    internal void Tidy<TOwner>(TOwner owner, ReadOnlySpan<int> places)
        where TOwner : IDeadlineOwner
    {
        int mask = _ring.Length - 1;
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            var (deadline, index) = _ring[(_head + i) & mask];
            if (places[index] >= 0 && owner.Has(deadline, places[index], this))
            {
                _ring[(_head + kept++) & mask] = (deadline, places[index]);
            }
        }

        _count = kept;
        kept = 0;
        for (int i = 0; i < _heaped; i++)
        {
            var (deadline, number, index) = _heap[i];
            if (places[index] >= 0 && owner.Has(deadline, places[index], this))
            {
                _heap[kept++] = (deadline, number, places[index]);
            }
        }

        _heaped = kept;
        for (int i = (_heaped / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }

        _tidyFrom = NotTidied + ((_count + _heaped) * 2);
    }

    private bool IsRingFirst => _count > 0 && (_heaped == 0 || _ring[_head].Deadline <= _heap[0].Deadline);

    private void Push((long Deadline, long Number, int Index) item)
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

    private static bool IsBefore(in (long Deadline, long Number, int Index) a, in (long Deadline, long Number, int Index) b) =>
        a.Deadline < b.Deadline || (a.Deadline == b.Deadline && a.Number < b.Number);

    private void Grow()
    {
        var larger = new (long, int)[_ring.Length * 2];
        int first = _ring.Length - _head;
        _ring.AsSpan(_head).CopyTo(larger);
        _ring.AsSpan(0, _head).CopyTo(larger.AsSpan(first));
        (_ring, _head) = (larger, 0);
    }
}

/// <summary>Knows which deadlines its keys have at the moment.</summary>
internal interface IDeadlineOwner
{
    bool Has(long deadline, int index, Deadlines among);
}
