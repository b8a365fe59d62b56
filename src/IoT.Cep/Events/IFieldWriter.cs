namespace IoT.Cep.Extensibility;

/// <summary>
/// Takes an event's fields, one by one, in the order of its <see cref="EventSchema"/>: the side that a payload format implements. The generated
/// <see cref="IEvent{TSelf}.WriteTo"/> is the other side. A value that the format can't hold throws <see cref="FormatException"/>.
/// </summary>
public interface IFieldWriter
{
    /// <summary>Takes a number.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <param name="value">The number.</param>
    void Number(int field, double value);

    /// <summary>Takes a whole number.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <param name="value">The whole number.</param>
    void Integer(int field, long value);

    /// <summary>Takes text, or the name of an enum's value.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <param name="value">The text.</param>
    void Text(int field, string value);

    /// <summary>Takes a time.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <param name="ticks">100 ns ticks since 1970-01-01 UTC.</param>
    void Time(int field, long ticks);

    /// <summary>Takes true or false.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <param name="value">The value.</param>
    void Boolean(int field, bool value);

    /// <summary>Takes a null.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    void Null(int field);
}
