using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What the source generator implements for an <see cref="EventAttribute"/> type; it can be written by hand as well.</summary>
/// <typeparam name="TSelf">The event type itself.</typeparam>
public interface IEvent<TSelf>
    where TSelf : IEvent<TSelf>
{
    /// <summary>The members' names in a payload, in the order of the constructor; <see cref="TryRead"/> gets them by index.</summary>
    static abstract EventSchema Schema { get; }

    /// <summary>
    /// Builds one event from the fields that <paramref name="reader"/> hands over one by one. Fields are numbered as in
    /// <see cref="Schema"/>. Returns false where a field is missing, doubled or of the wrong type; the reader then holds the reason.
    /// </summary>
    /// <typeparam name="TReader">The format's reader.</typeparam>
    /// <param name="reader">The format's reader.</param>
    /// <param name="value">The event.</param>
    static abstract bool TryRead<TReader>(ref TReader reader, out TSelf value)
        where TReader : struct, IFieldReader, allows ref struct;

    /// <summary>The event's time: 100 ns ticks since 1970-01-01 UTC.</summary>
    /// <param name="value">The event.</param>
    static abstract long TicksOf(in TSelf value);

    /// <summary>Writes the event into saved state.</summary>
    /// <param name="writer">Where to write.</param>
    /// <param name="value">The event.</param>
    static abstract void Write(StateWriter writer, in TSelf value);

    /// <summary>Reads back what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">Where to read.</param>
    static abstract TSelf Read(StateReader reader);
}
