using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Finds the matches of one pattern, for each key apart. An event is decided upon, where the user's conditions run, before it moves anything.</summary>
internal abstract class Matcher<TKey, T>(PatternShape<T> shape)
    where TKey : notnull
{
    private readonly Queue<Found<TKey>> _found = new();

    internal PatternShape<T> Shape => shape;

    /// <summary>Why the plan compiler picked it, as <c>Explain</c> prints it.</summary>
    internal abstract string Kind { get; }

    /// <summary>Whether it has to be shown events of which none of its conditions is true.</summary>
    internal abstract bool SeesEveryEvent { get; }

    /// <summary>How many keys have partial matches.</summary>
    internal abstract int Keys { get; }

    /// <summary>How many events its partial matches hold.</summary>
    internal abstract int Events { get; }

    /// <summary>How many partial matches are open.</summary>
    internal abstract double Open { get; }

    /// <summary>How many bytes it holds, of which some may be free.</summary>
    internal abstract long Bytes { get; }

    /// <summary>The arena of the chains that <see cref="Next"/> names.</summary>
    internal abstract Chains<T> Chains { get; }

    internal bool HasFound => _found.Count > 0;

    internal Found<TKey> Next => _found.Peek();

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

    internal abstract void Save(StateWriter writer);

    internal abstract void Load(StateReader reader, KeyRange keys);

    /// <summary>Takes the next result away, and lets its events go.</summary>
    internal void RemoveFound()
    {
        var found = _found.Dequeue();
        if (found.Last >= 0)
        {
            Chains.Free(found.Last);
        }
    }

    protected void Find(in Found<TKey> found) => _found.Enqueue(found);

    protected static bool IsTrue(ReadOnlySpan<ulong> truths, int number)
    {
        Debug.Assert(number >= 0, "A condition on an event alone has a number.");
        return (truths[number >> 6] >> (number & 63) & 1) != 0;
    }
}

/// <summary>A result that is to be given out: a match, a partial match whose time was over, or what is wrong with a match.</summary>
/// <param name="Key">The key.</param>
/// <param name="Last">The last event of its chain.</param>
/// <param name="Ticks">The result's time.</param>
/// <param name="IsTimeout">Whether it is a partial match.</param>
/// <param name="Error">What is wrong, or null.</param>
internal readonly record struct Found<TKey>(TKey Key, int Last, long Ticks, bool IsTimeout, Exception? Error = null);
