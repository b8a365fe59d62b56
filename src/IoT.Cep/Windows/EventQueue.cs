using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The events of all keys' windows in order of time: first those whose own results have been given out and that are still in others' windows,
/// then those that wait for their results. A ring that grows and shrinks by halves.
/// </summary>
internal sealed class EventQueue : IDisposable
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

    /// <summary>The oldest event; there is one.</summary>
    internal ref Entry First => ref _ring[(int)_first & _mask];

    /// <summary>The oldest event that waits, and those behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Entry WaitingAt(int index) => ref _ring[(int)(_waiting + index) & _mask];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(long ticks, int place)
    {
        if (_end - _first > _mask)
        {
            Resize(Math.Max(Initial, (_mask + 1) * 2));
        }

        _ring[(int)_end++ & _mask] = new Entry { Ticks = ticks, Place = place };
    }

    /// <summary>So many results have been given out.</summary>
    internal void Pass(int count) => _waiting += count;

    /// <summary>Forgets the oldest event, which does not wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void RemoveFirst() => _first++;

    /// <summary>Gives memory back where most of it is not needed any more.</summary>
    internal void Trim()
    {
        if (_mask >= Initial && (_end - _first) * 8 < _mask)
        {
            Resize((_mask + 1) / 2);
        }
    }

    /// <summary>Takes events out, in order: those of which this says so.</summary>
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
    internal IEnumerable<(long Ticks, int Place, bool Waits)> All()
    {
        for (long at = _first; at < _end; at++)
        {
            var entry = _ring[(int)at & _mask];
            yield return (entry.Ticks, entry.Place, at >= _waiting && !entry.IsDone);
        }
    }

    /// <summary>Adds saved events, those of several shards in several calls.</summary>
    internal void Load(IEnumerable<(long Ticks, int Place, bool Waits)> saved)
    {
        var all = All().Concat(saved).OrderBy(entry => entry.Ticks).ToList();
        (_first, _end, _waiting) = (0, 0, 0);
        foreach (var (ticks, place, waits) in all)
        {
            Add(ticks, place);
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
        for (long at = _first; at < _end; at++)
        {
            resized[(int)at & (length - 1)] = _ring[(int)at & _mask];
        }

        Pooled.Return(ref _ring, 0);
        (_ring, _mask) = (resized, length - 1);
    }

    /// <summary>An event of the key at a place.</summary>
    internal struct Entry
    {
        internal long Ticks;
        internal int Place;

        /// <summary>Restored in front of others that still wait, its own result given out before.</summary>
        internal bool IsDone;
    }
}
