namespace IoT.Cep;

/// <summary>A user-written aggregate: a struct whose default is the empty aggregate. No delegate is called for an event.</summary>
/// <remarks>
/// A struct that holds arrays or other objects must copy in <see cref="Merge"/> what it takes from the other one, which is emptied and used again.
/// </remarks>
/// <typeparam name="T">The event's type, or that of a value selected from it.</typeparam>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface IAccumulator<T, TSelf>
    where TSelf : struct, IAccumulator<T, TSelf>
{
    /// <summary>Takes an event in.</summary>
    /// <param name="value">The event.</param>
    void Add(in T value);

    /// <summary>Takes all events of another aggregate in, and leaves the other as it is.</summary>
    /// <param name="other">The other aggregate.</param>
    void Merge(in TSelf other);

    /// <summary>
    /// Empties a struct that holds arrays or other objects, so that its memory serves a later window. Parameters stay. Not asked of a struct without
    /// references, which costs nothing to make anew.
    /// </summary>
    /// <returns>False, as by default, where it can't: then the seed takes its place.</returns>
    bool TryClear() => false;

    /// <summary>Whether it is an <see cref="IRemovableAccumulator{T, TSelf}"/>.</summary>
    internal static virtual bool CanRemove => false;

    internal static virtual void Remove(ref TSelf accumulator, in T value) =>
        throw new System.Diagnostics.UnreachableException("Nothing is removed from an accumulator that can't.");
}

/// <summary>
/// The same for an aggregate to which the time of an event matters: the first, the last, a rate, a time-weighted average. Events come in order of
/// arrival, which may differ from that of their times by the disorder and the allowed lateness.
/// </summary>
/// <typeparam name="T">The event's type, or that of a value selected from it.</typeparam>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface ITimedAccumulator<T, TSelf>
    where TSelf : struct, ITimedAccumulator<T, TSelf>
{
    /// <summary>Takes an event in.</summary>
    /// <param name="value">The event.</param>
    /// <param name="ticks">The event's time: 100 ns ticks since 1970-01-01 UTC.</param>
    void Add(in T value, long ticks);

    /// <summary>Takes all events of another aggregate in, and leaves the other as it is.</summary>
    /// <param name="other">The other aggregate.</param>
    void Merge(in TSelf other);

    /// <summary>
    /// Empties a struct that holds arrays or other objects, so that its memory serves a later window. Parameters stay. Not asked of a struct without
    /// references, which costs nothing to make anew.
    /// </summary>
    /// <returns>False, as by default, where it can't: then the seed takes its place.</returns>
    bool TryClear() => false;
}
