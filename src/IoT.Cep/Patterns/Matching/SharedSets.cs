using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Sets of partial matches that share what they have in common. A node is an event behind every match of another set, or the union of two sets; whatever a
/// set stands for, to lengthen all of it is one node. Each knows the latest start among its matches, so what has expired is passed over where it is met.
/// </summary>
/// <remarks>
/// <para>
/// The data structure of CORE (Bucchi, Grez, Quintana, Riveros, Vansummeren: CORE, a COmplex event Recognition Engine, PVLDB 15(9), 2022), with two changes.
/// Nodes live in two rings in order of time, from whose tails they are freed when the span has passed: no counts of references. And unions whose older part has
/// expired are bypassed for good when they are met (path compression), instead of being kept in lists that bound their depth: each is passed over once, so the
/// cost of a match stays proportional to its length on the whole, not in the worst case of each.
/// </para>
/// <para>A reference is an even number for an event and an odd one for a union; -1 is the empty match, where nothing was taken yet.</para>
/// </remarks>
internal sealed class SharedSets<T>
{
    internal const long None = -1;

    private const int InitialCapacity = 64;
    private const int MaxIdleCapacity = 4096;

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
    internal ref Taking<T> At(long number) => ref _takings[number & (_takings.Length - 1)];

    internal static bool IsUnion(long set) => (set & 1) != 0;

    internal ref Joining UnionAt(long set) => ref _unions[set >> 1 & (_unions.Length - 1)];

    /// <summary>The event of a set that is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Taking<T> TakingAt(long set) => ref At(set >> 1);

    /// <summary>The set of what is in another one, each lengthened by an event; or the match that begins with the event.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Take(in T value, long ticks, int label, long before, long latestStart, int owner)
    {
        if (_nextTaking - _firstTaking == _takings.Length)
        {
            GrowTakings();
        }

        long number = _nextTaking++;
        ref var taking = ref At(number);
        taking.Event = value;
        (taking.Ticks, taking.LatestStart, taking.Before) = (ticks, latestStart, before);
        (taking.Label, taking.Owner) = (label, owner);
        return number << 1;
    }

    /// <summary>Asks for a set's node and for an event.</summary>
    internal void Prefetch(long set, long number)
    {
        if (IsUnion(set))
        {
            Ahead.PrefetchAt(ref UnionAt(set));
        }

        Ahead.PrefetchAt(ref At(number));
    }

    /// <summary>The union of two sets, the one with the later start first.</summary>
    internal long Unite(long one, long latest, long other, long otherLatest, long ticks)
    {
        if (otherLatest > latest || (otherLatest == latest && IsUnion(one) && !IsUnion(other)))
        {
            (one, other, latest, otherLatest) = (other, one, otherLatest, latest);
        }

        return AddUnion(new Joining { Left = one, Right = other, LatestStart = latest, RightLatest = otherLatest, Ticks = ticks });
    }

    internal long AddUnion(in Joining union)
    {
        if (_nextUnion - _firstUnion == _unions.Length)
        {
            GrowUnions();
        }

        long set = (_nextUnion++ << 1) | 1;
        UnionAt(set) = union;
        return set;
    }

    /// <summary>Where a set begins that may have lost what was older: unions of which only one part is alive are passed over, and not met again.</summary>
    internal long Live(long set, long limit)
    {
        long live = set;
        while (live != None && IsUnion(live) && UnionAt(live).RightLatest <= limit)
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

    /// <summary>Frees the oldest event.</summary>
    internal void RemoveFirst()
    {
        Debug.Assert(_firstTaking < _nextTaking, "There is one.");
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            At(_firstTaking).Event = default!;
        }

        _firstTaking++;
        if (_firstTaking == _nextTaking && _takings.Length > MaxIdleCapacity)
        {
            _takings = new Taking<T>[InitialCapacity];
        }
    }

    /// <summary>Frees the unions that were made no later than this: all that is in them began no later.</summary>
    internal void RemoveUnions(long limit)
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

    /// <summary>Places for so many events and unions, to be filled from saved state.</summary>
    internal void Reset(int takings, int unions)
    {
        Clear();
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

    private void Clear()
    {
        (_takings, _unions) = (new Taking<T>[InitialCapacity], new Joining[InitialCapacity]);
        (_firstTaking, _nextTaking, _firstUnion, _nextUnion) = (0, 0, 0, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void GrowTakings()
    {
        var old = _takings;
        _takings = GC.AllocateUninitializedArray<Taking<T>>(old.Length * 2);
        for (long number = _firstTaking; number < _nextTaking; number++)
        {
            At(number) = old[number & (old.Length - 1)];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
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

    /// <summary>The number of the same key's event before it; or of the one after it, where the key came near its limit.</summary>
    internal long Link;
    internal int Label;

    /// <summary>The key's place; negative where the key has let it go.</summary>
    internal int Owner;
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
