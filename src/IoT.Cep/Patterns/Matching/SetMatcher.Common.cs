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
        int completed = _completedCount;
        ref var complete = ref Reserve(chunk.Length);
        ref var entries = ref _keys.At(0);
        var changes = _configurations.Changes;
        int shift = _configurations.Shift, c = 0;
        uint start = (uint)_start << shift;
        for (; c < chunk.Length; c++)
        {
            ref readonly var looked = ref chunk[c];
            if (looked.Place < 0)
            {
                break;
            }

            uint bits = (uint)looked.Bits;
            ref var own = ref Unsafe.Add(ref entries, looked.Place).State;
            var begin = (start | bits) < (uint)changes.Length ? changes[start | bits] : null;
            if (begin is null || own.Groups > 1 || own.Rest is not null || own.Count >= _limits.MaxPerKey)
            {
                break;
            }

            long limit = Ticks.Minus(looked.Ticks, _span);
            bool isAlive = (own.Groups != 0) & (own.LatestStart > limit);
            if (begin.Label >= 0)
            {
                if (!begin.IsBeside || (own.At != begin.Target && isAlive))
                {
                    break;
                }

                Begin(ref own, isAlive, begin, in events[looked.Index], looked.Ticks, ref taking);
                continue;
            }

            uint at = ((uint)own.At << shift) | bits;
            var change = at < (uint)changes.Length ? changes[at] : null;
            if (change?.Kind != ChangeKind.Completes)
            {
                if (isAlive && change?.Kind != ChangeKind.None)
                {
                    break;
                }

                continue;
            }

            (complete.Set, complete.Ticks, complete.Limit) = (own.Set, looked.Ticks, limit);
            (complete.Place, complete.Label, complete.Last) = (looked.Place, change.Label, events[looked.Index]);
            int one = isAlive ? 1 : 0;
            completed += one;
            complete = ref Unsafe.Add(ref complete, one);
            (own.Groups, own.Count, own.Newest, own.LatestStart) = (0, 0, SharedSets<T>.None, looked.Ticks);
            if (isUntilComplete && isAlive)
            {
                break;
            }
        }

        _fewer += completed - _completedCount;
        _completedCount = completed;
        _sets.Took(in taking);
        return c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ref KeySets own, bool isAlive, Change<T> begin, in T value, long ticks, ref Reserved<T> reserved)
    {
        ref var taking = ref reserved.Next(out long number);
        taking.Event = value;
        (taking.Ticks, taking.LatestStart, taking.Before, taking.Label) = (ticks, ticks, SharedSets<T>.None, begin.Label);
        (taking.Other, taking.OtherLatest, taking.Link) = (isAlive ? own.Set : SharedSets<T>.None, own.LatestStart, isAlive ? own.Newest : SharedSets<T>.None);
        (own.At, own.Groups, own.LatestStart) = (begin.Target, 1, ticks);
        (own.Set, own.Newest, own.Count) = (SharedSets<T>.TakingOf(number, isAlive), number, isAlive ? own.Count + 1 : 1);
    }
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Taking<T> Next(out long number)
    {
        number = Number++;
        return ref Unsafe.Add(ref _takings, (nint)(number & _mask));
    }
}
