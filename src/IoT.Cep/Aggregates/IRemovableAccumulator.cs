namespace IoT.Cep;

/// <summary>
/// An accumulator that can also give a value back. Windows that slide with each event (<c>Window.Sliding</c>, <c>Window.Around</c>)
/// over <c>Aggregate(seed, ...)</c> then take each event in and out again, and keep the events; without it they keep states and merge them. Optional.
/// </summary>
/// <remarks>
/// Only what was added is removed, and after all was removed the accumulator is as good as empty. Removing leaves rounding errors of floating point
/// behind, in the order of the largest value that was ever in; an accumulator whose value can't be found again from what remains (the greatest, the first)
/// does not implement it.
/// </remarks>
/// <typeparam name="T">The event's type, or that of a value selected from it.</typeparam>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface IRemovableAccumulator<T, TSelf> : IAccumulator<T, TSelf>
    where TSelf : struct, IRemovableAccumulator<T, TSelf>
{
    /// <summary>Takes a value out that was added before.</summary>
    /// <param name="value">The value.</param>
    void Remove(in T value);

    static bool IAccumulator<T, TSelf>.CanRemove => true;

    static void IAccumulator<T, TSelf>.Remove(ref TSelf accumulator, in T value) => accumulator.Remove(in value);
}
