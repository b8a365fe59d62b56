namespace IoT.Cep.Extensibility;

/// <summary>Why something became a dead letter.</summary>
public enum DeadLetterReason
{
    /// <summary>The payload is not well-formed: cut off, not UTF-8, not JSON.</summary>
    Malformed,

    /// <summary>The payload is larger than the limit.</summary>
    TooLarge,

    /// <summary>The payload is nested deeper than the limit.</summary>
    TooDeep,

    /// <summary>A field that the event type requires is missing.</summary>
    MissingField,

    /// <summary>A field has a value of the wrong type.</summary>
    WrongType,

    /// <summary>A number, a time or a text is outside what the event type can hold.</summary>
    OutOfRange,

    /// <summary>A field stands twice.</summary>
    DuplicateField,

    /// <summary>No decoder takes this topic or format.</summary>
    UnknownTopic,

    /// <summary>The event's time lies further in the future than the source's bound.</summary>
    FarFuture,

    /// <summary>The user's code failed on this event and the query's policy is to skip.</summary>
    QueryError,

    /// <summary>The store refused this row.</summary>
    SinkRejected,

    /// <summary>The backpressure policy dropped it, and dropping records dead letters.</summary>
    Overflow,

    /// <summary>An operator holds as many keys as <c>KeyBy(..., maxKeys)</c> allows, and the policy is to refuse more.</summary>
    TooManyKeys,
}

/// <summary>Something that could not be processed, kept with the reason.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Source">The source, query or sink that gave up on it.</param>
/// <param name="Topic">The topic or path it came by, with control characters escaped; empty where there is none.</param>
/// <param name="Detail">What exactly was wrong, with control characters escaped.</param>
/// <param name="Prefix">The payload's first bytes, at most 64, with control characters escaped.</param>
/// <param name="Time">When it was given up.</param>
public sealed record DeadLetter(
    DeadLetterReason Reason, string Source, string Topic, string Detail, string Prefix, DateTimeOffset Time);
