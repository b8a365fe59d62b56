namespace IoT.Cep;

/// <summary>What an operator does with a key that would be one more than <c>KeyBy(..., maxKeys)</c> allows.</summary>
public enum WhenKeysFull
{
    /// <summary>The query stops, or skips the event, with a <see cref="KeyLimitException"/>: the query's error policy says which.</summary>
    Fail,

    /// <summary>The event becomes a dead letter and is counted as <see cref="Query.RefusedEvents"/>; the keys that are there go on.</summary>
    Refuse,

    /// <summary>
    /// The keys whose last event came longest ago give way, a 64th of them at a time: their open windows give what they have, marked
    /// <see cref="Firing.Early"/>, and are forgotten. A key that comes back within the same window begins anew, so that window has two results then,
    /// which the <see cref="Extensibility.ResultId.Ordinal"/> of their identities tells apart.
    /// <see cref="Query.EvictedKeys"/> counts them. For windows that follow from time alone (tumbling, hopping, calendar).
    /// </summary>
    EvictIdle,
}
