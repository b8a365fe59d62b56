using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// The events of all keys' windows in order of time: first those whose own results have been given out and that are still in others' windows,
/// then those that wait for their results. A ring that grows and shrinks by halves.
/// </summary>
/// <typeparam name="TMore">What is kept of an event besides its time and its key's place.</typeparam>
internal sealed class EventQueue<TMore> : IDisposable
    where TMore : struct
{
    private const int Initial = 1024;

    private Entry[] _ring = [];
    private int _mask = -1;
    private long _first;
    private long _waiting;
    private long _end;

    internal int Count => (int)(_end - _first);

    internal bool IsEmpty => _first == _end;

    internal bool HasWaiting => _waiting < _end;

    /// <summary>How many wait for their results.</summary>
    internal int Waiting => (int)(_end - _waiting);

    /// <summary>The number of the event that was added last; numbers follow one another, and begin again at 0 behind the last of 32 bits.</summary>
    internal uint LastNumber => (uint)_end - 1;

    /// <summary>The oldest event; there is one.</summary>
    internal ref Entry First => ref _ring[(int)_first & _mask];

    /// <summary>The oldest event that waits, and those behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry WaitingAt(int index) => ref _ring[(int)(_waiting + index) & _mask];

    /// <summary>All that wait, as a loop sees them, in registers; stale once an event was added.</summary>
    internal WaitingEvents AllWaiting => new(_ring, _mask, (int)_waiting, Waiting);

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
        ref var added = ref _ring[(int)_end++ & _mask];
        added.Ticks = ticks;
        added.Place = place;
        return ref added.More;
    }

    /// <summary>So many results have been given out.</summary>
    internal void Pass(int count) => _waiting += count;

    /// <summary>Forgets the oldest event, which does not wait, and says its number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint RemoveFirst() => (uint)_first++;

    /// <summary>Gives memory back where most of it is not needed any more.</summary>
    internal void Trim()
    {
        if (_mask >= Initial && (_end - _first) * 8 < _mask)
        {
            Resize((_mask + 1) / 2);
        }
    }

    /// <summary>Takes events out, in order: those of which this says so. Numbers change.</summary>
    internal void RemoveWhere<TArgument>(TArgument argument, Func<TArgument, Entry, bool, bool> isOut)
    {
        long kept = _first, waiting = _waiting;
        for (long at = _first; at < _end; at++)
        {
            if (at == _waiting)
            {
                waiting = kept;
            }

            var entry = _ring[(int)at & _mask];
            if (!isOut(argument, entry, at >= _waiting))
            {
                _ring[(int)kept++ & _mask] = entry;
            }
        }

        (_waiting, _end) = (_waiting == _end ? kept : waiting, kept);
    }

    /// <summary>All events in order, and whether each waits.</summary>
    internal IEnumerable<(Entry Entry, bool Waits)> All()
    {
        for (long at = _first; at < _end; at++)
        {
            var entry = _ring[(int)at & _mask];
            yield return (entry, at >= _waiting && !entry.IsDone);
        }
    }

    /// <summary>The numbers of all events, from the oldest.</summary>
    internal (uint First, int Count) Numbers => ((uint)_first, Count);

    /// <summary>Adds saved events, those of several shards in several calls. Numbers change.</summary>
    internal void Load(IEnumerable<(Entry Entry, bool Waits)> saved)
    {
        var all = All().Concat(saved).OrderBy(one => one.Entry.Ticks).ToList();
        (_first, _end, _waiting) = (0, 0, 0);
        Ensure(all.Count);
        foreach (var (entry, waits) in all)
        {
            Add(entry.Ticks, entry.Place) = entry.More;
            WaitingAt((int)(_end - _waiting) - 1).IsDone = !waits;
            if (!waits && _waiting == _end - 1)
            {
                _waiting++;
            }
        }
    }

    public void Dispose()
    {
        Pooled.Return(ref _ring, 0);
        (_mask, _first, _waiting, _end) = (-1, 0, 0, 0);
    }

    private void Resize(int length)
    {
        var resized = Pooled.Rent<Entry>(length);
        if (_end > _first)
        {
            // The events are one run or two in the old ring, and as many in the new one.
            for (long at = _first; at < _end;)
            {
                int from = (int)at & _mask, to = (int)at & (length - 1);
                int run = (int)Math.Min(_end - at, Math.Min(_mask + 1 - from, length - to));
                _ring.AsSpan(from, run).CopyTo(resized.AsSpan(to));
                at += run;
            }
        }

        Pooled.Return(ref _ring, 0);
        (_ring, _mask) = (resized, length - 1);
    }

    /// <summary>The events that wait, oldest first. What the mask leaves is inside the ring, which is not checked again.</summary>
    internal readonly ref struct WaitingEvents(Entry[] ring, int mask, int first, int count)
    {
        private readonly ref Entry _ring = ref MemoryMarshal.GetArrayDataReference(ring);

        internal int Count => count;

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

        internal long Ticks;
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
}
