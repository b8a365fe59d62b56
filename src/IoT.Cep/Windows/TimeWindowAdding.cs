using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>The loops over events of windows that follow from time alone.</summary>
internal sealed partial class TimeWindowOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>Half of the second cache of the cores that servers have: beyond it look-ups run ahead of updates.</summary>
    private const int MaxSmallBytes = 512 * 1024;

    /// <summary>So many events are looked up before the first is added: as many states as fit the first cache.</summary>
    private const int LookedUpTogether = 256;

    /// <summary>The pane that events are added to; a field, so that a loop need not keep it in a register for the rare new key.</summary>
    private PaneColumn<TState>? _filling;

    /// <summary>Adds a run of events of one pane. Each way goes on until a new key gives the index another form.</summary>
    private void AddRun(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, PaneColumn<TState> pane)
    {
        _filling = pane;
        for (int next = start; next < events.Length;)
        {
            next = Evicts ? AddTouching(events, ticks, next)
                : (long)_keys.Capacity * Unsafe.SizeOf<TState>() > MaxSmallBytes ? AddAhead(events[..Math.Min(next + LookedUpTogether, events.Length)], ticks, next)
                : _keys.Places is not null ? AddToPlaces(events, ticks, next)
                : AddToFew(events, ticks, next);
        }
    }

    /// <summary>Where windows by device number spend their time. What it needs over a call fits the registers that calls leave alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToPlaces(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (keyOf, places, states) = (_key.Select, _keys.Places!, _filling!.States);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            ulong place = WholeNumber.Of(id);
            if (place < (ulong)places.Length && places[place] is > 0 and int number)
            {
                // Columns are as long as there are numbers.
                _kernel.Add(ref At(states, number - 1), in events[i], in selected, TimeOf(ticks, i));
                continue;
            }

            AddFirst(id, in events[i], selected, ticks[i]);
            if (_keys.Places is null)
            {
                return i + 1;
            }

            (places, states) = (_keys.Places, _filling.States);
        }

        return events.Length;
    }

    /// <summary>The same for all other keys while there are not many.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToFew(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (keyOf, states) = (_key.Select, _filling!.States);
        var view = new KeyIndex<TKey>.View(_keys);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            int number = view.Find(id, (uint)id.GetHashCode());
            if (number >= 0)
            {
                _kernel.Add(ref At(states, number), in events[i], in selected, TimeOf(ticks, i));
                continue;
            }

            AddFirst(id, in events[i], selected, ticks[i]);
            if (_keys.Places is not null)
            {
                return i + 1;
            }

            view = new KeyIndex<TKey>.View(_keys);
            states = _filling.States;
        }

        return events.Length;
    }

    /// <summary>Keys in any form, where those that send nothing give way: who sent last has to be known.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddTouching(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (keyOf, states, touched) = (_key.Select, _filling!.States, _touched);
        var view = new KeyIndex<TKey>.View(_keys);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            int number = view.Find(id, (uint)id.GetHashCode());
            if (number >= 0)
            {
                _kernel.Add(ref At(states, number), in events[i], in selected, TimeOf(ticks, i));
            }
            else
            {
                number = AddFirst(id, in events[i], selected, ticks[i]);
                view = new KeyIndex<TKey>.View(_keys);
                (states, touched) = (_filling.States, _touched);
            }

            touched[number] = ++_touches;
        }

        return events.Length;
    }

    /// <summary>Adds the first event of a key; gives its number, or -1 where the key is refused.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddFirst(TKey id, in T value, TValue selected, long ticks)
    {
        if (TryAddKey(id, (uint)id.GetHashCode(), _filling!.Start, in value, ticks, out int number))
        {
            _kernel.Add(ref _filling.States[number], in value, in selected, ticks);
        }

        return number;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref TState At(TState[] states, int number) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(states), number);

    /// <summary>An event's time where the kernel asks for it: a loop that does without needs no register for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long TimeOf(ReadOnlySpan<long> ticks, int index) => TKernel.UsesTime ? ticks[index] : 0;

    /// <summary>
    /// Many keys: selectors and look-ups run ahead, so that nothing stands between one update that misses the cache and the next. Where a selector
    /// throws, what was looked up before is added first, as everywhere.
    /// </summary>
    private int AddAhead(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        Pooled.Ensure(ref _numbers, LookedUpTogether);
        Pooled.Ensure(ref _selected, LookedUpTogether);
        try
        {
            for (Position = start; Position < events.Length;)
            {
                if (_keys.Places is not null)
                {
                    LookUpPlaces(events, ticks, Position, start);
                }
                else
                {
                    LookUp(events, ticks, Position, start);
                }
            }
        }
        finally
        {
            int end = Position;
            AddNumbered(events[..end], ticks[..end], start, _filling!.States);
            Position = end;
        }

        return events.Length;
    }

    /// <summary>Notes the number of each event's key and what was selected, in columns that begin with the first of them, until keys no longer say their places.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LookUpPlaces(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int next, int first)
    {
        var (keyOf, kernel, places, states) = (_key.Select, _kernel, _keys.Places!, _filling!.States);
        ref int number = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_numbers), next - first);
        ref TValue selected = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_selected), next - first);
        for (int i = next; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            selected = kernel.Select(in events[i]);
            selected = ref Unsafe.Add(ref selected, 1);
            ulong place = WholeNumber.Of(id);
            int known = place < (ulong)places.Length ? places[place] - 1 : -1;
            if (known >= 0)
            {
                Ahead.PrefetchAt(ref At(states, known));
                number = known;
                number = ref Unsafe.Add(ref number, 1);
                continue;
            }

            number = NumberOfNew(id, in events[i], ticks[i]);
            number = ref Unsafe.Add(ref number, 1);
            if (_keys.Places is null)
            {
                Position = i + 1;
                return;
            }

            (places, states) = (_keys.Places, _filling.States);
        }

        Position = events.Length;
    }

    /// <summary>The same for all other keys.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LookUp(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int next, int first)
    {
        var (keyOf, kernel, numbers, allSelected, states) = (_key.Select, _kernel, _numbers, _selected, _filling!.States);
        var view = new KeyIndex<TKey>.View(_keys);
        for (int i = next; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            allSelected[i - first] = kernel.Select(in events[i]);
            int number = view.Find(id, (uint)id.GetHashCode());
            if (number < 0)
            {
                number = NumberOfNew(id, in events[i], ticks[i]);
                view = new KeyIndex<TKey>.View(_keys);
                states = _filling.States;
            }

            numbers[i - first] = number;
            Ahead.PrefetchAt(ref At(states, number));
        }

        Position = events.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int NumberOfNew(TKey id, in T value, long ticks)
    {
        TryAddKey(id, (uint)id.GetHashCode(), _filling!.Start, in value, ticks, out int number);
        return number;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddNumbered(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start, TState[] states)
    {
        var kernel = _kernel;
        ref var first = ref MemoryMarshal.GetArrayDataReference(states);
        ref int numbers = ref MemoryMarshal.GetArrayDataReference(_numbers);
        ref TValue selected = ref MemoryMarshal.GetArrayDataReference(_selected);
        for (int i = 0; i < events.Length - start; i++)
        {
            Position = start + i;
            int number = Unsafe.Add(ref numbers, i);
            if (number >= 0)
            {
                kernel.Add(ref Unsafe.Add(ref first, number), in events[start + i], in Unsafe.Add(ref selected, i), TimeOf(ticks, start + i));
            }
        }
    }

    /// <summary>Adds an event that is late, or whose windows give results early.</summary>
    private void AddOne(in T value, long ticks)
    {
        if (ticks < _pastUpTo)
        {
            if (!_windows.MovesLate)
            {
                Interlocked.Increment(ref Query.LateEvents);
                return;
            }

            Interlocked.Increment(ref Query.MovedEvents);
            ticks = _windows.GoneUpTo(_watermark);
        }

        var id = _key.Select(value);
        var selected = _kernel.Select(in value);
        long pane = _windows.PaneAt(ticks).Start;
        uint hash = (uint)id.GetHashCode();
        int number = _keys.Find(id);
        if (number < 0 && !TryAddKey(id, hash, pane, in value, ticks, out number))
        {
            return;
        }

        _pool.Used = _keys.Count;
        if (_isHeld)
        {
            _held.Add(in value, in selected, ticks, number, id, _keys.At(number).Group, _watermark);
        }

        if (!_isEarly && ticks >= _windows.EarliestStart(_watermark))
        {
            if (_windows.NextEnd(ticks) > _watermark)
            {
                _kernel.Add(ref _panes.Open(ticks).States[number], in value, in selected, ticks);
            }
            else
            {
                _panes.AddClosed(number, in value, in selected, ticks, _watermark);
            }
        }

        _lastEvents[number] = Math.Max(_lastEvents[number], pane);
        if (Evicts)
        {
            _touched[number] = ++_touches;
        }
    }
}
