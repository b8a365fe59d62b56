using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// Sets of partial matches that share what they have in common. A node is an event behind every match of another set, or the union of two sets; whatever a
/// set stands for, to lengthen all of it is one node. Each knows the latest start among its matches, so what has expired is passed over where it is met.
/// </summary>
/// <remarks>
/// <para>
/// The data structure of CORE (Bucchi, Grez, Quintana, Riveros, Vansummeren: CORE, a COmplex event Recognition Engine, PVLDB 15(9), 2022), with three changes.
/// Nodes live in two rings in order of time, from whose tails they are freed when the span has passed: no counts of references. Unions whose older part has
/// expired are bypassed for good when they are met (path compression), instead of being kept in lists that bound their depth: each is passed over once, so the
/// cost of a match stays proportional to its length on the whole, not in the worst case of each. And a union whose left part is an event stands in that event's
/// node, as long as no other does: most are of that kind.
/// </para>
/// <para>A reference is a number and two bits that say what it is: an event, a union, or an event with the union that stands in its node. -1 is the empty match,
/// where nothing was taken yet.</para>
/// </remarks>
internal sealed class SharedSets<T>
{
    internal const long None = -1;
    internal const int KindBits = 2;

    private const int InitialCapacity = 64;
    private const int MaxIdleCapacity = 4096;
    private const long KindMask = (1 << KindBits) - 1;
    private const long Union = 1;
    private const long Pair = 2;

    private Taking<T>[] _takings = new Taking<T>[InitialCapacity];
    private long _firstTaking;
    private long _nextTaking;
    private Joining[] _unions = new Joining[InitialCapacity];
    private long _firstUnion;
    private long _nextUnion;

    /// <summary>The oldest event that is kept; those from here to <see cref="End"/> are.</summary>
    internal long First => _firstTaking;

    internal long End => _nextTaking;

    internal long Bytes => ((long)_takings.Length * Unsafe.SizeOf<Taking<T>>()) + ((long)_unions.Length * Unsafe.SizeOf<Joining>());

