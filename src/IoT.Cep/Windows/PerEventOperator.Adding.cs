using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>The loops over events that come.</content>
internal sealed partial class PerEventOperator<TKey, T, TResult, TState, TItem, TWindow, TMore, TStates>
{
    /// <summary>Takes events of one time in, which is not before any other's.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Take(in Batch<T> batch, int from, int end)
    {
        var (keyOf, keys, queue, states, most) = (_key.Select, _keys, _events, _states, _windows.MaxEventsPerKey);
        var events = batch.Events[..end];
        long ticks = batch.Ticks[from];
        queue.Ensure(end - from);
        for (int i = from; i < events.Length; i++)
        {
            Position = i;
            ref readonly var value = ref events[i];
            Ahead.Prefetch(in value);
            var id = keyOf(value);
            var item = states.Take(in value, ticks);
            int place = keys.Find(id);
            if (place < 0)
            {
                place = keys.Add(id);
            }

            ref var window = ref keys.At(place).State;
            if (TStates.CountOf(in window) >= most)
            {
                MakeRoom(id, place);
            }

            states.Push(ref window, place, ticks, in item, ref queue.Add(ticks, place));
        }
    }

    /// <summary>
    /// The same where there are many: selectors run ahead, so that each loop has what it needs in registers; and where there are many keys, each one's window is
    /// asked for as soon as its place is known, so that those of many events come out of memory together. Where a selector throws, what was selected before is added first, as everywhere.
    /// </summary>
    private void TakeMany(in Batch<T> batch, int from, int end)
    {
        Pooled.Ensure(ref _ids, MaxAhead);
        Pooled.Ensure(ref _items, MaxAhead);
        Pooled.Ensure(ref _places, MaxAhead);
        long ticks = batch.Ticks[from];
        int selected = 0;
        try
        {
            SelectAhead(batch.Events[from..end], ticks, ref selected);
        }
        finally
        {
            AddSelected(from, selected, ticks);
            Position = from + selected;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SelectAhead(ReadOnlySpan<T> events, long ticks, ref int selected)
    {
        var (keyOf, keys, states) = (_key.Select, _keys, _states);
        var (ids, items, places) = (_ids, _items, _places);
        bool isMany = keys.Count > FewKeys;
        for (int i = 0; i < events.Length; i++)
        {
            selected = i;
            ref readonly var value = ref events[i];
            Ahead.Prefetch(in value);
            var id = keyOf(value);
            items[i] = states.Take(in value, ticks);
            ids[i] = id;
            int place = keys.Find(id);
            places[i] = place;
            if (isMany)
            {
                keys.Prefetch(place);
            }
        }

        selected = events.Length;
    }

    private void AddSelected(int from, int count, long ticks)
    {
        int most = _windows.MaxEventsPerKey;
        _events.Ensure(count);
        for (int done = 0; done < count;)
        {
            Position = from + done;
            int end = _places.AsSpan(done, count - done).IndexOf(-1);
            end = end < 0 ? count : done + end;
            if (done < end)
            {
                var places = _places.AsSpan(done, end - done);
                var items = _items.AsSpan(done, end - done);
                int added = TStates.IsPlain ? _states.PushAll(_keys, places, items, ticks, most) : PushEach(places, items, ticks, most);
                if (added < end - done)
                {
                    Position = from + done + added;
                    MakeRoom(_ids[done + added], _places[done + added]);
                }

                done += added;
            }
            else
            {
                // An event before it may have brought the key.
                int place = _keys.Find(_ids[done]);
                _places[done] = place < 0 ? _keys.Add(_ids[done]) : place;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PushEach(ReadOnlySpan<int> places, ReadOnlySpan<TItem> items, long ticks, int most)
    {
        var (keys, queue, states) = (_keys, _events, _states);
        for (int i = 0; i < places.Length; i++)
        {
            int place = places[i];
            ref var window = ref keys.At(place).State;
            if (TStates.CountOf(in window) >= most)
            {
                return i;
            }

            states.Push(ref window, place, ticks, in items[i], ref queue.Add(ticks, place));
        }

        return places.Length;
    }
}
