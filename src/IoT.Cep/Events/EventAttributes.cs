using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Marks a <c>partial</c> record or record struct as an event type: the source generator that ships with this package
/// writes how it is decoded from every payload format and encoded into one, how its state is saved, and its <c>Fields</c> handles.
/// </summary>
[AttributeUsage(AttributeTargets.Struct | AttributeTargets.Class)]
public sealed class EventAttribute : Attribute;

/// <summary>
/// Marks the member that holds the event's time. SenML's time (<c>bt</c> + <c>t</c>) is read into it. With <see cref="ReceivedTimeAttribute"/> beside it, a payload
/// without the time takes the time of its arrival.
/// </summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class EventTimeAttribute : Attribute;

/// <summary>Marks the member that names the device or sensor. SenML's base name (<c>bn</c>) is read into it.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class EventKeyAttribute : Attribute;

/// <summary>Says how a member stands in a payload, where that isn't by the member's own name in camel case.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class FieldAttribute : Attribute
{
    /// <summary>The number of a member that has none.</summary>
    public const int NoNumber = int.MinValue;

    /// <summary>Leaves the name as it is.</summary>
    public FieldAttribute()
    {
    }

    /// <summary>Gives the name in the payload.</summary>
    /// <param name="name">The name: a JSON property, a SenML record's name, a CSV column.</param>
    public FieldAttribute(string name) => Name = name;

    /// <summary>The name in the payload; null where it is the member's own.</summary>
    public string? Name { get; }

    /// <summary>The field's number in Protobuf, and its key in CBOR maps that have numbers for keys; <see cref="NoNumber"/> by default.</summary>
    public int Number { get; set; } = NoNumber;

    /// <summary>The member is the payload's number times this, plus <see cref="Offset"/>; 1 by default. For members that are no whole numbers.</summary>
    public double Scale { get; set; } = 1;

    /// <summary>What is added to the payload's number after <see cref="Scale"/>; 0 by default. For members that are no whole numbers.</summary>
    public double Offset { get; set; }

    /// <summary>How Protobuf writes the number: <c>int64</c> for whole numbers and <c>double</c> for others by default.</summary>
    public WholeNumberForm Form { get; set; }
}

/// <summary>
/// The unit of a number, by SenML's names (RFC 8428, section 12.1): <c>[Unit("Cel")]</c>. A SenML record with another unit is converted where that is known
/// (<c>K</c> to <c>Cel</c>, <c>mV</c> to <c>V</c>), and refused where it isn't; one without a unit is believed.
/// </summary>
/// <param name="name">The unit's name.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class UnitAttribute(string name) : Attribute
{
    /// <summary>The unit's name.</summary>
    public string Name => name;
}

/// <summary>
/// Marks a member that is the time at which the payload was received. On the <see cref="EventTimeAttribute"/> member it is only what a payload without a time gives.
/// </summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class ReceivedTimeAttribute : Attribute;

/// <summary>
/// Marks a member that is the time at which the sender says that it sent the payload, where the transport carries one. With <see cref="ReceivedTimeAttribute"/> beside
/// it, the time of arrival where it carries none.
/// </summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class SentTimeAttribute : Attribute;

/// <summary>Marks a member that comes from beside the body: an MQTT user property, an HTTP header field. Never from the body.</summary>
/// <param name="name">The header's name; the case of ASCII letters does not matter.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class HeaderAttribute(string name) : Attribute
{
    /// <summary>The header's name.</summary>
    public string Name => name;
}

/// <summary>Marks a text that is who sent the payload, as the listener proved it. Never from the body.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class SenderAttribute : Attribute;
