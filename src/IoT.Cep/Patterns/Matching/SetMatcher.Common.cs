using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The common cases: a key has one set at most, which passes an event as a whole, or is completed by it as a whole, or to which what begins with it is added.
/// Whether a key has one at all is anybody's guess, so nothing branches on that.
/// </summary>
internal sealed partial class SetMatcher<TKey, T>
{
    /// <summary>Does what events do to their keys' sets, up to the first that is no common case.</summary>
    /// <param name="chunk">The events' keys and times.</param>
    /// <param name="events">The events.</param>
    /// <param name="isUntilComplete">Whether to stop behind the first event that completes something as well.</param>
    /// <returns>The index of the event at which it stopped; or their number.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int ApplyCommon(ReadOnlySpan<Looked<TKey>> chunk, ReadOnlySpan<T> events, bool isUntilComplete)
    {
        if (chunk.IsEmpty)
        {
            return 0;
        }

        // Nothing moves from here on: neither the events nor what is complete of them is in the way of what comes.
        var taking = _sets.Reserve(chunk.Length, Ticks.Minus(chunk[0].Ticks, _span));
        int completed = _completedCount, shift = _configurations.Shift, most = _limits.MaxPerKey, c = 0;
        ref var complete = ref Reserve(chunk.Length);
        ref var entries = ref _keys.At(0);
        ref var first = ref MemoryMarshal.GetReference(events);
        var acts = _configurations.Acts;
        long span = _span;
        for (; c < chunk.Length; c++)
        {
            ref readonly var looked = ref chunk[c];
            if (looked.Place < 0)
            {
                break;
            }

            Debug.Assert((uint)looked.Index < (uint)events.Length, "What was looked up is of this batch.");
            ref var own = ref Unsafe.Add(ref entries, looked.Place).State;
            long ticks = looked.Ticks;
            int alive = One(own.Groups != 0) & One(own.LatestStart > Ticks.Minus(ticks, span));
            uint at = ((((uint)own.At << shift) | (uint)looked.Bits) << 1) | (uint)alive;
            var kind = at < (uint)acts.Length ? acts[at].Kind : ActKind.Unknown;
            bool isPlain = own.Groups <= 1 && own.Count < most && own.Rest is null;
            if (kind != ActKind.Common || !isPlain)
            {
                if (kind == ActKind.Unknown && _configurations.TryLearn(own.At, looked.Bits, alive))
                {
                    acts = _configurations.Acts;
                    c--;
                    continue;
                }

                if (kind == ActKind.None && isPlain)
                {
                    continue;
                }

                break;
            }

            // What an event that completes writes to the place of one that begins, and the other way round, counts for nothing.
            ref readonly var act = ref acts[at];
            complete.Set = own.Set;
            complete.Index = c;
            complete.Label = act.Label;
            int completes = alive & ~act.Begins;
            completed += completes;
            complete = ref Unsafe.Add(ref complete, completes);
            Put(ref own, alive, in act, in Unsafe.Add(ref first, looked.Index), ticks, ref taking);
            if (isUntilComplete && completes != 0)
            {
                break;
            }
        }

        _sets.Took(in taking);
        Fill(completed, chunk, events);
        return c;
    }

    /// <summary>
    /// A partial match begins, beside others where there are some (<paramref name="alive"/> is 1 then, else 0); or nothing is open any more. Which of the two
    /// is not known beforehand either.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ref KeySets own, int alive, ref readonly Act act, in T value, long ticks, ref Reserved<T> reserved)
    {
        Debug.Assert(SharedSets<T>.None == -1, "All bits set are none.");
        long none = alive - 1L;
        int begins = act.Begins;
        ref var taking = ref reserved.Next(begins, out long number);
        taking.Event = value;
        taking.Ticks = ticks;
        taking.LatestStart = ticks;
        taking.Before = SharedSets<T>.None;
        taking.Other = own.Set | none;
        taking.OtherLatest = own.LatestStart;
        taking.Link = own.Newest | none;
        taking.Label = act.Label;
        own.At = act.Target;
        own.Groups = begins;
        own.LatestStart = ticks;
        own.Set = SharedSets<T>.TakingOf(number, alive);
        own.Newest = number | (begins - 1L);
        own.Count = ((own.Count & -alive) + 1) & -begins;
    }

    /// <summary>What else there is to say of what is complete: that is less than what might have been.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fill(int count, ReadOnlySpan<Looked<TKey>> chunk, ReadOnlySpan<T> events)
    {
        var completed = _completed.AsSpan(_completedCount, count - _completedCount);
        _fewer += completed.Length;
        _completedCount = count;
        bool isFar = HasManyKeys;
        foreach (ref var complete in completed)
        {
            if (isFar && SharedSets<T>.IsPair(complete.Set))
            {
                _sets.PrefetchOther(complete.Set);
            }

            ref readonly var looked = ref chunk[complete.Index];
            complete.Ticks = looked.Ticks;
            complete.Limit = Ticks.Minus(looked.Ticks, _span);
            complete.Place = looked.Place;
            complete.Group = _keys.At(looked.Place).Group;
            complete.Last = events[looked.Index];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int One(bool isTrue) => Unsafe.BitCast<bool, byte>(isTrue);
}

/// <summary>An event of concern, with what was gathered of it: it is applied when all before it were.</summary>
internal struct Looked<TKey>
{
    internal long Ticks;
    internal ulong Bits;

    /// <summary>The key's place, or -1.</summary>
    internal int Place;
    internal int Index;
    internal TKey Key;
}

/// <summary>Places for events that are taken next.</summary>
internal ref struct Reserved<T>(Taking<T>[] takings, long number)
{
    private readonly ref Taking<T> _takings = ref MemoryMarshal.GetArrayDataReference(takings);
    private readonly long _mask = takings.Length - 1;

    internal long Number { get; private set; } = number;

    /// <summary>The next place; it is used up where <paramref name="uses"/> is 1, and the next one again where it is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Taking<T> Next(int uses, out long number)
    {
        number = Number;
        Number = number + uses;
        return ref Unsafe.Add(ref _takings, (nint)(number & _mask));
    }
}
