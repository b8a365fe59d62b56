using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <content>
/// Where events of known keys are added. One that its key's newest window takes without ado is one look-up, one comparison and one update; any other
/// is <c>Take</c>'s.
/// </content>
internal sealed partial class KeyedTimelineOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>So many events' selectors run ahead: what they ask for then stays in the first cache.</summary>
    private const int AheadEvents = 128;

    // Half of the second cache of the cores that servers have.
    private const int MaxCachedBytes = 512 * 1024;

    private TKey[] _ids = [];
    private TValue[] _selected = [];

    /// <summary>Whether states no longer stay in a core's second cache, so that two passes are faster than one.</summary>
    private bool AreMany => _keys.Direct is { } direct ? (long)direct.Length * Unsafe.SizeOf<KeyState>() > MaxCachedBytes : _keys.IsLarge;

    /// <summary>Keys that are device numbers. What the loop needs over a call fits the registers that calls leave alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToDirect(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (keyOf, places) = (_key.Select, _keys.Direct!.States);
        ref long times = ref MemoryMarshal.GetReference(ticks[..events.Length]);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            ulong place = WholeNumber.Of(id);
            if (place < (ulong)places.Length && places[place].Takes(Unsafe.Add(ref times, i)))
            {
                ref var state = ref places[place];
                _kernel.Add(ref state.Newest.State, in events[i], in selected, Unsafe.Add(ref times, i));
                state.Time.Follow(Unsafe.Add(ref times, i), _running);
                continue;
            }

            Take(id, in events[i], selected, Unsafe.Add(ref times, i));
            if (_keys.Direct is null)
            {
                return i + 1;
            }

            places = _keys.Direct.States;
        }

        return events.Length;
    }

    /// <summary>The same for all other keys while there are not many.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToSmall(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var keyOf = _key.Select;
        var view = new StateTable<TKey, KeyState>.SmallView(_keys);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            var selected = _kernel.Select(in events[i]);
            ref var state = ref view.Find(id, (uint)id.GetHashCode());
            if (!Unsafe.IsNullRef(ref state) && state.Takes(ticks[i]))
            {
                _kernel.Add(ref state.Newest.State, in events[i], in selected, ticks[i]);
                state.Time.Follow(ticks[i], _running);
                continue;
            }

            Take(id, in events[i], selected, ticks[i]);
            if (!_keys.IsSmall)
            {
                return i + 1;
            }

            view = new StateTable<TKey, KeyState>.SmallView(_keys);
        }

        return events.Length;
    }

    /// <summary>
    /// Many keys: selectors run a little ahead, so that states come out of memory together before they are needed. Where a selector throws, what was selected
    /// before is added first, as everywhere.
    /// </summary>
    private int AddToMany(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        Pooled.Ensure(ref _ids, AheadEvents);
        Pooled.Ensure(ref _selected, AheadEvents);
        int known = start, end = Math.Min(events.Length, start + AheadEvents);
        try
        {
            Select(events[..end], start, ref known);
        }
        finally
        {
            int next = start;
            if (_keys.Direct is not null)
            {
                next = AddSelectedToDirect(events[..known], ticks, start);
            }
            else if (_keys.IsLarge)
            {
                next = AddSelectedToLarge(events[..known], ticks, start);
            }

            for (; next < known; next++)
            {
                Position = next;
                Take(_ids[next - start], in events[next], _selected[next - start], ticks[next]);
            }

            Position = known;
        }

        return known;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Select(ReadOnlySpan<T> events, int start, ref int known)
    {
        var (keyOf, ids, selected, places) = (_key.Select, _ids, _selected, _keys.Direct?.States ?? []);
        for (; known < events.Length; known++)
        {
            ref readonly var value = ref events[known];
            Ahead.Prefetch(in value);
            var id = keyOf(value);
            ids[known - start] = id;
            selected[known - start] = _kernel.Select(in value);
            PrefetchState(id, places);
        }
    }

    /// <summary>Where keys say their places: what most events need of a state is 64 bytes, so two lines of the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchState(TKey id, KeyState[] places)
    {
        if (WholeNumber.Is<TKey>() && WholeNumber.Of(id) is var place && place < (ulong)places.Length)
        {
            Ahead.PrefetchAt(in places[place].Time.FirstNeeded);
            Ahead.PrefetchAt(ref places[place].Newest.Start);
        }
    }

    /// <summary>Gives the index of the first event that it left, because the table has another form by now.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddSelectedToDirect(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (ids, selected, places) = (_ids, _selected, _keys.Direct!.States);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            ulong place = WholeNumber.Of(ids[i - start]);
            if (place < (ulong)places.Length && places[place].Takes(ticks[i]))
            {
                ref var state = ref places[place];
                _kernel.Add(ref state.Newest.State, in events[i], in selected[i - start], ticks[i]);
                state.Time.Follow(ticks[i], _running);
                continue;
            }

            Take(ids[i - start], in events[i], selected[i - start], ticks[i]);
            if (_keys.Direct is null)
            {
                return i + 1;
            }

            places = _keys.Direct.States;
        }

        return events.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddSelectedToLarge(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks, int start)
    {
        var (ids, selected) = (_ids, _selected);
        var view = new StateTable<TKey, KeyState>.LargeView(_keys);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            ref var state = ref view.Find(ids[i - start], (uint)ids[i - start].GetHashCode());
            if (!Unsafe.IsNullRef(ref state) && state.Takes(ticks[i]))
            {
                _kernel.Add(ref state.Newest.State, in events[i], in selected[i - start], ticks[i]);
                state.Time.Follow(ticks[i], _running);
                continue;
            }

            Take(ids[i - start], in events[i], selected[i - start], ticks[i]);
            if (!_keys.IsLarge)
            {
                return i + 1;
            }

            view = new StateTable<TKey, KeyState>.LargeView(_keys);
        }

        return events.Length;
    }
}
