using System.Diagnostics;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Matches by sets: partial matches that have the same future are one set, however many they are, so an event costs the same whether there is one of them or a
/// billion. For patterns whose conditions ask for nothing but the event.
/// </summary>
internal sealed partial class SetMatcher<TKey, T> : Matcher<TKey, T>
    where TKey : notnull
{
    private readonly SharedSets<T> _sets = new();
    private readonly Configurations<T> _configurations;
    private readonly KeyedMap<TKey, KeySets<T>> _keys;
    private readonly MatchLimits _limits;
    private readonly long _span;
    private readonly List<Standing<T>> _next = [];
    private ulong _bits;
    private long _expired = long.MinValue;

    internal SetMatcher(PatternShape<T> shape, int maxKeys, MatchLimits limits)
        : base(shape)
    {
        _configurations = new Configurations<T>(new PatternProgram<T>(shape));
        _keys = new KeyedMap<TKey, KeySets<T>>(maxKeys);
        _limits = limits;
        _span = shape.Span;
        _spelling = new Spelling<T>(_sets, shape);
    }

    internal override string Kind => "sets";

    internal override bool SeesEveryEvent => Shape.SeesEveryEvent;

    internal override int Keys => _keys.Count;

    internal override int Events
    {
        get
        {
            int events = 0;
            for (int i = 0; i < _keys.Count; i++)
            {
                events += _keys.Entries[i].State.Count;
            }

            return events;
        }
    }

    internal override long Bytes => _sets.Bytes + (_keys.Count * (long)Unsafe.SizeOf<KeyedMap<TKey, KeySets<T>>.Entry>());

    internal override void Decide(TKey key, in T value, long ticks, ReadOnlySpan<ulong> truths) => _bits = _configurations.BitsOf(truths);

    internal override void Apply(TKey key, in T value, long ticks, long position)
    {
        var begins = _configurations.ChangeOf(_configurations.Start, _bits).Takes;
        int place = _keys.IndexOf(key);
        if (place < 0)
        {
            if (begins.Length == 0)
            {
                return;
            }

            place = _keys.Add(key, (uint)key.GetHashCode());
            _keys.Entries[place].State = new KeySets<T> { Oldest = SharedSets<T>.None, Newest = SharedSets<T>.None, Floor = long.MinValue };
        }

        ref var sets = ref _keys.Entries[place].State;
        long limit = Math.Max(Ticks.Minus(ticks, _span), sets.Floor);
        if (begins.Length == 0 && IsUnmoved(in sets, limit))
        {
            return;
        }

        _next.Clear();
        if (begins.Length > 0 && MayBegin(in sets))
        {
            Take(begins, SharedSets<T>.None, in value, ticks, place, key, limit);
        }

        for (int i = 0; i < sets.Groups; i++)
        {
            var standing = sets[i];
            if (standing.LatestStart <= limit)
            {
                continue;
            }

            var change = _configurations.ChangeOf(standing.At, _bits);
            Take(change.Takes, standing.Set, in value, ticks, place, key, limit);
            if (change.Next is { } next)
            {
                Stand(next, standing.Set, ticks);
            }
        }

        sets = ref _keys.Entries[place].State;
        sets.Set(_next);
        Limit(ref sets);
        if (sets.Groups == 0)
        {
            Let(in sets);
            Remove(place);
        }
    }

    internal override void Expire(long time)
    {
        long limit = _expired = Ticks.Minus(time, _span);
        while (_sets.First < _sets.End && _sets.At(_sets.First).Ticks <= limit)
        {
            ref var oldest = ref _sets.At(_sets.First);
            if (oldest.Owner >= 0)
            {
                Forget(oldest.Owner, oldest.Next);
            }

            _sets.RemoveFirst();
        }

        _sets.RemoveUnions(limit);
    }

    /// <summary>Whether an event changes nothing: each set stays where it is, as a whole.</summary>
    private bool IsUnmoved(in KeySets<T> sets, long limit)
    {
        for (int i = 0; i < sets.Groups; i++)
        {
            var standing = sets[i];
            var change = _configurations.ChangeOf(standing.At, _bits);
            if (change.Takes.Length > 0 || !ReferenceEquals(change.Next, standing.At) || standing.LatestStart <= limit)
            {
                return false;
            }
        }

        return true;
    }

    private void Take(SetTake<T>[] takes, long before, in T value, long ticks, int place, TKey key, long limit)
    {
        foreach (var take in takes)
        {
            bool goesOn = take.Next is not null;
            long set = _sets.Take(in value, ticks, take.Label, before, goesOn ? place : -1);
            if (take.IsFinal)
            {
                _complete.Enqueue((key, set, ticks, limit));
            }

            if (goesOn)
            {
                // What only completes is no partial match: it counts for nothing, and is given out at once.
                Own(ref _keys.Entries[place].State, set >> 1);
                Stand(take.Next!, set, ticks);
            }
        }
    }

    /// <summary>A set stands in a configuration from now on; where another one does, both do as one.</summary>
    private void Stand(Configuration<T> at, long set, long ticks)
    {
        for (int i = 0; i < _next.Count; i++)
        {
            if (ReferenceEquals(_next[i].At, at))
            {
                long union = _sets.Unite(_next[i].Set, set, ticks);
                _next[i] = new Standing<T>(at, union, _sets.LatestStart(union));
                return;
            }
        }

        _next.Add(new Standing<T>(at, set, _sets.LatestStart(set)));
    }

    private void Own(ref KeySets<T> sets, long number)
    {
        if (sets.Newest == SharedSets<T>.None)
        {
            sets.Oldest = number;
        }
        else
        {
            _sets.At(sets.Newest).Next = number;
        }

        sets.Newest = number;
        sets.Count++;
    }

    private bool MayBegin(in KeySets<T> sets)
    {
        if (sets.Count < _limits.MaxPerKey || _limits.WhenFull == WhenMatchesFull.DropOldest)
        {
            return true;
        }

        Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
        return false;
    }

    /// <summary>A key that holds more events than it may loses its oldest ones, and the partial matches that began no later.</summary>
    private void Limit(ref KeySets<T> sets)
    {
        while (sets.Count > _limits.MaxPerKey)
        {
            Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
            ref var oldest = ref _sets.At(sets.Oldest);
            oldest.Owner = -1;
            sets.Floor = Math.Max(sets.Floor, oldest.Ticks);
            sets.Oldest = oldest.Next;
            sets.Count--;
        }
    }

    private void Forget(int place, long next)
    {
        ref var entry = ref _keys.Entries[place];
        entry.State.Oldest = next;
        if (--entry.State.Count == 0)
        {
            Remove(place);
        }
    }

    /// <summary>No partial match is open any more: the events are nobody's.</summary>
    private void Let(in KeySets<T> sets)
    {
        for (long number = sets.Oldest; sets.Count > 0 && number != SharedSets<T>.None; number = _sets.At(number).Next)
        {
            _sets.At(number).Owner = -1;
        }
    }

    /// <summary>Forgets a key that has nothing any more; the last one takes its place.</summary>
    private void Remove(int place)
    {
        ref var entry = ref _keys.Entries[place];
        int moved = _keys.Remove(entry.Key);
        if (moved != place)
        {
            for (long number = _keys.Entries[place].State.Oldest; number != SharedSets<T>.None; number = _sets.At(number).Next)
            {
                _sets.At(number).Owner = place;
            }
        }
    }
}

