using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Finds the matches of one pattern, for each key apart. An event is decided upon, where the user's conditions run, before it moves anything.</summary>
internal abstract class Matcher<TKey, T>(PatternShape<T> shape)
    where TKey : notnull
{
    internal PatternShape<T> Shape => shape;

    /// <summary>Why the plan compiler picked it, as <c>Explain</c> prints it.</summary>
    internal abstract string Kind { get; }

    /// <summary>Whether it has to be shown events of which none of its conditions is true.</summary>
    internal abstract bool SeesEveryEvent { get; }

    /// <summary>The conditions on an event alone of which one must be true for a match to begin with it; null where any event may begin one.</summary>
    internal virtual IReadOnlyList<int>? BeginNumbers => null;

    /// <summary>Whether a key has anything open: what an event does that begins nothing depends on it.</summary>
    internal virtual bool IsOpen(TKey key) => true;

    /// <summary>Visits the keys that have anything open.</summary>
    internal virtual void VisitKeys(Action<TKey> visit)
    {
    }

    /// <summary>How many keys have partial matches.</summary>
    internal abstract int Keys { get; }

    /// <summary>How many events its partial matches hold.</summary>
    internal abstract int Events { get; }

    /// <summary>How many partial matches are open.</summary>
    internal abstract double Open { get; }

    /// <summary>How many bytes it holds, of which some may be free.</summary>
    internal abstract long Bytes { get; }

    /// <summary>Whether there is a result to be given out.</summary>
    internal abstract bool HasFound { get; }

    /// <summary>The next result.</summary>
    internal abstract Found<TKey> Next { get; }

    /// <summary>The next result's match.</summary>
    internal abstract Match<T> NextMatch { get; }

    /// <summary>The next result's match where nothing may be allocated: it can't be kept.</summary>
    internal abstract PartialMatch<T> NextPartial { get; }

    /// <summary>Takes the next result away, and lets its events go.</summary>
    internal abstract void RemoveFound();

    /// <summary>Asks what an event does to the key's partial matches. Nothing is changed yet.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The event.</param>
    /// <param name="ticks">Its time.</param>
    /// <param name="truths">A bit for each condition on an event alone: whether it is true of this one.</param>
    internal abstract void Decide(TKey key, in T value, long ticks, ReadOnlySpan<ulong> truths);

    /// <summary>Does what was decided.</summary>
    internal abstract void Apply(TKey key, in T value, long ticks, long position);

    /// <summary>Time has come so far, and no event before it will be seen: what was to happen until then has not.</summary>
    internal abstract void Expire(long time);

    /// <summary>The partial match of a key that came furthest without becoming a match; null where no history is kept.</summary>
    internal virtual (int Length, WhyNot Why)? WhyNot(TKey key, long from, long to) => null;

    /// <summary>No event comes any more. What is only certain then is found; it must not be given out before this time.</summary>
    internal virtual void Finish(long time)
    {
    }

    internal abstract void Save(StateWriter writer);

    internal abstract void Load(StateReader reader, KeyRange keys);

    protected static bool IsTrue(ReadOnlySpan<ulong> truths, int number)
    {
        Debug.Assert(number >= 0, "A condition on an event alone has a number.");
        return (truths[number >> 6] >> (number & 63) & 1) != 0;
    }
}

/// <summary>A result that is to be given out: a match, a partial match whose time was over, or what is wrong with a match.</summary>
/// <param name="Key">The key.</param>
/// <param name="Start">The time of its first event.</param>
/// <param name="End">The time of its last event.</param>
/// <param name="Ticks">The result's own time.</param>
/// <param name="IsTimeout">Whether it is a partial match.</param>
/// <param name="Error">What is wrong, or null.</param>
internal readonly record struct Found<TKey>(TKey Key, long Start, long End, long Ticks, bool IsTimeout, Exception? Error = null);

/// <summary>How many partial matches a key may have, and what else a matcher must know of its operator.</summary>
internal sealed record MatchLimits(QueryContext Query, int MaxPerKey, WhenMatchesFull WhenFull, bool WantsTimeouts, int Remembered = 0);
