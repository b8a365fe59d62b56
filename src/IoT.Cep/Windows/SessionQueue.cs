using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>When a key had an event: its session's last one, unless the session has moved since.</summary>
internal readonly record struct LastEvent(long Time, int Index);

/// <summary>
/// What may be over, by the times of keys' events, equal ones in the order in which they came. Nothing is taken out when a session moves: whoever
/// takes an entry looks whether its key still has a session that ends there.
/// </summary>
/// <remarks>
/// All sessions have one gap, so what comes in order of time ends in order as well and stands in a ring. Only what is earlier goes to a heap. A session
/// that moves on says so by a bit, where it can: so whoever looks for what is over passes 64 events at once, and touches no session that is not over.
/// </remarks>
internal sealed class SessionQueue
{
    private const int NotTidied = 1024;
    private const int WordBits = 64;

    // A ring by running numbers, whose differences are right even where they have gone round.
    private LastEvent[] _ring = new LastEvent[WordBits];

    // A bit for each place in the ring, where a session has moved on from it. What it is for places without an entry has no meaning.
    private ulong[] _moved = new ulong[1];
    private int _first;
    private int _next;

    // A binary heap by time and order of setting.
    private (LastEvent Event, long Order)[] _heap = [];
    private int _heaped;
    private long _orders;
    private long _returnedOrders = long.MinValue;

    // Stays when the ring runs empty: among equal times, those of the ring are then always the older ones.
    private long _last = long.MinValue;
    private int _tidyFrom = NotTidied;

    /// <summary>Whether so many have come that most of them may have moved.</summary>
    internal bool IsUntidy => Count > _tidyFrom;

    private int Count => _next - _first + _heaped;

    /// <summary>Adds what a key's session ends with, and gives its number in the ring, which has a meaning only while there is nothing out of order.</summary>
    internal int Add(long time, int index)
    {
        if (time < _last)
        {
            Push((new LastEvent(time, index), _orders++));
            return _next;
        }

        Reserve(1).Add(time, index);
        return _next - 1;
    }

    /// <summary>Makes room for so many in order, and lets a loop add them; stale once anything else was added.</summary>
    internal Writer Reserve(int count)
    {
        while (_next - _first + count > _ring.Length)
        {
            Grow();
        }

        for (int i = _next; i - _next < count; i += WordBits - (i & (WordBits - 1)))
        {
            // From here to the end of the word, since what follows has no entry: the ring has room for it.
            WordOf(i) &= Below(i & (WordBits - 1));
        }

        return new Writer(this);
    }

    /// <summary>Puts back what was taken out of the ring before anything that is in it now.</summary>
    internal void Return(long time, int index) => Push((new LastEvent(time, index), _returnedOrders++));

    /// <summary>The next ones in the ring, at most so many; stale once one was added.</summary>
    internal Reader InOrder(int most) => new(this, Math.Min(most, _next - _first));

    /// <summary>Takes so many out of the ring.</summary>
    internal void Take(int count) => _first += count;

    /// <summary>Takes the next one out of the ring that is not behind a time.</summary>
    private bool TryTakeInOrder(long upTo, out LastEvent taken)
    {
        var ring = _ring;
        int first = _first;
        taken = ring[first & (ring.Length - 1)];
        if (first == _next || taken.Time > upTo)
        {
            return false;
        }

        _first = first + 1;
        return true;
    }

    /// <summary>Takes the next one out of the heap that is not behind a time.</summary>
    internal bool TryTakeOutOfOrder(long upTo, out LastEvent taken)
    {
        taken = _heaped > 0 ? _heap[0].Event : default;
        if (_heaped == 0 || taken.Time > upTo)
        {
            return false;
        }

        _heap[0] = _heap[--_heaped];
        SiftDown(0);
        return true;
    }

    /// <summary>Takes the next one that is not behind a time.</summary>
    internal bool TryTake(long upTo, out LastEvent taken)
    {
        bool isHeapFirst = _heaped > 0 && (_first == _next || _heap[0].Event.Time < At(_first).Time);
        return isHeapFirst ? TryTakeOutOfOrder(upTo, out taken) : TryTakeInOrder(upTo, out taken);
    }

    /// <summary>In order; for saved state.</summary>
    internal IEnumerable<LastEvent> All() => Enumerable.Range(0, _next - _first).Select(i => At(_first + i))
        .Concat(_heap.Take(_heaped).OrderBy(item => item.Order).Select(item => item.Event))
        .OrderBy(last => last.Time);

