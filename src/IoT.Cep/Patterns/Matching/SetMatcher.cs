using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Matches by sets: partial matches that have the same future are one set, however many they are, so an event costs the same whether there is one of them or a
/// billion. For patterns whose conditions ask for nothing but the event.
/// </summary>
/// <remarks>
/// What has expired is passed over where it is met, so nothing has to be removed before an event is looked at, but where a limit would be reached: it is
/// removed now and then, and what comes out does not depend on when.
/// </remarks>
internal sealed partial class SetMatcher<TKey, T> : Matcher<TKey, T>
    where TKey : notnull
{
    // With fewer, everything is in the second cache.
    private const int ManyKeys = 8_192;

    private readonly SharedSets<T> _sets = new();
    private readonly Configurations<T> _configurations;
    private readonly PlacedMap<TKey, KeySets> _keys;
    private readonly MatchLimits _limits;
    private readonly long _span;
    private readonly int _start;
    private readonly Looked<TKey>[] _one = new Looked<TKey>[1];
    private Standing[] _next = new Standing[4];
    private int _nextCount;
    private ulong _nextConfigurations;
    private ulong _bits;
    private long _expired = long.MinValue;

    internal SetMatcher(PatternShape<T> shape, int maxKeys, MatchLimits limits)
        : base(shape)
    {
        _configurations = new Configurations<T>(new PatternProgram<T>(shape));
        _start = _configurations.Start.Id;
        _keys = new PlacedMap<TKey, KeySets>(maxKeys);
        _limits = limits;
        _span = shape.Span;
        _spelling = new Spelling<T>(_sets, shape);
    }

    internal override string Kind => "sets";

    internal override bool SeesEveryEvent => Shape.SeesEveryEvent;

    /// <summary>How many keys have partial matches; others are forgotten when their places are wanted.</summary>
    internal override int Keys
    {
        get
        {
            int keys = 0;
            for (int place = 0; place < _keys.Places; place++)
            {
                keys += _keys.At(place).IsLive && !IsIdle(in _keys.At(place).State, _expired) ? 1 : 0;
            }

            return keys;
        }
    }

    /// <summary>How many events keys hold; those that a key let go are not its own.</summary>
    internal override int Events
    {
        get
        {
            int events = 0;
            for (int place = 0; place < _keys.Places; place++)
            {
                ref var entry = ref _keys.At(place);
                events += entry.IsLive && !IsIdle(in entry.State, _expired) ? EventsOf(in entry.State).Count : 0;
            }

            return events;
        }
    }

    internal override long Bytes => _sets.Bytes + _keys.Bytes;

    internal override void Decide(TKey key, in T value, long ticks, ReadOnlySpan<ulong> truths) => _bits = BitsOf(truths);

    internal override void Apply(TKey key, in T value, long ticks, long position) => Apply(_keys.Find(key), key, in value, ticks, _bits);

    internal override void Expire(long time)
    {
        _expired = Ticks.Minus(time, _span);
        _sets.Expire(_expired);
    }

    /// <summary>A bit for each of the pattern's conditions.</summary>
    internal ulong BitsOf(ReadOnlySpan<ulong> truths) => _configurations.BitsOf(truths);

    /// <summary>How often a key was removed: what was looked up before is worth nothing then.</summary>
    internal int Removals => _keys.Removals;

    /// <summary>The key's place, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(TKey key)
    {
        int place = _keys.Find(key);
        if (place >= 0)
        {
            Ahead.PrefetchEnds(ref _keys.At(place));
        }

        return place;
    }

    /// <summary>Whether there are so many keys that their sets are far away.</summary>
    internal bool HasManyKeys => _keys.Count >= ManyKeys;

    /// <summary>Asks for the sets of keys that were just looked up.</summary>
    internal void Prefetch(ReadOnlySpan<Looked<TKey>> chunk)
    {
        foreach (ref readonly var looked in chunk)
        {
            if (looked.Place >= 0 && _keys.At(looked.Place).State is { Groups: > 0, Set: var set })
            {
                _sets.Prefetch(set);
            }
        }
    }

    /// <summary>Does what an event does to its key's sets.</summary>
    /// <param name="place">The key's place, or -1.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The event.</param>
    /// <param name="ticks">Its time.</param>
    /// <param name="bits">What conditions are true of it.</param>
    internal void Apply(int place, TKey key, in T value, long ticks, ulong bits)
    {
        if (place < 0)
        {
            if (_configurations.ChangeOf(_start, bits).Label < 0)
            {
                return;
            }

            place = Add(key, ticks);
        }

        _one[0] = new Looked<TKey> { Place = place, Ticks = ticks, Bits = bits };
        if (ApplyCommon(_one, new ReadOnlySpan<T>(in value), isUntilComplete: true) == 0 && !HasCompleted)
        {
            ApplyAny(place, in value, ticks, bits);
        }
    }

    /// <summary>Any event: each set is asked where it goes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ApplyAny(int place, in T value, long ticks, ulong bits)
    {
        long limit = Ticks.Minus(ticks, _span);
        var begins = _configurations.ChangeOf(_start, bits).Takes;
        ref var sets = ref _keys.At(place).State;
        if (IsIdle(in sets, limit))
        {
            LetGo(ref sets, ticks);
        }
        else if (sets.Count >= _limits.MaxPerKey)
        {
            Recount(ref sets, ticks);
        }

        limit = Math.Max(limit, sets.Floor);
        int unmoved = begins.Length == 0 ? CountUnmoved(in sets, limit, bits) : 0;
        if (unmoved == sets.Groups && begins.Length == 0)
        {
            return;
        }

        (_nextCount, _nextConfigurations) = (0, 0);
        if (begins.Length > 0 && MayBegin(in sets))
        {
            Take(begins, SharedSets<T>.None, ticks, in value, ticks, place, limit);
        }

        for (int i = 0; i < sets.Groups; i++)
        {
            var standing = sets[i];
            if (standing.LatestStart <= limit)
            {
                continue;
            }

            if (i < unmoved)
            {
                Stand(in standing, ticks, limit);
                continue;
            }

            var change = _configurations.ChangeOf(standing.At, bits);
            _fewer++;
            if (change.Takes.Length > 0)
            {
                Take(change.Takes, standing.Set, standing.LatestStart, in value, ticks, place, limit);
            }

            if (change.Next >= 0)
            {
                Stand(new Standing(change.Next, standing.Set, standing.LatestStart), ticks, limit);
            }
        }

        if (_nextCount == 0)
        {
            LetGo(ref sets, ticks);
            return;
        }

        sets.Put(_next.AsSpan(0, _nextCount));
        if (sets.Count > _limits.MaxPerKey)
        {
            Limit(ref sets, ticks);
        }
    }

    /// <summary>How many sets stay where they are, as wholes, before the first that does not.</summary>
    private int CountUnmoved(in KeySets sets, long limit, ulong bits)
    {
        int unmoved = 0;
        while (unmoved < sets.Groups && sets[unmoved].LatestStart > limit && _configurations.ChangeOf(sets[unmoved].At, bits).Kind == ChangeKind.None)
        {
            unmoved++;
        }

        return unmoved;
    }

    private void Take(SetTake<T>[] takes, long before, long latestStart, in T value, long ticks, int place, long limit)
    {
        foreach (var take in takes)
        {
            if (take.Next < 0)
            {
                // What only completes matches is spelled at once, and stands in no set.
                Complete(place, before, take.Label, in value, ticks, limit);
                continue;
            }

            long set = _sets.Take(in value, ticks, take.Label, before, latestStart, limit);
            Own(ref _keys.At(place).State, set);
            if (take.IsFinal)
            {
                Complete(place, set, -1, in value, ticks, limit);
            }

            Stand(new Standing(take.Next, set, latestStart), ticks, limit);
        }
    }

    /// <summary>A set stands in a configuration from now on; where another one does, both do as one.</summary>
    private void Stand(in Standing standing, long ticks, long limit)
    {
        // Mostly there is none: that is seen without looking for it.
        ulong configuration = 1UL << (standing.At & 63);
        if ((_nextConfigurations & configuration) != 0 && TryUnite(in standing, ticks, limit))
        {
            return;
        }

        _nextConfigurations |= configuration;
        if (_nextCount == _next.Length)
        {
            Array.Resize(ref _next, _nextCount * 2);
        }

        _next[_nextCount++] = standing;
    }

    private bool TryUnite(in Standing standing, long ticks, long limit)
    {
        foreach (ref var other in _next.AsSpan(0, _nextCount))
        {
            if (other.At == standing.At)
            {
                long union = _sets.Unite(other.Set, other.LatestStart, standing.Set, standing.LatestStart, ticks, limit);
                other = new Standing(other.At, union, Math.Max(other.LatestStart, standing.LatestStart));
                return true;
            }
        }

        return false;
    }
}
