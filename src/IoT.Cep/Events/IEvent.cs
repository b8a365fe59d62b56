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

    /// <summary>
    /// Hands the event's fields over one by one, numbered as in <see cref="Schema"/>: what encoders and topics of sinks are made from. An event type
    /// that was written by hand and is never encoded need not have it.
    /// </summary>
    /// <typeparam name="TWriter">The format's writer.</typeparam>
    /// <param name="writer">The format's writer.</param>
    /// <param name="value">The event.</param>
    /// <exception cref="NotSupportedException">The event type was written by hand and doesn't have it.</exception>
    static virtual void WriteTo<TWriter>(ref TWriter writer, in TSelf value)
        where TWriter : struct, IFieldWriter, allows ref struct =>
        throw new NotSupportedException($"{typeof(TSelf).Name} can't be encoded: let [Event] generate it, or write IEvent<{typeof(TSelf).Name}>.WriteTo.");

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
