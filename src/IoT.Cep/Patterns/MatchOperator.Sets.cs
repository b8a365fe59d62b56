using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>One pattern whose partial matches are sets: nothing stands between an event and its key's sets.</content>
internal sealed partial class MatchOperator<TKey, T, TResult, TGiving>
{
    // So many keys are looked up before the first of their sets is touched, so that memory is waited for together.
    private const int Chunk = 64;

    // So many events are asked between two times that memory is asked for: once for each line of the cache.
    private const int Block = 32;

    private static readonly Func<T, bool> _never = static _ => false;

    private readonly SetMatcher<TKey, T>? _sets;
    private Looked<TKey>[] _chunk = [];
    private byte[] _bits = [];
    private int _looked;

    private void ProcessBySets(in Batch<T> batch, SetMatcher<TKey, T> sets)
    {
        Pooled.Ensure(ref _candidates, batch.Length);
        Pooled.Ensure(ref _chunk, Chunk);
        _isAsking = true;
        int count = AskForSets(in batch);
        _isAsking = false;
        for (int start = 0; start < count; start += Chunk)
        {
            int end = Math.Min(count, start + Chunk);
            _looked = 0;
            try
            {
                Find(in batch, _candidates.AsSpan(start, end - start), sets);
                if (sets.HasManyKeys)
                {
                    sets.Prefetch(_chunk.AsSpan(0, end - start));
                }
            }
            finally
            {
                // Where a key could not be told, the events before it have their effect first.
                int looked = _looked;
                Apply(in batch, _chunk.AsSpan(0, looked), sets);
                if (looked < end - start)
                {
                    Position = _candidates[start + looked];
                }
            }
        }
    }

    /// <summary>Gathers what the next events of concern need: memory is waited for together, and not where what one event does depends on the last.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Find(in Batch<T> batch, ReadOnlySpan<int> candidates, SetMatcher<TKey, T> sets)
    {
        var keyOf = _keyOf;
        var events = batch.Events;
        var ticks = batch.Ticks;
        var chunk = _chunk.AsSpan(0, candidates.Length);
        bool isWide = _conditions.Length > 8;
        for (int c = 0; c < chunk.Length; c++)
        {
            int i = candidates[c];
            _looked = c;
            var key = keyOf(events[i]);
            ref var looked = ref chunk[c];
            looked.Key = key;
            looked.Place = sets.Find(key);
            looked.Index = i;
            looked.Ticks = ticks[i];
            looked.Bits = isWide ? _truths[i] : _bits[i];
        }

        _looked = chunk.Length;
    }

    private void Apply(in Batch<T> batch, ReadOnlySpan<Looked<TKey>> chunk, SetMatcher<TKey, T> sets)
    {
        // Where nothing can fail on the way, matches are given out many at a time.
        bool givesAll = !_identity && _giving.GivesAll;
        int removals = sets.Removals;
        for (int c = 0; c < chunk.Length; c++)
        {
            // A place is worth nothing once a key was removed.
            c += sets.Removals == removals ? sets.ApplyCommon(chunk[c..], batch.Events, isUntilComplete: !givesAll) : 0;
            bool isDone = c == chunk.Length || (sets.HasCompleted && !givesAll);
            if (sets.HasCompleted)
            {
                // The event has had its effect: an error of a result's projection leads behind it.
                Position = chunk[Math.Min(c, chunk.Length - 1)].Index + 1;
                GiveOut(sets);
            }

            if (!isDone)
            {
                ref readonly var looked = ref chunk[c];
                Position = looked.Index;
                sets.Apply(sets.Find(looked.Key), looked.Key, in batch.Events[looked.Index], looked.Ticks, looked.Bits);
                Position = looked.Index + 1;
                GiveOut(sets);
            }
        }
    }

