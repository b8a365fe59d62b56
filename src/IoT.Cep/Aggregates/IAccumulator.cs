namespace IoT.Cep;

/// <summary>A user-written aggregate: a struct whose default is the empty aggregate. No delegate is called for an event.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface IAccumulator<T, TSelf>
    where TSelf : struct, IAccumulator<T, TSelf>
{
    /// <summary>Takes an event in.</summary>
    /// <param name="value">The event.</param>
    void Add(in T value);

    /// <summary>Takes all events of another aggregate in.</summary>
    /// <param name="other">The other aggregate.</param>
    void Merge(in TSelf other);
}
