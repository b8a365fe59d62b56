using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// How many events a key holds. Each knows the one before it, and the key how many it took since it was last counted: as long as those are fewer than are
/// allowed, nobody asks. Of a key that comes near its limit each event knows the next one, so that its oldest can be let go.
/// </summary>
internal sealed partial class SetMatcher<TKey, T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Own(ref KeySets sets, long set)
    {
        long number = set >> 1;
        if (sets.Rest is { Oldest: >= 0 })
        {
            _sets.At(sets.Newest).Link = number;
        }
        else
        {
            _sets.At(number).Link = sets.Newest;
        }

        sets.Newest = number;
        sets.Count++;
    }

    /// <summary>No partial match is open any more: what the key has taken counts for nothing, and stays only until it expires.</summary>
    private static void LetGo(ref KeySets sets)
    {
        (sets.Groups, sets.Count, sets.Base) = (0, 0, sets.Newest);
        if (sets.Rest is { Oldest: >= 0 } rest)
        {
            rest.Oldest = SharedSets<T>.None;
        }
    }

    /// <summary>Counts what a key that may have reached its limit still holds.</summary>
    /// <returns>Whether it holds anything; else it is no more.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Recount(ref int place, TKey key, long ticks)
    {
        Expire(ticks);
        place = _keys.Find(key);
        if (place < 0)
        {
            return false;
        }

        ref var sets = ref _keys.At(place).State;
        if (sets.Rest is { Oldest: >= 0 })
        {
            return true;
        }

        Count(ref sets);
        return true;
    }

    /// <summary>
    /// Counts the events of a key, of which none has expired. Where there are many their links are turned around, so that they need not be counted again;
    /// where there are few, half the limit passes before they are.
    /// </summary>
    private void Count(ref KeySets sets)
    {
        long oldest = SharedSets<T>.None;
        sets.Count = 0;
        long end = Math.Max(_sets.First, sets.Base + 1);
        for (long number = sets.Newest; number >= end; number = _sets.At(number).Link)
        {
            oldest = number;
            sets.Count++;
        }

        if (sets.Count <= _limits.MaxPerKey / 2)
        {
            return;
        }

        long next = SharedSets<T>.None;
        for (long number = sets.Newest; number >= end;)
        {
            ref var taking = ref _sets.At(number);
            (number, taking.Link, next) = (taking.Link, next, number);
        }

        sets.NeedRest().Oldest = oldest;
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
        // The key itself stays: it has just taken an event.
        Expire(ticks);
        if (sets.Rest is not { Oldest: >= 0 })
        {
            Count(ref sets);
        }

        while (sets.Count > _limits.MaxPerKey)
        {
            Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
            var rest = sets.Rest!;
            ref var oldest = ref _sets.At(rest.Oldest);
            oldest.Owner = -1;
            rest.Floor = Math.Max(rest.Floor, oldest.Ticks);
            rest.Oldest = oldest.Link;
            sets.Count--;
        }
    }

    /// <summary>An event of a key has expired. With its newest one the key goes.</summary>
    private void Forget(int place, long link)
    {
        ref var sets = ref _keys.At(place).State;
        if (sets.Newest == _sets.First)
        {
            _keys.Remove(place);
        }
        else if (sets.Rest is { Oldest: >= 0 } rest && _sets.First > sets.Base)
        {
            rest.Oldest = link;
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
    internal long LatestStart;
    internal int At;
    internal int Groups;

    /// <summary>The number of the event that was taken last.</summary>
    internal long Newest;

    /// <summary>The number of the last event that counts for nothing any more.</summary>
    internal long Base;

    /// <summary>What few keys need; a place's next key has it again.</summary>
    internal RestOfSets? Rest;

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

    /// <summary>Makes it a new key's.</summary>
    internal void Clear()
    {
        (Groups, Count, Newest, Base) = (0, 0, SharedSets<int>.None, SharedSets<int>.None);
        Rest?.Clear();
    }
}

/// <summary>Of a key that has several sets, or came near its limit.</summary>
internal sealed class RestOfSets
{
    /// <summary>All sets but the first.</summary>
    internal Standing[] Sets { get; private set; } = [];

    /// <summary>The number of the oldest event, where each leads to the next; or negative.</summary>
    internal long Oldest { get; set; } = SharedSets<int>.None;

    internal long Floor { get; set; } = long.MinValue;

    internal void Put(ReadOnlySpan<Standing> sets)
    {
        if (Sets.Length < sets.Length)
        {
            Sets = new Standing[sets.Length * 2];
        }

        sets.CopyTo(Sets);
    }

    internal void Clear() => (Oldest, Floor) = (SharedSets<int>.None, long.MinValue);
}
