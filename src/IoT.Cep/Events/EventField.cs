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

    /// <summary>Where the value comes from: the payload's body by default.</summary>
    public FieldOrigin Origin { get; init; }

    /// <summary>The header's name, where <see cref="Origin"/> is <see cref="FieldOrigin.Header"/>.</summary>
    public string? HeaderName { get; init; }

    /// <summary>Whether the time of arrival stands in where there is no time.</summary>
    public bool IsReceivedOtherwise { get; init; }

    /// <summary>The field's number in formats that have numbers for names; null where it has none.</summary>
    public int? Number { get; init; }

    /// <summary>How Protobuf writes a whole number.</summary>
    public WholeNumberForm Form { get; init; }

    /// <summary>The number's unit, by SenML's names; null where it isn't declared.</summary>
    public string? Unit { get; init; }

    /// <summary>The names of an enum's values, for formats that send the value; empty for other types.</summary>
    public IReadOnlyList<KeyValuePair<long, string>> EnumNames { get; init; } = [];
}

/// <summary>Where a field's value comes from.</summary>
public enum FieldOrigin
{
    /// <summary>The payload's body, or a place of that name in the topic.</summary>
    Payload,

    /// <summary>The time of arrival.</summary>
    ReceivedTime,

    /// <summary>The time that the sender told beside the body.</summary>
    SentTime,

    /// <summary>A header that came beside the body.</summary>
    Header,

    /// <summary>Who sent it, as the listener proved it.</summary>
    Sender,
}

/// <summary>How Protobuf writes a whole number, or a number that is sent as one (<see cref="FieldAttribute.Scale"/>).</summary>
public enum WholeNumberForm
{
    /// <summary><see cref="Varint"/> for a whole number; <c>double</c> for another.</summary>
    Default,

    /// <summary><c>int32</c>, <c>int64</c>, <c>uint32</c>, <c>uint64</c>, <c>bool</c> or an enum.</summary>
    Varint,

    /// <summary><c>sint32</c>, <c>sint64</c>: short for negative numbers too.</summary>
    ZigZag,

    /// <summary><c>fixed64</c>, <c>sfixed64</c> (<c>fixed32</c> and <c>sfixed32</c> are read as well).</summary>
    Fixed,
}