    private void GiveOut(SetMatcher<TKey, T> sets)
    {
        if (!_identity && _giving.GivesAll)
        {
            _giving.GiveAll(sets, _output);
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

    /// <summary>Asks each condition over the whole batch, without a branch; gives the events that may concern the pattern.</summary>
    private int AskForSets(in Batch<T> batch)
    {
        var events = batch.Events;
        Pooled.Ensure(ref _bits, events.Length + Vector256<byte>.Count);
        var bits = _bits.AsSpan(0, events.Length);
        AskEight(_conditions, in batch, bits);
        if (_conditions.Length > 8)
        {
            return AskMore(in batch, bits);
        }

        var candidates = _candidates.AsSpan(0, events.Length);
        if (!_seesEveryEvent)
        {
            _bits.AsSpan(events.Length, Vector256<byte>.Count).Clear();
            return Candidates(_bits, candidates);
        }

        for (int i = 0; i < candidates.Length; i++)
        {
            candidates[i] = i;
        }

        return candidates.Length;
    }

    /// <summary>Of more than eight conditions each eight give a byte of an event's bits.</summary>
    private int AskMore(in Batch<T> batch, Span<byte> bits)
    {
        Pooled.Ensure(ref _truths, batch.Length);
        var truths = _truths.AsSpan(0, batch.Length);
        truths.Clear();
        for (int from = 0; from < _conditions.Length; from += 8)
        {
            AskEight(_conditions.AsSpan(from), in batch, bits);
            for (int i = 0; i < truths.Length; i++)
            {
                truths[i] |= (ulong)bits[i] << from;
            }
        }

        ulong always = _seesEveryEvent ? 1UL : 0;
        int count = 0;
        for (int i = 0; i < truths.Length; i++)
        {
            _candidates[count] = i;
            count += (truths[i] | always) != 0 ? 1 : 0;
        }

        return count;
    }

    private static void AskEight(ReadOnlySpan<Func<T, bool>> all, in Batch<T> batch, Span<byte> bits)
    {
        if (all.Length <= 2)
        {
            AskTwo(all[0], all.Length > 1 ? all[1] : _never, in batch, bits);
            return;
        }

        AskFour(all[0], all[1], all[2], all.Length > 3 ? all[3] : _never, in batch, bits);
        if (all.Length > 4)
        {
            AskFourMore(all[4], all.Length > 5 ? all[5] : _never, all.Length > 6 ? all[6] : _never, all.Length > 7 ? all[7] : _never, batch.Events, bits);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskTwo(Func<T, bool> one, Func<T, bool> other, in Batch<T> batch, Span<byte> bits)
    {
        var events = batch.Events;
        for (int from = 0; from < bits.Length; from += Block)
        {
            PrefetchBehind(in batch, from);
            int end = Math.Min(bits.Length, from + Block);
            for (int i = from; i < end; i++)
            {
                bits[i] = (byte)(Bit(one(events[i])) | (Bit(other(events[i])) << 1));
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskFour(Func<T, bool> first, Func<T, bool> second, Func<T, bool> third, Func<T, bool> fourth, in Batch<T> batch, Span<byte> bits)
    {
        var events = batch.Events;
        for (int from = 0; from < bits.Length; from += Block)
        {
            PrefetchBehind(in batch, from);
            int end = Math.Min(bits.Length, from + Block);
            for (int i = from; i < end; i++)
            {
                bits[i] = (byte)(Bit(first(events[i])) | (Bit(second(events[i])) << 1) | (Bit(third(events[i])) << 2) | (Bit(fourth(events[i])) << 3));
            }
        }
    }

    /// <summary>Asks for what stands a little behind a block of events in its columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchBehind(in Batch<T> batch, int from)
    {
        ref T value = ref Unsafe.Add(ref MemoryMarshal.GetReference(batch.Events), from);
        ref long ticks = ref Unsafe.Add(ref MemoryMarshal.GetReference(batch.Ticks), from);
        for (int offset = 0; offset < Block * Unsafe.SizeOf<T>(); offset += Ahead.Line)
        {
            Ahead.Prefetch(in Unsafe.AddByteOffset(ref value, offset));
        }

        for (int offset = 0; offset < Block * sizeof(long); offset += Ahead.Line)
        {
            Ahead.PrefetchAt(in Unsafe.AddByteOffset(ref Unsafe.Add(ref ticks, Block), offset));
        }
    }

    /// <summary>The next four: a method of their own, so that the compiler sees which conditions are asked where.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AskFourMore(Func<T, bool> first, Func<T, bool> second, Func<T, bool> third, Func<T, bool> fourth, ReadOnlySpan<T> events, Span<byte> bits)
    {
        for (int i = 0; i < bits.Length; i++)
        {
            bits[i] |= (byte)((Bit(first(events[i])) << 4) | (Bit(second(events[i])) << 5) | (Bit(third(events[i])) << 6) | (Bit(fourth(events[i])) << 7));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bit(bool isTrue) => Unsafe.BitCast<bool, byte>(isTrue);

    /// <summary>The events of which any condition is true; behind the last one's bits is room for a vector, without any.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Candidates(ReadOnlySpan<byte> bits, Span<int> candidates)
    {
        ref int next = ref MemoryMarshal.GetReference(candidates);
        ref byte first = ref MemoryMarshal.GetReference(bits);
        for (int i = 0; i < candidates.Length; i += Vector256<byte>.Count)
        {
            var some = Vector256.LoadUnsafe(ref first, (uint)i);
            for (uint concerned = ~Vector256.Equals(some, default).ExtractMostSignificantBits(); concerned != 0; concerned &= concerned - 1)
            {
                next = i + BitOperations.TrailingZeroCount(concerned);
                next = ref Unsafe.Add(ref next, 1);
            }
        }

        return (int)(Unsafe.ByteOffset(ref MemoryMarshal.GetReference(candidates), ref next) / sizeof(int));
    }
}
