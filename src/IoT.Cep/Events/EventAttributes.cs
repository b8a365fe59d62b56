namespace IoT.Cep;

/// <summary>
/// Marks a <c>partial</c> record or record struct as an event type: the source generator that ships with this package
/// writes how it is decoded from every payload format, how its state is saved, and its <c>Fields</c> handles.
/// </summary>
[AttributeUsage(AttributeTargets.Struct | AttributeTargets.Class)]
public sealed class EventAttribute : Attribute;

/// <summary>Marks the member that holds the event's time. SenML's time (<c>bt</c> + <c>t</c>) is read into it.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class EventTimeAttribute : Attribute;

/// <summary>Marks the member that names the device or sensor. SenML's base name (<c>bn</c>) is read into it.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class EventKeyAttribute : Attribute;

/// <summary>Gives the payload's name of a member, where it isn't the member's own name in camel case.</summary>
/// <param name="name">The name in the payload: a JSON property, a SenML record's name, a CSV column.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class FieldAttribute(string name) : Attribute
{
    /// <summary>The name in the payload.</summary>
    public string Name => name;
}