    /// <summary>Drops what has moved, and tells the others where their keys are now.</summary>
    internal void Tidy<TKey, TState>(SessionTable<TKey, TState> sessions, SessionPhase phase, ReadOnlySpan<int> places)
        where TKey : notnull
        where TState : struct
    {
        int kept = _first;
        for (int i = _first; i != _next; i++)
        {
            var last = At(i);
            int index = places[last.Index];
            int place = index >= 0 ? sessions.Find(index, last.Time, phase) : -1;
            if (place >= 0)
            {
                if (phase == SessionPhase.Changed)
                {
                    sessions.At(index, place).Due = kept;
                }

                At(kept++) = new LastEvent(last.Time, index);
            }
        }

        _next = kept;
        Array.Clear(_moved);
        kept = 0;
        for (int i = 0; i < _heaped; i++)
        {
            var (last, order) = _heap[i];
            int index = places[last.Index];
            if (index >= 0 && sessions.Find(index, last.Time, phase) >= 0)
            {
                _heap[kept++] = (new LastEvent(last.Time, index), order);
            }
        }

        _heaped = kept;
        for (int i = (_heaped / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }

        _tidyFrom = NotTidied + (Count * 2);
    }

    private ref LastEvent At(int number) => ref _ring[number & (_ring.Length - 1)];

    private ref ulong WordOf(int number) => ref _moved[(number & (_ring.Length - 1)) / WordBits];

    private static ulong Below(int bit) => (1UL << bit) - 1;

    private void Grow()
    {
        var (old, moved) = (_ring, _moved);
        _ring = new LastEvent[old.Length * 2];
        _moved = new ulong[moved.Length * 2];
        for (int i = _first; i != _next; i++)
        {
            int at = i & (old.Length - 1);
            At(i) = old[at];
            WordOf(i) |= (moved[at / WordBits] >> (at & (WordBits - 1)) & 1) << (i & (WordBits - 1));
        }
    }

    private void Push((LastEvent Event, long Order) item)
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

    private static bool IsBefore(in (LastEvent Event, long Order) a, in (LastEvent Event, long Order) b) =>
        a.Event.Time < b.Event.Time || (a.Event.Time == b.Event.Time && a.Order < b.Order);

    /// <summary>The queue as a loop that adds in order sees it, in registers.</summary>
    internal ref struct Writer
    {
        private readonly SessionQueue _queue;
        private readonly ref LastEvent _ring;
        private readonly ref ulong _moved;
        private readonly int _mask;

        // 1 while all that is due stands in the ring, so that sessions know where.
        private readonly ulong _one;
        private int _next;

        internal Writer(SessionQueue queue)
        {
            _queue = queue;
            _ring = ref MemoryMarshal.GetArrayDataReference(queue._ring);
            _moved = ref MemoryMarshal.GetArrayDataReference(queue._moved);
            _mask = queue._ring.Length - 1;
            _one = queue._heaped == 0 ? 1UL : 0UL;
            _next = queue._next;
        }

        /// <summary>What is added must not be before this.</summary>
        internal readonly long Last => _queue._last;

        /// <summary>Adds what a new session ends with, and gives its number.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal int Add(long time, int index)
        {
            // Told at once, since a loop may end by an exception.
            Unsafe.Add(ref _ring, _next & _mask) = new LastEvent(time, index);
            _queue._next = ++_next;
            _queue._last = time;
            return _next - 1;
        }

        /// <summary>
        /// The same, without telling the queue, for a session that moves on from a number where <paramref name="goesOn"/> has all bits, and for a new
        /// one where it has none: without a jump.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal int Move(long time, int index, int number, long goesOn)
        {
            Unsafe.Add(ref _ring, _next & _mask) = new LastEvent(time, index);
            Unsafe.Add(ref _moved, (uint)(number & _mask) / WordBits) |= ((ulong)goesOn & _one) << number;
            return _next++;
        }

        /// <summary>Tells the queue what was added, if anything was, and the time of the last.</summary>
        internal readonly void Tell(long last)
        {
            if (_queue._next != _next)
            {
                _queue._next = _next;
                _queue._last = last;
            }
        }
    }

    /// <summary>The ring as a loop that takes out of it sees it, in registers.</summary>
    internal readonly ref struct Reader
    {
        private readonly ref LastEvent _ring;
        private readonly ref ulong _moved;
        private readonly int _mask;
        private readonly int _first;

        internal Reader(SessionQueue queue, int count)
        {
            _ring = ref MemoryMarshal.GetArrayDataReference(queue._ring);
            _moved = ref MemoryMarshal.GetArrayDataReference(queue._moved);
            _mask = queue._ring.Length - 1;
            _first = queue._first;
            Count = count;
        }

        internal int Count { get; }

        /// <summary>The one so far behind the first; anything where there is none.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal LastEvent At(int number) => Unsafe.Add(ref _ring, (uint)((_first + number) & _mask));

        /// <summary>Those of the next ones that may be over, a bit for each, from this one to the end of its word; and how many these are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ulong From(int number, out int count)
        {
            int at = (_first + number) & _mask;
            int bit = at & (WordBits - 1);
            count = Math.Min(WordBits - bit, Count - number);
            return ~Unsafe.Add(ref _moved, (uint)at / WordBits) >> bit & (ulong.MaxValue >> (WordBits - count));
        }
    }
}
