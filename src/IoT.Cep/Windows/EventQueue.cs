using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// The events of all keys' windows in order of time: first those whose own results have been given out and that are still in others' windows,
/// then those that wait for their results. A ring that grows and shrinks by halves. Times stand apart, each once for all events that have it one behind the
/// other: so an event has 16 bytes where it has a number.
/// </summary>
/// <typeparam name="TMore">What is kept of an event besides its time and its key's place.</typeparam>
internal sealed partial class EventQueue<TMore> : IDisposable
    where TMore : struct
{
    private const int Initial = 1024;

    private Entry[] _ring = [];
    private int _mask = -1;
    private long _first;
    private long _waiting;
    private long _end;

    // The runs of events of one time; those that wait begin with a run of their own.
    private Run[] _runs = [];
    private int _runMask = -1;
    private long _firstRun;
    private long _waitingRun;
    private long _endRun;

    internal int Count => (int)(_end - _first);

    internal bool IsEmpty => _first == _end;

    internal bool HasWaiting => _waiting < _end;

    /// <summary>The number of the event that was added last; numbers follow one another, and begin again at 0 behind the last of 32 bits.</summary>
    internal uint LastNumber => (uint)_end - 1;

    /// <summary>The time of the oldest event; there is one.</summary>
    internal long FirstTicks => _runs[(int)_firstRun & _runMask].Ticks;

    /// <summary>How many events behind the oldest one have its time, with it.</summary>
    internal int FirstRun => (int)(_runs[(int)_firstRun & _runMask].End - (uint)_first);

    /// <summary>The time of the oldest event that waits; there is one.</summary>
    internal long WaitingTicks => _runs[(int)_waitingRun & _runMask].Ticks;

    /// <summary>Those that wait and have the oldest one's time, as a loop sees them, in registers; stale once an event was added.</summary>
    internal Events WaitingRun => new(_ring, _mask, (int)_waiting, (int)(_runs[(int)_waitingRun & _runMask].End - (uint)_waiting));

    /// <summary>So many events from the oldest on, and what stands behind them.</summary>
    internal Events Oldest(int count) => new(_ring, _mask, (int)_first, count);

    /// <summary>Room for so many events behind the youngest, which are there once they were added; it is made first.</summary>
    internal Events Room(int count) => new(_ring, _mask, (int)_end, count);

    /// <summary>The oldest event; there is one.</summary>
    internal ref Entry First => ref _ring[(int)_first & _mask];

    /// <summary>An event that is still there, by its number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry Numbered(uint number) => ref _ring[(int)number & _mask];

    /// <summary>An event a little behind the oldest, to ask for its key ahead; where there are not so many, anything that stands there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry Behind(int near) => ref _ring[(int)(_first + near) & _mask];

    /// <summary>Makes room for so many more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Ensure(int more)
    {
        while (_end - _first + more > _mask + 1L)
        {
            Resize(Math.Max(Initial, (_mask + 1) * 2));
        }
    }

    /// <summary>Adds an event, for which there is room; what more is kept of it is still to be written there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref TMore Add(long ticks, int place)
    {
        Debug.Assert(_end - _first <= _mask, "Nobody made room.");
        ref var added = ref _ring[(int)_end & _mask];
        added.Place = place;
        Added(ticks, 1);
        return ref added.More;
    }

    /// <summary>So many events of one time were written to the room behind the youngest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Added(long ticks, int count)
    {
        if (count == 0)
        {
            return;
        }

        if (_waiting == _end || _runs[(int)(_endRun - 1) & _runMask].Ticks != ticks)
        {
            BeginRun(ticks);
        }

        _end += count;
        _runs[(int)(_endRun - 1) & _runMask].End = (uint)_end;
    }

    /// <summary>So many results have been given out: those of the events of one time.</summary>
    internal void PassRun(int count)
    {
        _waiting += count;
        Debug.Assert(_runs[(int)_waitingRun & _runMask].End == (uint)_waiting, "Another number of events has this time.");
        _waitingRun++;
    }

    /// <summary>Forgets the oldest events, which do not wait and have one time, and says the number of the first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint RemoveFirst(int count)
    {
        uint number = (uint)_first;
        _first += count;
        if (_runs[(int)_firstRun & _runMask].End == (uint)_first)
        {
            _firstRun++;
        }

        return number;
    }

    /// <summary>Gives memory back where most of it is not needed any more.</summary>
    internal void Trim()
    {
        if (_mask >= Initial && (_end - _first) * 8 < _mask)
        {
            Resize((_mask + 1) / 2);
        }

        if (_runMask >= Initial && (_endRun - _firstRun) * 8 < _runMask)
        {
            Pooled.ResizeRing(ref _runs, ref _runMask, _firstRun, _endRun, (_runMask + 1) / 2);
        }
    }

    public void Dispose()
    {
        Pooled.Return(ref _ring, _ring.Length);
        Pooled.Return(ref _runs, 0);
        (_mask, _first, _waiting, _end) = (-1, 0, 0, 0);
        (_runMask, _firstRun, _waitingRun, _endRun) = (-1, 0, 0, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void BeginRun(long ticks)
    {
        if (_endRun - _firstRun > _runMask)
        {
            Pooled.ResizeRing(ref _runs, ref _runMask, _firstRun, _endRun, Math.Max(Initial, (_runMask + 1) * 2));
        }

        _runs[(int)_endRun++ & _runMask] = new Run { Ticks = ticks, End = (uint)_end };
    }

    private void Resize(int length) => Pooled.ResizeRing(ref _ring, ref _mask, _first, _end, length);

    /// <summary>Events that stand one behind the other. What the mask leaves is inside the ring, which is not checked again.</summary>
    internal readonly ref struct Events(Entry[] ring, int mask, int first, int count)
    {
        private readonly ref Entry _ring = ref MemoryMarshal.GetArrayDataReference(ring);

        internal int Count => count;

        internal uint Number => (uint)first;

        internal ref Entry this[int index]
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => ref Unsafe.Add(ref _ring, (uint)(first + index) & (uint)mask);
        }
    }

    /// <summary>An event of the key at a place.</summary>
    internal struct Entry
    {
        private const int Done = int.MinValue;

        private int _place;
        internal TMore More;

        /// <summary>The place, or a negative number for one that is done: the place with the sign.</summary>
        internal readonly int PlaceOrDone => _place;

        internal int Place
        {
            readonly get => _place & ~Done;
            set => _place = value;
        }

        /// <summary>Restored in front of others that still wait, its own result given out before.</summary>
        internal bool IsDone
        {
            readonly get => _place < 0;
            set => _place = value ? _place | Done : Place;
        }
    }

    /// <summary>Events of one time, up to the number of the one behind the last.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct Run
    {
        internal long Ticks;
        internal uint End;
    }
}