/// <summary>A set of partial matches, and where it stands. The latest of their starts tells whether the set is still there to be looked at.</summary>
internal readonly record struct Standing<T>(Configuration<T> At, long Set, long LatestStart);

/// <summary>What a key holds: its sets, and its events in order, by which it is known when nothing of it can be of use any more.</summary>
internal struct KeySets<T>
{
    private Standing<T> _first;
    private Standing<T> _second;
    private Standing<T>[]? _more;

    internal long Oldest;
    internal long Newest;

    /// <summary>What began no later was dropped, because there was too much.</summary>
    internal long Floor;
    internal int Count;
    internal int Groups;

    internal readonly Standing<T> this[int index] => index switch
    {
        0 => _first,
        1 => _second,
        _ => _more![index - 2],
    };

    internal void Set(List<Standing<T>> sets)
    {
        Groups = sets.Count;
        _first = sets.Count > 0 ? sets[0] : default;
        _second = sets.Count > 1 ? sets[1] : default;
        if (sets.Count <= 2)
        {
            return;
        }

        if (_more is null || _more.Length < sets.Count - 2)
        {
            _more = new Standing<T>[(sets.Count - 2) * 2];
        }

        Debug.Assert(sets.Count - 2 <= _more.Length, "There is room.");
        sets.CopyTo(2, _more, 0, sets.Count - 2);
    }
}