    /// <summary>An event, by its number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Taking<T> At(long number)
    {
        var takings = _takings;
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(takings), (nint)(number & (takings.Length - 1)));
    }

    /// <summary>Whether a set is an event alone behind what it lengthens.</summary>
    internal static bool IsTaking(long set) => (set & KindMask) == 0;

    /// <summary>Whether a set is the union of an event and of what stands in its node.</summary>
    internal static bool IsPair(long set) => (set & KindMask) == Pair;

    /// <summary>Whether a set is a union that stands by itself.</summary>
    internal static bool IsUnion(long set) => (set & KindMask) == Union;

    internal static long TakingOf(long number) => number << KindBits;

    /// <summary>The set of an event, and of what stands in its node if that is so: 1 for yes, 0 for no.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long TakingOf(long number, int isPair) => (number << KindBits) | (Pair * isPair);

    internal static long UnionOf(long number) => (number << KindBits) | Union;

    internal static long NumberOf(long set) => set >> KindBits;

    internal ref Joining UnionAt(long set) => ref _unions[NumberOf(set) & (_unions.Length - 1)];

    /// <summary>The event of a set that is one, or has one on its left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Taking<T> TakingAt(long set) => ref At(NumberOf(set));

    /// <summary>The parts of a set that is a union, wherever it stands.</summary>
    internal Joining PartsOf(long set)
    {
        if (IsUnion(set))
        {
            return UnionAt(set);
        }

        ref var taking = ref TakingAt(set);
        return new Joining { Left = set & ~KindMask, Right = taking.Other, LatestStart = taking.LatestStart, RightLatest = taking.OtherLatest, Ticks = taking.Ticks };
    }

    /// <summary>The set of what is in another one, each lengthened by an event; or the match that begins with the event.</summary>
    /// <param name="value">The event.</param>
    /// <param name="ticks">Its time.</param>
    /// <param name="label">Which step took it.</param>
    /// <param name="before">The set that it lengthens, or none.</param>
    /// <param name="latestStart">The latest start in it.</param>
    /// <param name="limit">What began no later has expired: where there is no room, it gives way.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Take(in T value, long ticks, int label, long before, long latestStart, long limit)
    {
        if (_nextTaking - _firstTaking == _takings.Length)
        {
            MakeRoom(limit, 1);
        }

        long number = _nextTaking++;
        ref var taking = ref At(number);
        taking.Event = value;
        (taking.Ticks, taking.LatestStart, taking.Before, taking.Label) = (ticks, latestStart, before, label);
        taking.Other = None;
        return TakingOf(number);
    }

    /// <summary>Room for so many events: what is kept stays where it is until they have come.</summary>
    /// <param name="count">How many.</param>
    /// <param name="limit">What began no later has expired.</param>
    internal Reserved<T> Reserve(int count, long limit)
    {
        while (_nextTaking - _firstTaking + count > _takings.Length)
        {
            MakeRoom(limit, count);
        }

        return new Reserved<T>(_takings, _nextTaking);
    }

    /// <summary>So many of the reserved places were filled.</summary>
    internal void Took(in Reserved<T> reserved)
    {
        _nextTaking = reserved.Number;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>() && _nextTaking - _firstTaking < _takings.Length)
        {
            // The next place may have been written to and not be used.
            At(_nextTaking).Event = default!;
        }
    }

    /// <summary>Asks for a set's node.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(long set)
    {
        if (IsUnion(set))
        {
            Ahead.PrefetchAt(ref UnionAt(set));
        }
        else
        {
            Ahead.PrefetchEnds(ref TakingAt(set));
        }
    }

    /// <summary>Asks for the node of what stands beside an event in its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchOther(long set)
    {
        if (TakingAt(set).Other is >= 0 and var other)
        {
            Prefetch(other);
        }
    }

    /// <summary>The union of two sets, the one with the later start first.</summary>
    internal long Unite(long one, long latest, long other, long otherLatest, long ticks, long limit)
    {
        if (otherLatest > latest || (otherLatest == latest && !IsTaking(one) && IsTaking(other)))
        {
            (one, other, latest, otherLatest) = (other, one, otherLatest, latest);
        }

        return IsTaking(one) && TakingAt(one).Other == None
            ? Join(one, other, otherLatest)
            : AddUnion(new Joining { Left = one, Right = other, LatestStart = latest, RightLatest = otherLatest, Ticks = ticks }, limit);
    }

    /// <summary>The union of an event, of which none was made yet, and of a set with no later start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Join(long taking, long other, long otherLatest)
    {
        ref var left = ref TakingAt(taking);
        (left.Other, left.OtherLatest) = (other, otherLatest);
        return taking | Pair;
    }

    private long AddUnion(in Joining union, long limit)
    {
        if (_nextUnion - _firstUnion == _unions.Length)
        {
            RemoveUnions(limit);
            if (IsCrowded(_nextUnion - _firstUnion, _unions.Length))
            {
                GrowUnions();
            }
        }

        long set = UnionOf(_nextUnion++);
        UnionAt(set) = union;
        return set;
    }

    /// <summary>Where a union begins that may have lost what was older: those of which only one part is alive are passed over, and not met again.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal long Live(long set, long limit)
    {
        long live = set;
        while (IsUnion(live) && UnionAt(live).RightLatest <= limit)
        {
            live = UnionAt(live).Left;
        }

        while (set != live)
        {
            ref var union = ref UnionAt(set);
            set = union.Left;
            union.Left = live;
        }

        return live;
    }

    /// <summary>Frees what was made no later than this: all that is in it began no later.</summary>
    internal void Expire(long limit)
    {
        long first = FirstBehind(limit);
        if (first != _firstTaking)
        {
            if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
            {
                ClearTo(first);
            }

            _firstTaking = first;
            if (_firstTaking == _nextTaking && _takings.Length > MaxIdleCapacity)
            {
                _takings = new Taking<T>[InitialCapacity];
            }
        }

        RemoveUnions(limit);
    }

    /// <summary>Places for so many events and unions, to be filled from saved state.</summary>
    internal void Reset(int takings, int unions)
    {
        (_takings, _unions) = (new Taking<T>[InitialCapacity], new Joining[InitialCapacity]);
        (_firstTaking, _nextTaking, _firstUnion, _nextUnion) = (0, 0, 0, 0);
        while (_takings.Length < takings)
        {
            GrowTakings();
        }

        while (_unions.Length < unions)
        {
            GrowUnions();
        }

        (_nextTaking, _nextUnion) = (takings, unions);
    }

    /// <summary>The first event behind a time: events stand in order of time, so few are looked at, however many have passed.</summary>
    private long FirstBehind(long limit)
    {
        long first = _firstTaking, step = 1;
        while (first + step <= _nextTaking && At(first + step - 1).Ticks <= limit)
        {
            first += step;
            step *= 2;
        }

        for (; step > 0; step /= 2)
        {
            if (first + step <= _nextTaking && At(first + step - 1).Ticks <= limit)
            {
                first += step;
            }
        }

        return first;
    }

    private void ClearTo(long first)
    {
        int from = (int)(_firstTaking & (_takings.Length - 1)), count = (int)(first - _firstTaking);
        int toEnd = Math.Min(count, _takings.Length - from);
        Array.Clear(_takings, from, toEnd);
        Array.Clear(_takings, 0, count - toEnd);
    }

    private void RemoveUnions(long limit)
    {
        while (_firstUnion < _nextUnion && _unions[_firstUnion & (_unions.Length - 1)].Ticks <= limit)
        {
            _firstUnion++;
        }

        if (_firstUnion == _nextUnion && _unions.Length > MaxIdleCapacity)
        {
            _unions = new Joining[InitialCapacity];
        }
    }

    /// <summary>Whether so little was freed that room would have to be made again soon.</summary>
    private static bool IsCrowded(long count, int capacity) => count > capacity - (capacity / 16);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MakeRoom(long limit, int count)
    {
        Expire(limit);
        if (IsCrowded(_nextTaking - _firstTaking + count - 1, _takings.Length))
        {
            GrowTakings();
        }
    }

    private void GrowTakings()
    {
        var old = _takings;
        _takings = GC.AllocateUninitializedArray<Taking<T>>(old.Length * 2);
        for (long number = _firstTaking; number < _nextTaking; number++)
        {
            At(number) = old[number & (old.Length - 1)];
        }
    }

    private void GrowUnions()
    {
        var old = _unions;
        _unions = GC.AllocateUninitializedArray<Joining>(old.Length * 2);
        for (long number = _firstUnion; number < _nextUnion; number++)
        {
            _unions[number & (_unions.Length - 1)] = old[number & (old.Length - 1)];
        }
    }
}

/// <summary>An event, behind each match of a set.</summary>
internal struct Taking<T>
{
    internal T Event;
    internal long Ticks;
    internal long LatestStart;

    /// <summary>The set that it lengthens, or none where matches begin with it.</summary>
    internal long Before;

    /// <summary>What it is united with, where it is.</summary>
    internal long Other;
    internal long OtherLatest;

    /// <summary>The number of the same key's event before it.</summary>
    internal long Link;
    internal int Label;
}

/// <summary>The union of two sets.</summary>
internal struct Joining
{
    internal long Left;
    internal long Right;

    /// <summary>The latest start of the left one, and so of both.</summary>
    internal long LatestStart;
    internal long RightLatest;

    /// <summary>When it was made.</summary>
    internal long Ticks;
}
