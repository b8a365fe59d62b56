namespace IoT.Cep.Extensibility;

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
