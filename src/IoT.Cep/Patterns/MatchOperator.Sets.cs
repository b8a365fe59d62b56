using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>One pattern whose partial matches are sets: nothing stands between an event and its key's sets.</content>
internal sealed partial class MatchOperator<TKey, T, TResult, TGiving>
{
    // So many keys are looked up before the first of their sets is touched, so that memory is waited for together.
    private const int Chunk = 64;

    private static readonly Func<T, bool> _never = static _ => false;

    private readonly SetMatcher<TKey, T>? _sets;
    private TKey[] _chunkKeys = [];
    private int[] _chunkPlaces = [];
    private int _looked;

    private void ProcessBySets(in Batch<T> batch, SetMatcher<TKey, T> sets)
    {
        Pooled.Ensure(ref _truths, batch.Length);
        Pooled.Ensure(ref _candidates, batch.Length);
        Pooled.Ensure(ref _chunkKeys, Chunk);
        Pooled.Ensure(ref _chunkPlaces, Chunk);
        _isAsking = true;
        int count = AskForSets(batch.Events);
        _isAsking = false;
        for (int start = 0; start < count; start += Chunk)
        {
            int end = Math.Min(count, start + Chunk);
            _looked = start;
            try
            {
                Find(batch.Events, start, end, sets);
                if (sets.HasManyKeys)
                {
                    sets.Prefetch(_chunkPlaces.AsSpan(0, end - start));
                }
            }
            finally
            {
                // Where a key could not be told, the events before it have their effect first.
                int looked = _looked;
                Apply(in batch, start, looked, sets);
                if (looked < end)
                {
                    Position = _candidates[looked];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Find(ReadOnlySpan<T> events, int start, int end, SetMatcher<TKey, T> sets)
    {
        var (keyOf, keys, places) = (_keyOf, _chunkKeys, _chunkPlaces);
        var candidates = _candidates.AsSpan(start, end - start);
        for (int c = 0; c < candidates.Length; c++)
        {
            _looked = start + c;
            var key = keyOf(events[candidates[c]]);
            keys[c] = key;
            places[c] = sets.Find(key);
        }

        _looked = end;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Apply(in Batch<T> batch, int start, int end, SetMatcher<TKey, T> sets)
    {
        var events = batch.Events;
        var ticks = batch.Ticks;
        var candidates = _candidates.AsSpan(start, end - start);
        var bits = _truths.AsSpan(start, candidates.Length);
        var (keys, places) = (_chunkKeys, _chunkPlaces);
        int removals = sets.Removals;
        for (int c = 0; c < candidates.Length; c++)
        {
            int i = candidates[c];
            Position = i;
            int place = places[c];
            if (place < 0 || sets.Removals != removals)
            {
                place = sets.Find(keys[c]);
            }

            sets.Apply(place, keys[c], in events[i], ticks[i], bits[c]);
            if (sets.HasCompleted)
            {
                // The event has had its effect: an error of a result's projection leads behind it.
                Position = i + 1;
                GiveOut(sets);
            }
        }
    }

    private void GiveOut(SetMatcher<TKey, T> sets)
    {
        if (!_identity && _giving.TryGiveAll(sets, _output))
        {
            return;
        }

        while (sets.HasFound)
        {
            _isGiving = true;
            if (_identity)
            {
                Give(sets, sets.Next);
            }
            else
            {
                ref var result = ref _output.Next();
                result = _giving.Make(sets);
                _output.Add(sets.NextTicks, sets.NextGroup);
            }

            _isGiving = false;
            sets.RemoveFound();
        }
    }

    /// <summary>Asks each condition over the whole batch, without a branch; gives the events that may concern the pattern, and their truths beside each other.</summary>
    private int AskForSets(ReadOnlySpan<T> events)
    {
        var all = _conditions;
        var truths = _truths.AsSpan(0, events.Length);
        var candidates = _candidates.AsSpan(0, events.Length);
        if (all.Length <= 2 && !_seesEveryEvent)
        {
            return AskTwo(all[0], all.Length > 1 ? all[1] : _never, events, truths, candidates);
        }

        AskFour(all[0], At(1), At(2), At(3), events, truths);
        if (all.Length > 4)
        {
            AskFourMore(all[4], At(5), At(6), At(7), events, truths);
        }

        for (int number = 8; number < all.Length; number++)
        {
            AskOne(all[number], events, truths, number);
        }

        return Candidates(truths, candidates);

        Func<T, bool> At(int number) => number < all.Length ? all[number] : _never;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int AskTwo(Func<T, bool> one, Func<T, bool> other, ReadOnlySpan<T> events, Span<ulong> truths, Span<int> candidates)
    {
        // Not checked against bounds: both have room for all events.
        ref ulong truth = ref MemoryMarshal.GetReference(truths);
        ref int candidate = ref MemoryMarshal.GetReference(candidates);
        for (int i = 0; i < events.Length; i++)
        {
            Ahead.Prefetch(in events[i]);
            uint bits = (one(events[i]) ? 1u : 0) | ((other(events[i]) ? 1u : 0) << 1);
            truth = bits;
            candidate = i;
            uint step = bits != 0 ? 1u : 0;
            truth = ref Unsafe.Add(ref truth, step);
            candidate = ref Unsafe.Add(ref candidate, step);
        }

        return (int)(Unsafe.ByteOffset(ref MemoryMarshal.GetReference(candidates), ref candidate) / sizeof(int));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskFour(
        Func<T, bool> first, Func<T, bool> second, Func<T, bool> third, Func<T, bool> fourth, ReadOnlySpan<T> events, Span<ulong> truths)
    {
        for (int i = 0; i < truths.Length; i++)
        {
            Ahead.Prefetch(in events[i]);
            truths[i] = (first(events[i]) ? 1UL : 0) | ((second(events[i]) ? 1UL : 0) << 1)
                | ((third(events[i]) ? 1UL : 0) << 2) | ((fourth(events[i]) ? 1UL : 0) << 3);
        }
    }

    /// <summary>The next four: a method of their own, so that the compiler sees which conditions are asked where.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskFourMore(
        Func<T, bool> first, Func<T, bool> second, Func<T, bool> third, Func<T, bool> fourth, ReadOnlySpan<T> events, Span<ulong> truths)
    {
        for (int i = 0; i < truths.Length; i++)
        {
            truths[i] |= ((first(events[i]) ? 1UL : 0) << 4) | ((second(events[i]) ? 1UL : 0) << 5)
                | ((third(events[i]) ? 1UL : 0) << 6) | ((fourth(events[i]) ? 1UL : 0) << 7);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskOne(Func<T, bool> condition, ReadOnlySpan<T> events, Span<ulong> truths, int bit)
    {
        for (int i = 0; i < truths.Length; i++)
        {
            truths[i] |= (condition(events[i]) ? 1UL : 0) << bit;
        }
    }

    private int Candidates(Span<ulong> truths, Span<int> candidates)
    {
        ulong always = _seesEveryEvent ? 1UL : 0;
        int count = 0;
        for (int i = 0; i < truths.Length; i++)
        {
            ulong bits = truths[i];
            truths[count] = bits;
            candidates[count] = i;
            count += (bits | always) != 0 ? 1 : 0;
        }

        return count;
    }
}
