namespace IoT.Cep;

/// <content>What is done to all events, and seldom.</content>
internal sealed partial class EventQueue<TMore>
{
    /// <summary>The numbers of all events, from the oldest.</summary>
    internal (uint First, int Count) Numbers => ((uint)_first, Count);

    /// <summary>Takes events out, in order: those of which this says so. Numbers change.</summary>
    internal void RemoveWhere<TArgument>(TArgument argument, Func<TArgument, Entry, bool, bool> isOut)
    {
        long at = _first, kept = _first, keptRun = _firstRun, waiting = -1, waitingRun = -1;
        for (long run = _firstRun; run < _endRun; run++)
        {
            if (at == _waiting)
            {
                (waiting, waitingRun) = (kept, keptRun);
            }

            var of = _runs[(int)run & _runMask];
            long before = kept;
            for (; (uint)at != of.End; at++)
            {
                var entry = _ring[(int)at & _mask];
                if (!isOut(argument, entry, at >= _waiting))
                {
                    _ring[(int)kept++ & _mask] = entry;
                }
            }

            if (kept > before)
            {
                _runs[(int)keptRun++ & _runMask] = of with { End = (uint)kept };
            }
        }

        (_waiting, _waitingRun) = _waiting == _end ? (kept, keptRun) : (waiting, waitingRun);
        (_end, _endRun) = (kept, keptRun);
    }

    /// <summary>All events in order, their times, and whether each waits.</summary>
    internal IEnumerable<(long Ticks, Entry Entry, bool Waits)> All()
    {
        long at = _first;
        for (long run = _firstRun; run < _endRun; run++)
        {
            for (var of = _runs[(int)run & _runMask]; (uint)at != of.End; at++)
            {
                var entry = _ring[(int)at & _mask];
                yield return (of.Ticks, entry, at >= _waiting && !entry.IsDone);
            }
        }
    }

    /// <summary>Adds saved events, those of several shards in several calls. Numbers change.</summary>
    internal void Load(IEnumerable<(long Ticks, Entry Entry, bool Waits)> saved)
    {
        var all = All().Concat(saved).OrderBy(one => one.Ticks).ToList();
        (_first, _end, _waiting) = (0, 0, 0);
        (_firstRun, _waitingRun, _endRun) = (0, 0, 0);
        Ensure(all.Count);
        foreach (var (ticks, entry, waits) in all)
        {
            bool passes = !waits && !HasWaiting;
            if (passes && _endRun > 0 && _runs[(int)(_endRun - 1) & _runMask].Ticks == ticks)
            {
                // One run with those that have passed before it.
                (_waiting, _waitingRun) = (_waiting - 1, _endRun - 1);
                Add(ticks, entry.Place) = entry.More;
                _waiting += 2;
                _waitingRun++;
                continue;
            }

            Add(ticks, entry.Place) = entry.More;
            _ring[(int)(_end - 1) & _mask].IsDone = !waits;
            if (passes)
            {
                PassRun(1);
            }
        }
    }
}
