namespace IoT.Cep.Extensibility;

/// <summary>
/// Hands a payload's fields over, one by one: the side that a payload format implements. The generated
/// <see cref="IEvent{TSelf}.TryRead"/> is the other side.
/// </summary>
public interface IFieldReader
{
    /// <summary>Moves to the next field that the event type has; unknown fields are skipped by the reader.</summary>
    /// <param name="field">The field's index in the <see cref="EventSchema"/>.</param>
    /// <returns>False at the end of the payload, or where it is malformed (<see cref="Fail"/> was called then).</returns>
    bool Next(out int field);

    /// <summary>The current field as a number. A wrong type calls <see cref="Fail"/> and gives 0.</summary>
    double Number();

    /// <summary>The current field as a whole number. A wrong type or a fraction calls <see cref="Fail"/> and gives 0.</summary>
    long Integer();

    /// <summary>The current field as text, out of the bounded pool of strings. A wrong type calls <see cref="Fail"/> and gives "".</summary>
    string Text();

    /// <summary>The current field as a time: 100 ns ticks since 1970-01-01 UTC. A wrong type calls <see cref="Fail"/> and gives 0.</summary>
    long Time();

    /// <summary>The current field as true or false. A wrong type calls <see cref="Fail"/> and gives false.</summary>
    bool Boolean();

    /// <summary>Whether the current field is null; a member that may be null is then left at its default.</summary>
    bool IsNull();

    /// <summary>Whether nothing failed so far.</summary>
    bool Ok { get; }

    /// <summary>Remembers the first failure; the payload becomes a dead letter with this reason.</summary>
    /// <param name="reason">What kind of failure.</param>
    /// <param name="field">The field's index, or -1.</param>
    void Fail(DeadLetterReason reason, int field);
}
