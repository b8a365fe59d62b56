using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// How many events a key holds, and how many keys there are. Each event knows the one before it, and the key how many it took since it was last counted: as long
/// as those are fewer than are allowed, nobody asks. A key that comes near its limit has a queue of them, so that its oldest can be let go.
/// </summary>
internal sealed partial class SetMatcher<TKey, T>
{
    // A sweep of all keys is not repeated before it could find more: before a key's sets became fewer, or the first of them expires.
    private long _fewer;
    private long _fewerAtSweep = -1;
    private long _firstIdle;
    private long[] _counted = [];

    /// <summary>Whether nothing of a key is open.</summary>
    private static bool IsIdle(in KeySets sets, long limit)
    {
        limit = Math.Max(limit, sets.Floor);
        for (int i = 0; i < sets.Groups; i++)
        {
            if (sets[i].LatestStart > limit)
            {
                return false;
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Own(ref KeySets sets, long set)
    {
        long number = SharedSets<T>.NumberOf(set);
        _sets.At(number).Link = sets.Newest;
        sets.Newest = number;
        sets.Count++;
        if (sets.Rest is { IsCounted: true } rest)
        {
            rest.Numbers.Enqueue(number);
        }
    }

    /// <summary>No partial match is open any more: what the key has taken counts for nothing.</summary>
    private void LetGo(ref KeySets sets, long ticks)
    {
        _fewer++;
        sets.LetGo(ticks);
    }

    /// <summary>Adds a key. One that has nothing open gives way where there is no place; where there is, only when it was not heard of for as long as a match may last.</summary>
    private int Add(TKey key, long ticks)
    {
        long limit = Ticks.Minus(ticks, _span);
        if (_keys.IsFull)
        {
            if (_fewer != _fewerAtSweep || limit >= _firstIdle)
            {
                Sweep(limit, limit);
            }
        }
        else if (!_keys.HasPlace)
        {
            Sweep(limit, long.MaxValue);
            if (_keys.Count * 2 > _keys.Places)
            {
                _keys.Grow();
            }
        }

        int place = _keys.Add(key);
        _keys.At(place).State.Clear();
        return place;
    }

    /// <summary>Forgets keys that have nothing open, and have had nothing since a time.</summary>
    private void Sweep(long limit, long since)
    {
        (_fewerAtSweep, _firstIdle) = (_fewer, long.MaxValue);
        for (int place = 0; place < _keys.Places; place++)
        {
            ref var entry = ref _keys.At(place);
            if (!entry.IsLive)
            {
                continue;
            }

            if (IsIdle(in entry.State, limit) && (since == limit || entry.State.LatestStart <= limit))
            {
                _keys.Remove(place);
            }
            else
            {
                _firstIdle = Math.Min(_firstIdle, LatestOf(in entry.State));
            }
        }
    }

    private static long LatestOf(in KeySets sets)
    {
        long latest = long.MinValue;
        for (int i = 0; i < sets.Groups; i++)
        {
            latest = Math.Max(latest, sets[i].LatestStart);
        }

        return latest;
    }

    /// <summary>The numbers of the events that a key holds, of which none has expired; the oldest first.</summary>
    private List<long> EventsOf(in KeySets sets)
    {
        long first = _sets.First;
        var numbers = new List<long>();
        if (sets.Rest is { IsCounted: true } rest)
        {
            numbers.AddRange(rest.Numbers.Where(number => number >= first));
            return numbers;
        }

        for (long number = sets.Newest; number >= first; number = _sets.At(number).Link)
        {
            numbers.Add(number);
        }

        numbers.Reverse();
        return numbers;
    }

    /// <summary>
    /// Counts what a key that may have reached its limit still holds. Where it is much it is queued, so that it need not be counted again; where it is little,
    /// half the limit passes before it is.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Recount(ref KeySets sets, long ticks)
    {
        Expire(ticks);
        if (sets.Rest is { IsCounted: true } counted)
        {
            while (counted.Numbers.TryPeek(out long oldest) && oldest < _sets.First)
            {
                counted.Numbers.Dequeue();
            }

            sets.Count = counted.Numbers.Count;
            return;
        }

        sets.Count = 0;
        for (long number = sets.Newest; number >= _sets.First; number = _sets.At(number).Link)
        {
            if (sets.Count == _counted.Length)
            {
                Array.Resize(ref _counted, Math.Max(64, _counted.Length * 2));
            }

            _counted[sets.Count++] = number;
        }

        if (sets.Count > _limits.MaxPerKey / 2)
        {
            sets.NeedRest().Queue(_counted.AsSpan(0, sets.Count));
        }
    }

    private bool MayBegin(in KeySets sets)
    {
        if (sets.Count < _limits.MaxPerKey || _limits.WhenFull == WhenMatchesFull.DropOldest)
        {
            return true;
        }

        Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
        return false;
    }

    /// <summary>A key that holds more events than it may loses its oldest ones, and the partial matches that began no later.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Limit(ref KeySets sets, long ticks)
    {
        Recount(ref sets, ticks);
        while (sets.Count > _limits.MaxPerKey)
        {
            Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
            var rest = sets.Rest!;
            rest.Floor = Math.Max(rest.Floor, _sets.At(rest.Numbers.Dequeue()).Ticks);
            sets.Count--;
        }
    }
}

/// <summary>A set of partial matches, and the configuration in which it stands. The latest of their starts tells whether there is still something in it.</summary>
internal readonly record struct Standing(int At, long Set, long LatestStart);

/// <summary>What a key holds: its sets, of which most keys have one, and how many events.</summary>
internal struct KeySets
{
    internal long Set;

    /// <summary>The latest start in the first set; or when the key had one last.</summary>
    internal long LatestStart;

    /// <summary>The number of the event that was taken last.</summary>
    internal long Newest;

    /// <summary>What few keys need; a place's next key has it again.</summary>
    internal RestOfSets? Rest;

    /// <summary>Where the first set stands.</summary>
    internal int At;

    /// <summary>How many sets there are.</summary>
    internal int Groups;

    /// <summary>How many events it took since they were counted, and those that it held then.</summary>
    internal int Count;

    /// <summary>What began no later was dropped, because there was too much.</summary>
    internal readonly long Floor => Rest?.Floor ?? long.MinValue;

    internal readonly Standing this[int index] => index == 0 ? new Standing(At, Set, LatestStart) : Rest!.Sets[index - 1];

    internal void Put(ReadOnlySpan<Standing> sets)
    {
        Groups = sets.Length;
        if (sets.Length > 0)
        {
            (At, Set, LatestStart) = sets[0];
        }

        if (sets.Length > 1)
        {
            NeedRest().Put(sets[1..]);
        }
    }

    internal RestOfSets NeedRest() => Rest ??= new RestOfSets();

    internal void LetGo(long ticks)
    {
        (Groups, Count, Newest, LatestStart) = (0, 0, SharedSets<int>.None, ticks);
        Rest?.Clear();
    }

    /// <summary>Makes it a new key's.</summary>
    internal void Clear() => LetGo(long.MinValue);
}

/// <summary>Of a key that has several sets, or came near its limit.</summary>
internal sealed class RestOfSets
{
    /// <summary>All sets but the first.</summary>
    internal Standing[] Sets { get; private set; } = [];

    /// <summary>Whether the numbers of the key's events are queued.</summary>
    internal bool IsCounted { get; private set; }

    internal Queue<long> Numbers { get; } = new();

    internal long Floor { get; set; } = long.MinValue;

    internal void Put(ReadOnlySpan<Standing> sets)
    {
        if (Sets.Length < sets.Length)
        {
            Sets = new Standing[sets.Length * 2];
        }

        sets.CopyTo(Sets);
    }

    internal void Queue(ReadOnlySpan<long> latestFirst)
    {
        IsCounted = true;
        for (int i = latestFirst.Length - 1; i >= 0; i--)
        {
            Numbers.Enqueue(latestFirst[i]);
        }
    }

    internal void Clear()
    {
        Floor = long.MinValue;
        if (IsCounted)
        {
            IsCounted = false;
            Numbers.Clear();
        }
    }
}
