using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The keys of windows that follow from time alone: how they come and go, and how all of it is saved.</summary>
internal sealed partial class TimeWindowOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>One in so many keys gives way at a time, so that looking for them costs little for each.</summary>
    private const int EvictedShare = 64;

    private (long Touched, int Number)[] _idle = [];
    private long[] _spare = [];

    internal override bool EvictsKeys => true;

    internal override void Save(StateWriter writer)
    {
        var keyCodec = StateCodec.Require<TKey>();
        writer.Int64(_watermark);
        writer.Int32(_keys.Live);
        if (_keys.Live > 0)
        {
            int[] numbers = _keys.InOrder().ToArray();
            writer.Int64(_touches);
            foreach (int number in numbers)
            {
                keyCodec.Write(writer, _keys.At(number).Key);
                writer.Int64(_lastEvents[number]);
                writer.Int64(Evicts ? _touched[number] : 0);
                _lives.Save(writer, number);
            }

            _panes.Save(writer, numbers);
            _held.Save(writer, numbers);
        }

        // Corrections and early results wait for the next watermark.
        _output.Save(writer);

        // Keys may have given way in a window that is open although none is left.
        _lives.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        (_fired, _pastUpTo) = (_watermark, _windows.EarliestStart(_windows.GoneUpTo(_watermark)));
        int count = reader.Int32();
        if (count > 0)
        {
            int[] numbers = new int[count];
            _touches = Math.Max(_touches, reader.Int64());
            for (int i = 0; i < count; i++)
            {
                var key = StateCodec.Require<TKey>().Read(reader);
                long last = reader.Int64(), touched = reader.Int64();
                int ordinal = reader.Int32();
                numbers[i] = _owned.Contains(StableHash.GroupOf(key)) ? _keys.Add(key, (uint)key.GetHashCode()) : -1;
                Fit();
                if (numbers[i] >= 0)
                {
                    _lastEvents[numbers[i]] = last;
                    _touched[Evicts ? numbers[i] : 0] = touched;
                    _lives.Load(numbers[i], ordinal);
                }
            }

            _pool.Used = _keys.Count;
            _panes.Load(reader, numbers);
            _held.Load(reader, numbers, _watermark);
        }

        _output.Load(reader, _owned);
        _lives.Load(reader);
    }

    /// <summary>Takes a new key in; false where it is refused. Views of the index are stale then, and the pane's column may be another.</summary>
    private bool TryAddKey(TKey id, uint hash, long pane, in T value, long ticks, out int number)
    {
        number = -1;
        if (_keys.IsFull)
        {
            if (_key.WhenFull == WhenKeysFull.Refuse)
            {
                Query.Refuse(this, value, ticks, _keys.MaxKeys);
                return false;
            }

            if (!Evicts)
            {
                throw new KeyLimitException(_keys.MaxKeys);
            }

            EvictIdle();
        }

        number = _keys.Add(id, hash);
        Fit();
        _lastEvents[number] = pane;
        _lives.Begin(number);
        return true;
    }

    /// <summary>Makes all columns as long as there are numbers.</summary>
    private void Fit()
    {
        if (_keys.Capacity == _pool.Capacity)
        {
            return;
        }

        _pool.Resize(_keys.Capacity);
        Array.Resize(ref _lastEvents, _keys.Capacity);
        Array.Resize(ref _touched, Evicts ? _keys.Capacity : 1);
        _lives.Resize(_keys.Capacity);
        _panes.Grow();
        _held.Grow();
    }

    /// <summary>Forgets windows that take nothing more, and the keys that have events in none.</summary>
    private void ForgetPast(long time)
    {
        _held.Forget(time == long.MaxValue ? time : _windows.GoneUpTo(time));
        long past = time == long.MaxValue ? time : _windows.EarliestStart(_windows.GoneUpTo(time));
        if (past != _pastUpTo)
        {
            _pastUpTo = past;
            var last = _lastEvents.AsSpan(0, _keys.Count);
            for (int number = 0; number < last.Length; number++)
            {
                if (last[number] < past && _keys.At(number).IsLive && !_panes.IsInOpenPane(number))
                {
                    Forget(number);
                }
            }
        }

        if (_keys.WantsSorting)
        {
            SortKeys();
        }
    }

    private void Forget(int number)
    {
        _panes.Clear(number);
        _held.Clear(number);
        _keys.Forget(number);
    }

    private void SortKeys()
    {
        var order = _keys.Sort();
        _pool.Resize(_keys.Capacity);
        _panes.Sort(order);
        _held.Sort(order);
        Sort(ref _lastEvents, order);
        if (Evicts)
        {
            Sort(ref _touched, order);
            _lives.Sort(order, _keys.Capacity);
        }

        _pool.Used = _keys.Count;
    }

    private void Sort(ref long[] column, ReadOnlySpan<int> order)
    {
        long[] sorted = _spare.Length == _keys.Capacity ? _spare : new long[_keys.Capacity];
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = column[order[i]];
        }

        Array.Clear(column);
        (column, _spare) = (sorted, column);
    }

    private void EvictIdle()
    {
        _lives.Evict();
        int live = 0;
        Array.Resize(ref _idle, Math.Max(_idle.Length, _keys.Live));
        for (int number = 0; number < _keys.Count; number++)
        {
            if (_keys.At(number).IsLive)
            {
                _idle[live++] = (_touched[number], number);
            }
        }

        _idle.AsSpan(0, live).Sort();
        foreach (var (_, number) in _idle.AsSpan(0, Math.Max(1, live / EvictedShare)))
        {
            GiveEarly(number);
            Forget(number);
            Interlocked.Increment(ref Query.EvictedKeys);
        }

        if (_keys.WantsSorting)
        {
            SortKeys();
        }
    }

    /// <summary>Gives what a key's open windows have.</summary>
    private void GiveEarly(int number)
    {
        var (key, group) = (_keys.At(number).Key, _keys.At(number).Group);
        _held.GiveEarly(number, key, group);
        for (int series = 0; series < _windows.SeriesCount && !_isEarly; series++)
        {
            var (oldest, last) = _panes.Extent;
            for (var (start, end) = _windows.FirstWindow(series, Math.Max(_watermark, oldest)); start <= last; (start, end) = _windows.FirstWindow(series, end))
            {
                TState state = default;
                _panes.Gather(series, start, end, number, ref state);
                if (_kernel.HasEvents(in state))
                {
                    _output.Emit(new WindowInfo<TKey>(key, start, end, Firing.Early), group, ref state, end - 1, _lives.OrdinalOf(number));
                    _kernel.Release(ref state);
                }
            }
        }
    }
}
