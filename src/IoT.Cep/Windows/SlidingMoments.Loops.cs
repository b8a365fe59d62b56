using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <content>
/// The loops over many events of one time: where sums are all that is kept, each has no more to do than that, and what it needs stands in registers.
/// </content>
internal readonly partial struct SlidingMoments<T, TValue, TKernel>
{
    private const int FewKeys = 8_192; // so many keys' windows stay in the second cache
    private const int Near = 12; // events until memory has answered

    public int PushAll<TKey>(WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, ReadOnlySpan<TValue> items, long ticks, int most)
        where TKey : notnull
    {
        if (_parts.Kept == AggregateKinds.Sum)
        {
            int added = PushSums(keys, places, items, most);
            _events.Added(ticks, added);
            return added;
        }

        return PushEach(keys, places, items, ticks, most);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PushSums<TKey>(WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, ReadOnlySpan<TValue> items, int most)
        where TKey : notnull
    {
        var room = _events.Room(places.Length);
        ref var entries = ref keys.At(0);
        ref var item = ref MemoryMarshal.GetReference(items);
        for (int i = 0; i < places.Length; i++)
        {
            int place = places[i];
            ref var window = ref Unsafe.Add(ref entries, place).State;
            if (window.Count >= most)
            {
                return i;
            }

            double value = NumberOf(in Unsafe.Add(ref item, i));
            uint number = room.Number + (uint)i;
            ref var added = ref room[i];
            added.Place = place;
            added.More.Before = window.Youngest;
            added.More.Number = value;
            window.Youngest = number;
            window.Count++;
            AddToSum(ref window, value, number);
        }

        return places.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PushEach<TKey>(WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, ReadOnlySpan<TValue> items, long ticks, int most)
        where TKey : notnull
    {
        for (int i = 0; i < places.Length; i++)
        {
            int place = places[i];
            ref var window = ref keys.At(place).State;
            if (window.Count >= most)
            {
                return i;
            }

            Push(ref window, place, ticks, in items[i], ref _events.Add(ticks, place));
        }

        return places.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void PopAll<TKey>(WindowKeys<TKey, MomentsWindow> keys, int count)
        where TKey : notnull
    {
        var oldest = _events.Oldest(count);
        ref var entries = ref keys.At(0);
        bool keepsSum = _parts.KeepsSum, isMany = keys.Count > FewKeys;
        for (int i = 0; i < oldest.Count; i++)
        {
            ref var first = ref oldest[i];
            Ahead.Prefetch(ref first);
            int place = first.Place;
            if (isMany)
            {
                keys.Prefetch(oldest[i + Near].Place);
            }

            ref var window = ref Unsafe.Add(ref entries, place).State;
            if (--window.Count == 0)
            {
                Empty(ref window, place);
                keys.Remove(place);
                entries = ref keys.At(0);
            }
            else if (keepsSum)
            {
                RemoveFromSum(ref window, first.More.Number, oldest.Number + (uint)i);
            }
        }

        _events.RemoveFirst(count);
    }

    public void SumAll<TKey>(WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, long start, Span<ReadyWindow<TKey, Moments>> sums)
        where TKey : notnull
    {
        if (_parts.Kept == AggregateKinds.Sum)
        {
            SumSums(keys, places, sums);
        }
        else
        {
            SumEach(keys, places, start, sums);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SumSums<TKey>(WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, Span<ReadyWindow<TKey, Moments>> sums)
        where TKey : notnull
    {
        ref var entries = ref keys.At(0);
        ref var sum = ref MemoryMarshal.GetReference(sums[..places.Length]);
        foreach (int place in places)
        {
            ref var entry = ref Unsafe.Add(ref entries, place);
            sum.State.SetSum(entry.State.Count, TotalOf(in entry.State));
            sum.Key = entry.Key;
            sum = ref Unsafe.Add(ref sum, 1);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SumEach<TKey>(
        WindowKeys<TKey, MomentsWindow> keys, ReadOnlySpan<int> places, long start, Span<ReadyWindow<TKey, Moments>> sums)
        where TKey : notnull
    {
        for (int i = 0; i < places.Length; i++)
        {
            ref var entry = ref keys.At(places[i]);
            Sum(ref entry.State, places[i], start, ref sums[i].State);
            sums[i].Key = entry.Key;
        }
    }
}
