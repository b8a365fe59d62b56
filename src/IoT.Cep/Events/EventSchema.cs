using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>What a field's value is, as far as payload formats tell kinds apart.</summary>
public enum FieldKind
{
    /// <summary>A number; formats may also accept it as text, where they say so.</summary>
    Number,

    /// <summary>A whole number that fits 64 bits.</summary>
    Integer,

    /// <summary>Text.</summary>
    Text,

    /// <summary>A point in time.</summary>
    Time,

    /// <summary>True or false.</summary>
    Boolean,
}

/// <summary>One member of an event type.</summary>
public sealed class EventField
{
    /// <summary>Describes one member.</summary>
    /// <param name="member">The member's name in C#.</param>
    /// <param name="name">The name in a payload.</param>
    /// <param name="kind">What the value is.</param>
    /// <param name="isTime">Whether this is the event's time.</param>
    /// <param name="isKey">Whether this names the device.</param>
    /// <param name="isRequired">Whether a payload without it is refused.</param>
    public EventField(string member, string name, FieldKind kind, bool isTime, bool isKey, bool isRequired)
    {
        Member = member;
        Name = name;
        Kind = kind;
        IsTime = isTime;
        IsKey = isKey;
        IsRequired = isRequired;
        Utf8Name = Encoding.UTF8.GetBytes(name);
    }

    /// <summary>The member's name in C#.</summary>
    public string Member { get; }

    /// <summary>The name in a payload.</summary>
    public string Name { get; }

    /// <summary>What the value is.</summary>
    public FieldKind Kind { get; }

    /// <summary>Whether this is the event's time.</summary>
    public bool IsTime { get; }

    /// <summary>Whether this names the device.</summary>
    public bool IsKey { get; }

    /// <summary>Whether a payload without it is refused.</summary>
    public bool IsRequired { get; }

    /// <summary>The name in a payload, in UTF-8.</summary>
    public ReadOnlyMemory<byte> Utf8Name { get; }
}

/// <summary>The members of an event type, in the order of its constructor.</summary>
public sealed class EventSchema
{
    /// <summary>The schema of an event type.</summary>
    /// <param name="typeName">The type's name, for messages.</param>
    /// <param name="fields">The members, 64 at most.</param>
    /// <exception cref="ArgumentException">There are more than 64 members.</exception>
    public EventSchema(string typeName, params EventField[] fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        if (fields.Length > 64)
        {
            throw new ArgumentException($"An event type has at most 64 members; {typeName} has {fields.Length}.", nameof(fields));
        }

        TypeName = typeName;
        Fields = fields;
        TimeIndex = Array.FindIndex(fields, f => f.IsTime);
        KeyIndex = Array.FindIndex(fields, f => f.IsKey);
        RequiredMask = fields.Select((f, i) => f.IsRequired ? 1UL << i : 0).Aggregate(0UL, (all, one) => all | one);
    }

    /// <summary>The type's name, for messages.</summary>
    public string TypeName { get; }

    /// <summary>The members, in the order of the constructor.</summary>
    public IReadOnlyList<EventField> Fields { get; }

    /// <summary>The index of the event's time, or -1.</summary>
    public int TimeIndex { get; }

    /// <summary>The index of the device's name, or -1.</summary>
    public int KeyIndex { get; }

    /// <summary>A bit for each member that a payload must have.</summary>
    public ulong RequiredMask { get; }
}

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
